package attribution

import (
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/signing"
)

const (
	// DefaultCookie is the name of the cookie unless another is given.
	DefaultCookie = "telecrm_attribution"
	// MaxCookie bounds a cookie with its name and attributes, in bytes.
	MaxCookie = 1 << 10
	// maxCookieName bounds the name and the domain.
	maxCookieName, maxDomain = 64, 128

	// version begins the value of a cookie. It changes with the encoding of a record.
	version       = "1."
	signatureSize = 12
)

// Cookie keeps a [Record] in the visitor's browser.
type Cookie struct {
	Name string
	// Domain is a domain whose hosts share the cookie. Hosts outside it, and all hosts if it is
	// empty, have cookies of their own.
	Domain string
	Keep   time.Duration
	// Keys sign the record. Without a key nothing is kept or believed.
	Keys signing.Keys
}

// CheckCookie reports what is wrong with a cookie's name.
func CheckCookie(name string) error {
	if name == "" || len(name) > maxCookieName || strings.ContainsFunc(name, isNotOfName) {
		return fmt.Errorf("must be letters, digits, and _ - . only, at most %d of them, got %q", maxCookieName, name)
	}
	return nil
}

// CheckDomain reports what is wrong with a cookie's domain.
func CheckDomain(domain string) error {
	if !strings.Contains(domain, ".") || len(domain) > maxDomain || strings.HasPrefix(domain, ".") || strings.ContainsFunc(domain, isNotOfName) {
		return fmt.Errorf("must be a domain without a dot before it, got %q; write one such as example.com", domain)
	}
	return nil
}

// line returns a Set-Cookie header that keeps the record for the hosts of the cookie's domain. It is
// empty if there is no key to sign it.
func (c Cookie) line(r Record, host string, isSecure bool) string {
	attributes := c.attributes(host, isSecure, int(c.Keep.Seconds()))
	for {
		value := version + encode(r)
		signed := c.Keys.Sign(c.signable(value), signatureSize)
		if signed == "" {
			return ""
		}
		line := c.Name + "=" + value + "." + signed + attributes
		if len(line) <= MaxCookie {
			return line
		}
		shorter, ok := shorten(r)
		if !ok {
			return ""
		}
		r = shorter
	}
}

// removal returns a Set-Cookie header that removes the cookie.
func (c Cookie) removal(host string, isSecure bool) string {
	return c.Name + "=" + c.attributes(host, isSecure, 0)
}

func (c Cookie) attributes(host string, isSecure bool, maxAge int) string {
	text := fmt.Sprintf("; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax", maxAge)
	if isSecure {
		text += "; Secure"
	}
	if c.Domain != "" && isWithin(nameOf(host), c.Domain) {
		text += "; Domain=" + c.Domain
	}
	return text
}

// read returns the record in the request's cookie. A cookie that is forged, malformed or too old
// counts for nothing.
func (c Cookie) read(header http.Header, now time.Time) (Record, bool) {
	for value := range cookies(header, c.Name) {
		if len(value) > MaxCookie || !strings.HasPrefix(value, version) {
			continue
		}
		payload, signatures, _ := strings.Cut(value[len(version):], ".")
		if !c.Keys.Verify(c.signable(version+payload), signatures, signatureSize) {
			continue
		}
		r, err := decode(payload)
		if err != nil || r.Seen.Sub(now) > maxSkew {
			continue
		}
		if r = r.at(now, c.Keep); !r.IsZero() {
			return r, true
		}
	}
	return Record{}, false
}

// signable returns the text to sign. It has the cookie's name, so that the value does not count in
// another cookie.
func (c Cookie) signable(value string) string { return c.Name + "=" + value }

// isSent reports whether the request has the cookie. It does not allocate.
func (c Cookie) isSent(header http.Header) bool {
	for _, line := range header["Cookie"] {
		if _, _, found := nextCookie(line, c.Name); found {
			return true
		}
	}
	return false
}

// cookies iterates over the values of a request's cookies with the name.
func cookies(header http.Header, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range header["Cookie"] {
			for {
				value, rest, found := nextCookie(line, name)
				if !found {
					break
				}
				if !yield(strings.Trim(strings.TrimSpace(value), `"`)) {
					return
				}
				line = rest
			}
		}
	}
}

// nextCookie returns the value of the first cookie with the name in a Cookie header, and the rest of
// the header after it. It is fast, because it is called for every request.
func nextCookie(line, name string) (value, rest string, found bool) {
	for isMore := true; isMore; {
		before, after, mayBe := strings.Cut(line, name)
		if !mayBe {
			break
		}
		before = strings.TrimRight(before, " ")
		if (before == "" || before[len(before)-1] == ';') && strings.HasPrefix(after, "=") {
			value, rest, _ = strings.Cut(after[1:], ";")
			return value, rest, true
		}
		_, line, isMore = strings.Cut(after, ";")
	}
	return "", "", false
}
