package page

import (
	"io"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// tags iterates over the tags of a whole page.
type tags struct {
	source  string
	bytes   []byte // the same as source
	lexer   lexer
	nesting nesting

	textAt  int // start of the text before the tag
	at, end int // start and end of the tag
	// Current tag.
	name       string // in lower case
	isEnd      bool
	attributes []attribute
	encoded    bool // attribute values are not decoded yet

	tokenizer *html.Tokenizer // for attributes that are not written plainly
	given     int             // how far the tokenizer has read
}

func newTags(source []byte) *tags {
	t := &tags{source: string(source), bytes: source}
	t.tokenizer = html.NewTokenizer(t)
	return t
}

// next moves to the next tag. It reports false at the end of the page, and when the nesting is
// lost.
func (t *tags) next() bool {
	n, isTag := t.lexer.next(t.bytes[t.end:])
	t.textAt, t.at = t.end, t.end+t.lexer.at
	t.end += n
	if !isTag {
		t.at = t.end
		return false
	}
	t.isEnd = t.lexer.isEnd
	t.attributes, t.encoded = t.attributes[:0], false
	if t.isEnd {
		t.name = nameOfTag(t.source[t.at+len("</") : t.end])
		t.nesting.close(t.lexer.name)
	} else {
		t.name = nameOfTag(t.source[t.at+len("<") : t.end])
		if t.nesting.open(t.lexer.name, t.lexer.selfClosing) == htmlSpace {
			t.lexer.raw = rawName(t.lexer.name)
		}
		if !t.readPlainAttributes(t.source[t.at+len("<")+len(t.name) : t.end]) {
			t.readAttributes()
		}
	}
	t.lexer.sections = t.nesting.hasSections()
	return !t.nesting.isLost
}

// text returns the text before the tag without comments.
func (t *tags) text() string {
	text := t.source[t.textAt:t.at]
	if !strings.Contains(text, "<") {
		return html.UnescapeString(text)
	}
	var words strings.Builder
	tokens := html.NewTokenizer(strings.NewReader(text))
	for kind := tokens.Next(); kind != html.ErrorToken; kind = tokens.Next() {
		if kind == html.TextToken {
			words.Write(tokens.Text())
		}
	}
	return words.String()
}

// readAttributes reads the tag's attributes with [html.Tokenizer].
func (t *tags) readAttributes() {
	t.attributes, t.encoded = t.attributes[:0], false
	t.given = t.at
	t.tokenizer.Next()
	t.tokenizer.NextIsNotRawText()
	for more := true; more; {
		var name, value []byte
		name, value, more = t.tokenizer.TagAttr()
		if len(name) > 0 {
			t.attributes = append(t.attributes, attribute{string(name), string(value)})
		}
	}
}

// Read implements [io.Reader] for the tokenizer, which gets only the current tag.
func (t *tags) Read(p []byte) (int, error) {
	if t.given == t.end {
		return 0, io.EOF
	}
	n := copy(p, t.source[t.given:t.end])
	t.given += n
	return n, nil
}

// get returns the value of the tag's attribute.
func (t *tags) get(name string) (value string, has bool) {
	for _, a := range t.attributes {
		if a.name == name {
			if t.encoded && isEncoded(a.value) {
				t.decode()
				return t.get(name)
			}
			return a.value, true
		}
	}
	return "", false
}

// decode decodes the attribute values.
func (t *tags) decode() {
	if t.encoded {
		t.readAttributes()
	}
}

// leadsWithin reports whether the tag is a link within the page, or one to another query of its URL.
func (t *tags) leadsWithin() bool {
	if t.name != "a" && t.name != "area" {
		return false
	}
	return slices.ContainsFunc(t.attributes, func(a attribute) bool {
		return a.name == "href" && (strings.HasPrefix(a.value, "#") || strings.HasPrefix(a.value, "?") || t.encoded && strings.HasPrefix(a.value, "&"))
	})
}

// maxPlain bounds the attributes of a plain tag.
const maxPlain = 50

// readPlainAttributes reads the attributes of a plainly written tag, as most are, without copying
// them. It reports false for any other tag. rest is the tag after its name.
func (t *tags) readPlainAttributes(rest string) (ok bool) {
	for {
		rest = strings.TrimLeft(rest, blanks)
		end := 0
		for end < len(rest) && isPlainInName(rest[end]) {
			end++
		}
		if end == 0 {
			return rest == ">" || rest == "/>"
		}
		name := lowerASCII(rest[:end])
		rest = rest[end:]
		value := ""
		switch {
		case strings.HasPrefix(rest, "="):
			if value, rest, ok = cutPlainValue(rest[len("="):]); !ok {
				return false
			}
		case strings.HasPrefix(strings.TrimLeft(rest, blanks), "="):
			return false
		}
		if len(t.attributes) == maxPlain || slices.ContainsFunc(t.attributes, func(a attribute) bool { return a.name == name }) {
			return false
		}
		t.attributes = append(t.attributes, attribute{name, value})
		t.encoded = t.encoded || isEncoded(value)
	}
}

// cutPlainValue cuts the value off the beginning of text.
func cutPlainValue(text string) (value, after string, ok bool) {
	if text == "" {
		return "", "", false
	}
	if quote := text[0]; quote == '"' || quote == '\'' {
		end := strings.IndexByte(text[1:], quote)
		if end < 0 {
			return "", "", false
		}
		return text[1:][:end], text[1:][end+1:], true
	}
	end := strings.IndexAny(text, blanks+">")
	if end <= 0 {
		return "", "", false
	}
	return text[:end], text[end:], true
}

// blanks separate attributes.
const blanks = " \t\n\f\r"

// isEncoded reports whether decoding may change a value.
func isEncoded(value string) bool { return strings.ContainsAny(value, "&\r\x00") }

// isPlainInName reports whether c may be in an attribute name without needing the tokenizer.
func isPlainInName(c byte) bool {
	return isLetter(c) || '0' <= c && c <= '9' || strings.IndexByte("-_:.@", c) >= 0
}

// nameOfTag returns the name at the beginning of a tag, in lower case.
func nameOfTag(tag string) string {
	if end := strings.IndexAny(tag, blanks+"/>"); end >= 0 {
		tag = tag[:end]
	}
	return lowerASCII(tag)
}

// lowerASCII returns the name with ASCII letters in lower case, as in HTML.
func lowerASCII(name string) string {
	if strings.IndexFunc(name, func(c rune) bool { return 'A' <= c && c <= 'Z' }) < 0 {
		return name
	}
	letters := []byte(name)
	for i, c := range letters {
		letters[i] = lower(c)
	}
	return string(letters)
}
