package fieldtype

import (
	"strings"

	"golang.org/x/net/idna"
)

const (
	// The longest local part, domain label, domain and address that mail can use (RFC 5321, section
	// 4.5.3.1).
	longestLocal, longestLabel, longestDomain, longestEmail = 64, 63, 253, 254
	// longestDomainText bounds the domains that are converted to ASCII.
	longestDomainText = 1024
)

// parseEmail accepts plain addresses, without display name, quotes, comments or IP addresses. It
// keeps the local part as typed, because its case may matter to the receiving server, and returns
// the domain in lower case ASCII.
func parseEmail(text string) (address string, ok bool) {
	at := strings.LastIndexByte(text, '@')
	if at < 0 || !isLocalPart(text[:at]) {
		return "", false
	}
	domain, ok := asciiDomain(text[at+1:])
	if !ok || strings.Contains(domain, "_") {
		return "", false
	}
	if address = text; domain != text[at+1:] {
		address = text[:at] + "@" + domain
	}
	return address, len(address) <= longestEmail
}

// isLocalPart accepts the dot-atom of RFC 5322.
func isLocalPart(local string) bool {
	if len(local) > longestLocal {
		return false
	}
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" {
			return false
		}
		for _, r := range atom {
			if !isASCIIAlphanumeric(r) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r) {
				return false
			}
		}
	}
	return true
}

// asciiDomain returns a domain of at least two labels in lower case, in Punycode where it is not
// ASCII. It accepts underscores, as browsers do: some hosts have them.
func asciiDomain(text string) (domain string, ok bool) {
	if len(text) > longestDomainText {
		return "", false
	}
	domain = strings.ToLower(text)
	if !isASCII(text) || strings.Contains(domain, "xn--") {
		var err error
		if domain, err = idna.Lookup.ToASCII(text); err != nil {
			return "", false
		}
	}
	if len(domain) > longestDomain || !strings.Contains(domain, ".") {
		return "", false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if !isDomainLabel(label) {
			return "", false
		}
	}
	// A domain that ends in a number is an IP address, and no top-level domain has one letter.
	top := domain[strings.LastIndexByte(domain, '.')+1:]
	return domain, len(top) > 1 && !allDigits(top)
}

func isDomainLabel(label string) bool {
	if label == "" || len(label) > longestLabel || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for _, r := range label {
		if !isASCIIAlphanumeric(r) && r != '-' && r != '_' {
			return false
		}
	}
	return true
}

func isASCIIAlphanumeric(r rune) bool {
	return isASCIIDigit(r) || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
