package form

import (
	"bufio"
	"bytes"
	"cmp"
	"io"
	"math"
	"net/http"
	"unicode/utf8"
)

const (
	// pairBuffer is how many bytes of a URL-encoded body are read at once. Most bodies have fewer.
	pairBuffer = 1 << 10
	// usualPairs is how many pairs most bodies have at most, and usualPair how many bytes a pair has.
	usualPairs, usualPair = 16, 160
)

// readURLEncoded reads name=value pairs in the order sent.
func (c *collector) readURLEncoded(src *source) error {
	p := pairs{text: bufio.NewReaderSize(src, pairBuffer), longestName: int64(c.limits.Name), longestValue: c.longestValue()}
	p.longestName += min(1, math.MaxInt64-p.longestName)
	p.pair = make([]byte, 0, usualPair)
	c.form.Entries, c.sent = make([]Entry, 0, usualPairs), make([]sentValue, 0, usualPairs)
	for {
		ended := p.next()
		if ended != nil && src.err != nil {
			return cmp.Or(c.addBeginning(&p), readError(src.err))
		}
		if err := c.add(p.current()); err != nil || ended != nil {
			return err
		}
	}
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
func (c *collector) addBeginning(p *pairs) error {
	name, value := p.current()
	if value = withoutHalf(value); value == "" {
		return nil
	}
	return c.add(name, value)
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
