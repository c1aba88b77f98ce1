package fieldtype

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longestURL is the longest URL that every browser and proxy supports.
const longestURL = 2048

type schemeRule bool

const (
	schemeOptional schemeRule = false
	schemeRequired schemeRule = true
)

// parseURL accepts http and https URLs with a host name and without credentials, and returns them
// in ASCII. A missing optional scheme means https.
func parseURL(text string, rule schemeRule) (address string, ok bool) {
	if len(text) > longestURL*utf8.UTFMax || strings.ContainsFunc(text, isNeverInURL) {
		return "", false
	}
	scheme, rest, ok := cutScheme(text, rule)
	if !ok {
		return "", false
	}
	authority, tail := rest, ""
	if at := strings.IndexAny(rest, "/?#"); at >= 0 {
		authority, tail = rest[:at], rest[at:]
	}
	authority, ok = canonicalAuthority(authority)
	if !ok {
		return "", false
	}
	address = scheme + "://" + authority + percentEncode(tail)
	if _, err := url.Parse(address); err != nil {
		return "", false
	}
	return address, len(address) <= longestURL
}

// isNeverInURL includes the backslash: browsers treat it as a slash and servers do not, so the same
// URL could lead to two hosts.
func isNeverInURL(r rune) bool {
	return r == '\\' || r == utf8.RuneError || unicode.IsSpace(r) || unicode.IsControl(r)
}

func cutScheme(text string, rule schemeRule) (scheme, rest string, ok bool) {
	before, after, found := strings.Cut(text, "://")
	if found && !strings.ContainsAny(before, "/?#") {
		scheme = strings.ToLower(before)
		return scheme, after, scheme == "http" || scheme == "https"
	}
	return "https", strings.TrimPrefix(text, "//"), rule == schemeOptional
}

// canonicalAuthority checks the host and port. It refuses user names, which mostly disguise the
// host.
func canonicalAuthority(authority string) (canonical string, ok bool) {
	host, port := authority, ""
	if at := strings.LastIndexByte(authority, ':'); at > strings.LastIndexByte(authority, ']') {
		n, err := strconv.ParseUint(authority[at+1:], 10, 16)
		if err != nil || n == 0 {
			return "", false
		}
		host, port = authority[:at], ":"+strconv.FormatUint(n, 10)
	}
	host, ok = canonicalHost(host)
	return host + port, ok
}

func canonicalHost(host string) (canonical string, ok bool) {
	if inner, found := strings.CutPrefix(host, "["); found {
		inner, found = strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		return "[" + ip.String() + "]", found && err == nil && ip.Is6() && ip.Zone() == ""
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		return ip.String(), true
	}
	if strings.EqualFold(host, "localhost") {
		// A site in development has no other name.
		return "localhost", true
	}
	return asciiDomain(host)
}

// percentEncode escapes bytes that a URL cannot contain and keeps existing escapes.
func percentEncode(tail string) string {
	var b strings.Builder
	for i := range len(tail) {
		if c := tail[i]; c >= 0x80 || strings.IndexByte("\"<>^`{|}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
