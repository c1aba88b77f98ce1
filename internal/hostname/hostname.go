// Package hostname compares the hosts of requests, pages and origins. Browsers write all of them in
// one way, but programs, proxies and old browsers do not.
package hostname

import (
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

// maxName is the longest DNS name in bytes (RFC 1035, section 2.3.4). Its Unicode form may have up
// to four bytes for each of them.
const maxName = 4 * 253

// Canonical returns a host, with or without a port, as browsers write it in an origin: in lower
// case and Punycode, without the root's dot, and without the port of http or https.
func Canonical(host string) string {
	name, port := Split(host)
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	if port != "" {
		return name + ":" + port
	}
	return name
}

// Split returns the canonical name and the port of a host. The port of http or https is empty. An
// IPv6 address does not have brackets.
func Split(host string) (name, port string) {
	name = host
	if end := strings.LastIndexByte(host, ':'); end > strings.LastIndexByte(host, ']') && (strings.HasPrefix(host, "[") || strings.Count(host, ":") == 1) {
		name, port = host[:end], host[end+1:]
	}
	if port == "80" || port == "443" {
		port = ""
	}
	return Name(name), port
}

// Name returns a name or an address, without a port, as browsers write it.
func Name(name string) string {
	if isPlain(name) {
		return name
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.String()
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if len(name) > maxName {
		return name
	}
	ascii, err := idna.Lookup.ToASCII(name)
	if err != nil { // such as a name with an underscore, which browsers leave as it is
		return name
	}
	return strings.TrimSuffix(ascii, ".")
}

// isPlain reports whether a name is written as browsers do: it is in lower case, neither an address nor
// in Punycode, and does not end in a dot.
func isPlain(name string) bool {
	hasLetter := false
	for i := range len(name) {
		isLetter := 'a' <= name[i] && name[i] <= 'z'
		hasLetter = hasLetter || isLetter
		if !isLetter && name[i] != '.' && name[i] != '-' && (name[i] < '0' || name[i] > '9') {
			return false
		}
	}
	return hasLetter && !strings.HasSuffix(name, ".") && !strings.Contains(name, "xn--")
}
