package page

import (
	"io"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// tokens goes through a page token by token.
//
// Tags that are written plainly, of which a page has most, it reads itself,
// because that takes no copy of them. Whatever else can be in a page, from
// scripts to tags that are written oddly, it leaves to [html.Tokenizer], which
// gets to see nothing but that.
type tokens struct {
	source     string
	at, end    int    // where the token begins and ends
	name       string // of a tag, in small letters
	attributes []attribute
	encoded    bool // the attributes' values have yet to be decoded

	odd   *html.Tokenizer
	isOdd bool // odd is not done with what it has read
	given int  // how far odd has read
}

func newTokens(source string) *tokens {
	t := &tokens{source: source}
	t.odd = html.NewTokenizer(t)
	return t
}

// next takes the next token, the last of which is an [html.ErrorToken].
func (t *tokens) next() html.TokenType {
	t.at = t.end
	t.attributes, t.encoded = t.attributes[:0], false
	if t.isOdd {
		return t.readOdd()
	}
	if t.at == len(t.source) {
		return html.ErrorToken
	}
	if t.end += lengthOfText(t.source[t.at:]); t.end > t.at {
		return html.TextToken
	}
	if kind, ok := t.readPlain(); ok {
		return kind
	}
	t.given = t.at
	return t.readOdd()
}

// readOdd has the tokenizer take the next token.
func (t *tokens) readOdd() html.TokenType {
	kind := t.odd.Next()
	t.end = t.at + len(t.odd.Raw())
	t.isOdd = len(t.odd.Buffered()) > 0
	switch kind {
	case html.StartTagToken, html.SelfClosingTagToken:
		t.name = nameOfTag(t.source[t.at+len("<") : t.end])
		t.isOdd = t.isOdd || beginsRawText(t.name)
		t.readAttributes()
	case html.EndTagToken:
		t.name = nameOfTag(t.source[t.at+len("</") : t.end])
	case html.ErrorToken, html.TextToken, html.CommentToken, html.DoctypeToken:
	}
	return kind
}

// Read gives the tokenizer what is up to the next ">", which is where
// everything ends that is left to it. So it takes nothing that follows.
func (t *tokens) Read(p []byte) (int, error) {
	rest := t.source[t.given:]
	if rest == "" {
		return 0, io.EOF
	}
	rest = rest[:min(len(rest), len(p))]
	if end := strings.IndexByte(rest, '>'); end >= 0 {
		rest = rest[:end+1]
	}
	t.given += len(rest)
	return copy(p, rest), nil
}

func (t *tokens) readAttributes() {
	t.attributes, t.encoded = t.attributes[:0], false
	for more := true; more; {
		var name, value []byte
		name, value, more = t.odd.TagAttr()
		if len(name) > 0 {
			t.attributes = append(t.attributes, attribute{string(name), string(value)})
		}
	}
}

// get returns the value of the tag's attribute.
func (t *tokens) get(name string) (value string, has bool) {
	for _, a := range t.attributes {
		if a.name == name {
			if t.encoded && isEncoded(a.value) {
				return t.decoded().get(name)
			}
			return a.value, true
		}
	}
	return "", false
}

// decoded is t with its attributes' values decoded.
func (t *tokens) decoded() *tokens {
	if t.encoded {
		t.given = t.at
		t.odd.Next()
		t.readAttributes()
	}
	return t
}

// notRaw says that what follows the tag is no raw text.
func (t *tokens) notRaw() {
	t.odd.NextIsNotRawText()
	t.isOdd = len(t.odd.Buffered()) > 0
}

// text is the text of the token.
func (t *tokens) text() string { return html.UnescapeString(t.source[t.at:t.end]) }

// lengthOfText is where the first tag, or the like, begins.
func lengthOfText(source string) int {
	for at := 0; ; at++ {
		begin := strings.IndexByte(source[at:], '<')
		if begin < 0 {
			return len(source)
		}
		at += begin
		if rest := source[at+1:]; rest != "" && (isLetter(rest[0]) || strings.IndexByte("/!?", rest[0]) >= 0) {
			return at
		}
	}
}

// beginsRawText reports whether there are no tags in the element.
func beginsRawText(name string) bool { return name == "textarea" || isRaw(name) }

// readPlain reads the tag that begins here, if it is written plainly.
func (t *tokens) readPlain() (kind html.TokenType, ok bool) {
	rest := t.source[t.at+len("<"):]
	if strings.HasPrefix(rest, "/") {
		t.name = nameOfTag(rest[len("/"):])
		t.end = t.at + len("</") + len(t.name) + len(">")
		return html.EndTagToken, t.name != "" && isLetter(t.name[0]) && t.end <= len(t.source) && t.source[t.end-1] == '>'
	}
	if !isLetter(rest[0]) {
		return 0, false
	}
	t.name = nameOfTag(rest)
	if beginsRawText(t.name) {
		return 0, false
	}
	rest, ok = t.readPlainAttributes(rest[len(t.name):])
	if !ok {
		return 0, false
	}
	kind = html.StartTagToken
	if strings.HasPrefix(rest, "/") {
		kind, rest = html.SelfClosingTagToken, rest[len("/"):]
	}
	t.end = len(t.source) - len(rest) + len(">")
	return kind, strings.HasPrefix(rest, ">")
}

// maxPlain is how many attributes a plain tag may have.
const maxPlain = 50

// readPlainAttributes takes off rest the attributes that it begins with.
func (t *tokens) readPlainAttributes(rest string) (after string, ok bool) {
	for {
		rest = strings.TrimLeft(rest, blanks)
		end := 0
		for end < len(rest) && isPlainInName(rest[end]) {
			end++
		}
		if end == 0 || end == len(rest) {
			return rest[end:], end == 0
		}
		name := small(rest[:end])
		rest = rest[end:]
		value := ""
		switch {
		case rest[0] == '=':
			if value, rest, ok = cutPlainValue(rest[len("="):]); !ok {
				return "", false
			}
		case strings.HasPrefix(strings.TrimLeft(rest, blanks), "="):
			return "", false
		}
		if len(t.attributes) == maxPlain || slices.ContainsFunc(t.attributes, func(a attribute) bool { return a.name == name }) {
			return "", false
		}
		t.attributes = append(t.attributes, attribute{name, value})
		t.encoded = t.encoded || isEncoded(value)
	}
}

// cutPlainValue takes off text the value that it begins with.
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

// isEncoded reports whether a value that is written so may be another.
func isEncoded(value string) bool { return strings.ContainsAny(value, "&\r\x00") }

// isPlainInName reports whether a name of an attribute may hold c without
// being odd.
func isPlainInName(c byte) bool {
	return isLetter(c) || '0' <= c && c <= '9' || strings.IndexByte("-_:.@", c) >= 0
}

// nameOfTag is the name that a tag begins with, in small letters.
func nameOfTag(tag string) string {
	if end := strings.IndexAny(tag, blanks+"/>"); end >= 0 {
		tag = tag[:end]
	}
	return small(tag)
}

// small has the letters of ASCII small, as HTML has it.
func small(name string) string {
	if strings.IndexFunc(name, func(c rune) bool { return 'A' <= c && c <= 'Z' }) < 0 {
		return name
	}
	letters := []byte(name)
	for i, c := range letters {
		letters[i] = lower(c)
	}
	return string(letters)
}
