package form

import (
	"io"
	"strings"
	"unicode/utf8"
)

// hexDigits is how many digits follow \u in JSON.
const hexDigits = 4

// shortTokens reads JSON, and of each string, number and stretch of white space no more than its
// first most bytes. So a decoder, which keeps these in memory as a whole, keeps no more. It does not
// cut within an escape or a character.
type shortTokens struct {
	json io.Reader
	most int

	isString bool
	isSpace  bool
	escape   int // bytes of the current escape that are still to come
	length   int // of the current token
	isCut    bool
}

// Read implements [io.Reader].
func (t *shortTokens) Read(p []byte) (int, error) {
	for {
		n, err := t.json.Read(p)
		kept := p[:0]
		for _, char := range p[:n] {
			if t.keeps(char) {
				kept = append(kept, char)
			}
		}
		if len(kept) > 0 || err != nil || len(p) == 0 {
			return len(kept), err //nolint:wrapcheck // readers compare with io.EOF
		}
	}
}

// keeps reports whether a byte is within the beginning of its token.
func (t *shortTokens) keeps(char byte) bool {
	switch {
	case t.escape > 0:
		if t.escape--; char == 'u' {
			t.escape = hexDigits
		}
	case t.isString && !utf8.RuneStart(char):
	case char == '"':
		t.isString = !t.isString
		t.begin(false)
		return true
	case !t.isString && strings.IndexByte("{}[]:,", char) >= 0:
		t.begin(false)
		return true
	default:
		if isSpace := strings.IndexByte(" \t\r\n", char) >= 0; !t.isString && isSpace != t.isSpace {
			t.begin(isSpace)
		}
		t.isCut = t.length >= t.most
		if t.isString && char == '\\' {
			t.escape = len("n")
		}
	}
	t.length++
	return !t.isCut
}

func (t *shortTokens) begin(isSpace bool) { t.isSpace, t.length, t.isCut = isSpace, 0, false }
