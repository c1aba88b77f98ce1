package form

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
)

// readURLEncoded reads name=value pairs separated by "&" only. [url.ParseQuery] loses the order of
// names and refuses ";", which browsers send as data.
func (c *collector) readURLEncoded(src *source) error {
	raw, tooLarge := src.readAll()
	if tooLarge != nil {
		if !errors.Is(tooLarge, ErrTooLarge) {
			return tooLarge
		}
		raw = raw[:max(bytes.LastIndexByte(raw, '&'), 0)] // the rest is part of a pair
	}
	body := string(raw)
	c.form.Entries = make([]Entry, 0, min(strings.Count(body, "&")+1, c.limits.Fields))
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		if err := c.addPair(pair); err != nil {
			return err
		}
	}
	return tooLarge
}

func (c *collector) addPair(pair string) error {
	name, value, _ := strings.Cut(pair, "=")
	return c.add(unescape(name), unescape(value))
}

// unescape decodes plus signs and escapes as browsers do
// (https://url.spec.whatwg.org/#urlencoded-parsing). A percent sign that does not begin an escape
// stands for itself. [url.QueryUnescape] refuses it.
func unescape(text string) string {
	if !strings.ContainsAny(text, "+%") {
		return text
	}
	plain := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '+':
			plain = append(plain, ' ')
			continue
		case '%':
			var char [1]byte
			if i+2 < len(text) {
				if _, err := hex.Decode(char[:], []byte(text[i+1:i+3])); err == nil {
					plain = append(plain, char[0])
					i += 2
					continue
				}
			}
		}
		plain = append(plain, text[i])
	}
	return string(plain)
}

// Query returns the values of a name in the query of a URL, read as a form in this encoding is.
// [url.URL.Query] drops pairs with a semicolon or with a percent sign that stands for itself.
func Query(query, name string) []string {
	var values []string
	for pair := range strings.SplitSeq(query, "&") {
		rawName, rawValue, _ := strings.Cut(pair, "=")
		if unescape(rawName) == name {
			value, _ := charset{}.decode(unescape(rawValue))
			values = append(values, value)
		}
	}
	return values
}
