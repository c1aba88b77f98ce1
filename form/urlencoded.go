package form

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"
)

// readURLEncoded reads name=value pairs separated by "&" only. [url.ParseQuery] loses the order of
// names and refuses ";", which browsers send as data.
func (c *collector) readURLEncoded(src *source) error {
	raw, tooLarge := src.readAll()
	if tooLarge != nil && !errors.Is(tooLarge, ErrTooLarge) {
		return tooLarge
	}
	body, beginning := string(raw), ""
	if tooLarge != nil {
		at := strings.LastIndexByte(body, '&') + 1
		body, beginning = body[:at], body[at:]
	}
	c.grow(min(strings.Count(body, "&")+1, c.limits.Fields))
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		if err := c.addPair(pair); err != nil {
			return err
		}
	}
	return cmp.Or(c.addBeginning(beginning), tooLarge)
}

// escapedBody reads a URL-encoded body up to a limit. The escape of a byte counts as one, so that
// the limit is the same for text in every script. Whatever the body is, it reads at most three times
// the limit.
type escapedBody struct {
	r              io.Reader
	limit          int64
	taken, escapes int64
}

func (b *escapedBody) Read(p []byte) (int, error) {
	const escape = int64(len("%xx"))
	room := b.limit - max(0, b.taken-(escape-1)*b.escapes)
	if room < int64(len(p)) {
		p = p[:max(0, room)+1] // one more, to detect a longer body
	}
	n, err := b.r.Read(p)
	b.escapes += int64(bytes.Count(p[:n], []byte("%")))
	b.taken += int64(n)
	if b.taken-(escape-1)*b.escapes > b.limit || b.taken/escape > b.limit {
		return max(0, n-1), &http.MaxBytesError{Limit: b.limit}
	}
	return n, err
}

// addBeginning keeps what was read of a pair before the body ended, if that includes its name.
func (c *collector) addBeginning(pair string) error {
	const escape = len("%xx")
	if at := strings.LastIndexByte(pair, '%'); at >= 0 && len(pair)-at < escape {
		pair = pair[:at]
	}
	name, value, _ := strings.Cut(pair, "=")
	if value = withoutHalf(unescape(value)); value == "" {
		return nil
	}
	return c.add(unescape(name), value)
}

// withoutHalf cuts off the last character if it is not complete.
func withoutHalf(text string) string {
	at := len(text)
	for at > 0 && len(text)-at < utf8.UTFMax {
		at--
		if utf8.RuneStart(text[at]) {
			break
		}
	}
	if utf8.FullRuneInString(text[at:]) {
		return text
	}
	return text[:at]
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
	var plain strings.Builder
	plain.Grow(len(text))
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '+':
			plain.WriteByte(' ')
			continue
		case '%':
			var char [1]byte
			if i+2 < len(text) {
				if _, err := hex.Decode(char[:], []byte(text[i+1:i+3])); err == nil {
					plain.WriteByte(char[0])
					i += 2
					continue
				}
			}
		}
		plain.WriteByte(text[i])
	}
	return plain.String()
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
