package attribution

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Consent is a cookie in which a site keeps what the visitor agreed to.
type Consent struct {
	Cookie string
	// Value is the value that stands for consent. Each * in it stands for any text. If it is empty,
	// any value does that is not a refusal.
	Value string
}

// IsGiven reports whether the request has the cookie with consent in it.
func (c *Consent) IsGiven(header http.Header) bool {
	if c == nil {
		return true
	}
	for value := range cookies(header, c.Cookie) {
		if value != "" && value == c.Value { // as most sites write it
			return true
		}
		if strings.Contains(value, "%") {
			if decoded, err := url.PathUnescape(value); err == nil {
				value = decoded
			}
		}
		if c.Value == "" && !isRefusal(value) || c.Value != "" && fits(c.Value, value) {
			return true
		}
	}
	return false
}

// isRefusal reports whether a value means anything but consent.
func isRefusal(value string) bool {
	return slices.Contains([]string{
		"", "0", "-1", "false", "no", "none", "null", "undefined", "off", "deny", "denied", "decline", "declined", "dismiss", "dismissed",
		"refuse", "refused", "reject", "rejected", "optout", "opt-out", "opt_out", "necessary", "essential", "pending", "unset",
	}, strings.ToLower(strings.TrimSpace(value)))
}

// fits reports whether text equals a pattern in which each * stands for any text.
func fits(pattern, text string) bool {
	if pattern == text {
		return true
	}
	beginning, rest, isOpen := strings.Cut(pattern, "*")
	text, ok := strings.CutPrefix(text, beginning)
	if !isOpen || !ok {
		return ok && text == ""
	}
	for isOpen {
		var part string
		part, rest, isOpen = strings.Cut(rest, "*")
		if !isOpen {
			return strings.HasSuffix(text, part)
		}
		_, after, found := strings.Cut(text, part)
		if !found {
			return false
		}
		text = after
	}
	return true
}

// Check reports what is wrong with the names.
func (c *Consent) Check() error {
	if c == nil {
		return nil
	}
	if c.Cookie == "" || strings.ContainsAny(c.Cookie, " ;,=\"") {
		return errors.New("consent: must name a cookie; write: consent cookie <name> [<value>]")
	}
	return nil
}

// objects reports whether the browser asks not to track its user, with Global Privacy Control
// (https://www.w3.org/TR/gpc/) or Do Not Track.
func objects(header http.Header) bool {
	return first(header, "Sec-Gpc") == "1" || first(header, "Dnt") == "1"
}
