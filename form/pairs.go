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

	name, value []byte // of the current pair, decoded
}

// next reads the pair before the next "&". With an error, which is that of the text's reader, it is
// the last pair, or as much of it as could be read. The pair is valid until the next call.
func (p *pairs) next() error {
	p.name, p.value = p.name[:0], p.value[:0]
	inValue := false
	for {
		char, isEscape, err := p.char()
		switch {
		case err != nil:
			return err
		case isEscape:
		case char == '&':
			return nil
		case char == '=' && !inValue:
			inValue = true
			continue
		}
		switch {
		case inValue && int64(len(p.value)) < p.longestValue:
			p.value = append(p.value, char)
		case !inValue && int64(len(p.name)) < p.longestName:
			p.name = append(p.name, char)
		}
	}
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
		if string(p.name) == name {
			value, _ := charset{}.decode(string(p.value))
			values = append(values, value)
		}
		if err != nil {
			return values
		}
	}
}
