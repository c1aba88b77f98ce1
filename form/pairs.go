package form

import (
	"bufio"
	"encoding/hex"
	"errors"
	"io"
	"strings"
)

// pairs reads the pairs of URL-encoded text as browsers do
// (https://url.spec.whatwg.org/#urlencoded-parsing): a percent sign that does not begin an escape
// stands for itself, and so does a semicolon. [url.ParseQuery] refuses both. Whatever the text is, it
// keeps one pair at a time, and no more of that than the longest name and value.
type pairs struct {
	text                      *bufio.Reader
	longestName, longestValue int64

	pair []byte // the name and the value of the current pair, decoded
	// nameLen is the length of the name, or -1 if the pair does not have a value.
	nameLen int
}

// next reads the pair before the next "&". With an error, which is that of the text's reader, it is
// the last pair, or as much of it as could be read.
func (p *pairs) next() error {
	p.pair, p.nameLen = p.pair[:0], -1
	for {
		char, isEscape, err := p.char()
		switch {
		case err != nil:
			return err
		case isEscape:
		case char == '&':
			return nil
		case char == '=' && p.nameLen < 0:
			p.nameLen = len(p.pair)
			continue
		}
		if p.nameLen < 0 && int64(len(p.pair)) < p.longestName || p.nameLen >= 0 && int64(len(p.pair)-p.nameLen) < p.longestValue {
			p.pair = append(p.pair, char)
		}
	}
}

// current returns the name and the value of the current pair.
func (p *pairs) current() (name, value string) {
	pair := string(p.pair)
	if p.nameLen < 0 {
		return pair, ""
	}
	return pair[:p.nameLen], pair[p.nameLen:]
}

// char reads the next character, decoded.
func (p *pairs) char() (char byte, isEscape bool, err error) {
	char, err = p.text.ReadByte()
	switch {
	case err != nil:
		return 0, false, err
	case char == '+':
		return ' ', false, nil
	case char != '%':
		return char, false, nil
	}
	digits, err := p.text.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) { // within an escape
		_, _ = p.text.Discard(len(digits))
		return 0, false, err
	}
	var decoded [1]byte
	if _, err := hex.Decode(decoded[:], digits); err != nil || len(digits) < 2 {
		return char, false, nil
	}
	_, _ = p.text.Discard(len(digits))
	return decoded[0], true, nil
}

// Query returns the values of a name in the query of a URL, read as a form in this encoding is.
// [url.URL.Query] drops pairs with a semicolon or with a percent sign that stands for itself.
func Query(query, name string) []string {
	if query == "" {
		return nil
	}
	longest := int64(len(query))
	p := pairs{text: bufio.NewReaderSize(strings.NewReader(query), len(query)), longestName: longest, longestValue: longest}
	var values []string
	for {
		err := p.next()
		if key, value := p.current(); key == name {
			value, _ = charset{}.decode(value)
			values = append(values, value)
		}
		if err != nil {
			return values
		}
	}
}
