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

// longestURL is what every browser and proxy can carry.
const longestURL = 2048

type schemeRule bool

const (
	schemeOptional schemeRule = false
	schemeRequired schemeRule = true
)

// parseURL accepts http and https URLs with a public-looking host and without credentials, and returns them in ASCII.
// Where the scheme is optional and absent, it is https.
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

// isNeverInURL includes the backslash, which browsers take for a slash and servers do not, so that a URL with one may
// lead two readers to two hosts.
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

// canonicalAuthority checks the host and port. User names are refused: they only serve to disguise the host.
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
		// A site that is being tried out has no other name.
		return "localhost", true
	}
	return asciiDomain(host)
}

// percentEncode encodes what a URL cannot have as it is and leaves encoded parts alone.
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
