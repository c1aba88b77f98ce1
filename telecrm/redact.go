package telecrm

import (
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// hiddenValue replaces a value in a text.
const hiddenValue = "[value]"

const (
	// shortestHidden is the length in bytes from which a value is hidden. Shorter ones, such as a
	// rating, do not identify anyone, and hiding them would make remarks unreadable.
	shortestHidden = 3
	// shortestPart is the number of consecutive letters and digits from which a part of a value is
	// hidden too.
	shortestPart = 12
	// shortestDigits is the same for parts of digits only, because a phone number may be quoted
	// without its country code.
	shortestDigits = 6
)

// Redactor hides values in foreign text that may quote them.
type Redactor struct {
	// words are values and parts of values, reduced to letters and digits. exact are values with
	// hardly any of these. Both are grouped by length.
	words, exact map[int]map[string]bool
}

// NewRedactor returns a redactor of the values. It finds them regardless of case, accents, spaces
// and punctuation, and finds every part of 12 letters and digits, or of 6 digits.
func NewRedactor(values ...string) *Redactor {
	r := &Redactor{words: make(map[int]map[string]bool), exact: make(map[int]map[string]bool)}
	for _, value := range values {
		if value = fold(value); len(value) >= shortestHidden {
			r.hide(value)
		}
	}
	return r
}

func (r *Redactor) hide(value string) {
	word := lettersOf(value).text
	switch n := len(word); {
	case n >= shortestPart:
		for i := range n - shortestPart + 1 {
			add(r.words, word[i:i+shortestPart])
		}
	case n >= shortestDigits:
		add(r.words, word)
	default:
		add(r.exact, charactersOf(value).text)
	}
	digits := 0
	for i, c := range word {
		if digits++; !unicode.IsDigit(c) {
			digits = 0
		}
		if digits >= shortestDigits {
			add(r.words, word[i+1-shortestDigits:i+1])
		}
	}
}

func add(set map[int]map[string]bool, word []rune) {
	if set[len(word)] == nil {
		set[len(word)] = make(map[string]bool)
	}
	set[len(word)][string(word)] = true
}

// Redact returns the text on one line with the values hidden. It undoes escapes, because a value
// may be quoted with them.
func (r *Redactor) Redact(text string) string {
	text = fold(unescape(text))
	hidden := make([]bool, len(text))
	mark(hidden, lettersOf(text), r.words)
	mark(hidden, charactersOf(text), r.exact)
	var b strings.Builder
	for i := range len(text) {
		switch {
		case !hidden[i]:
			b.WriteByte(text[i])
		case i == 0 || !hidden[i-1]:
			b.WriteString(hiddenValue)
		}
	}
	return b.String()
}

// Quotes reports whether the text contains any of the values.
func (r *Redactor) Quotes(text string) bool {
	return r.Redact(text) != fold(unescape(text))
}

// stream is a text in comparable form with the position of each character in the original: from
// at[i] to before end[i].
type stream struct {
	text    []rune
	at, end []int
}

// charactersOf returns the text in lower case.
func charactersOf(text string) stream {
	return streamOf(text, func(c rune, keep func(rune)) { keep(unicode.ToLower(c)) })
}

// lettersOf returns the letters and digits of the text, regardless of case, accents and width.
func lettersOf(text string) stream {
	return streamOf(text, func(c rune, keep func(rune)) {
		if c < unicode.MaxASCII {
			if unicode.IsLetter(c) || unicode.IsDigit(c) {
				keep(unicode.ToLower(c))
			}
			return
		}
		for _, part := range norm.NFKD.String(string(c)) {
			if unicode.IsLetter(part) || unicode.IsNumber(part) {
				keep(unicode.ToLower(part))
			}
		}
	})
}

func streamOf(text string, characters func(c rune, keep func(rune))) stream {
	var s stream
	for i, c := range text {
		end := i + len(string(c))
		characters(c, func(kept rune) {
			s.text, s.at, s.end = append(s.text, kept), append(s.at, i), append(s.end, end)
		})
	}
	return s
}

// mark sets hidden wherever a word occurs in the stream.
func mark(hidden []bool, s stream, words map[int]map[string]bool) {
	for length, set := range words {
		for i := 0; i+length <= len(s.text); i++ {
			if length == 0 || !set[string(s.text[i:i+length])] {
				continue
			}
			for at := s.at[i]; at < s.end[i+length-1]; at++ {
				hidden[at] = true
			}
		}
	}
}

var (
	percentEscapes   = regexp.MustCompile(`(%[0-9A-Fa-f]{2})+`)
	backslashEscapes = regexp.MustCompile(`(\\u[0-9A-Fa-f]{4})+|\\[nrt"\\/]`)
)

// unescape undoes the escapes of HTML, URLs and JSON.
func unescape(text string) string {
	text = html.UnescapeString(text)
	text = percentEscapes.ReplaceAllStringFunc(text, func(s string) string {
		plain, err := url.PathUnescape(s)
		if err != nil {
			return s
		}
		return plain
	})
	return backslashEscapes.ReplaceAllStringFunc(text, func(s string) string {
		var plain string
		if json.Unmarshal([]byte(`"`+s+`"`), &plain) != nil {
			return s
		}
		return plain
	})
}

// fold returns foreign text as one line of valid UTF-8.
func fold(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\uFFFD"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
}
