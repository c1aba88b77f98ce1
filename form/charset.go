package form

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
)

// charsetInput is the input in which a browser names the encoding of the form
// (https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#attr-fe-name-charset).
const charsetInput = "_charset_"

// charset is an encoding that a form may be in. The zero value is UTF-8.
type charset struct {
	name     string
	encoding encoding.Encoding
}

// windows1252 is the fallback for undeclared text that is not UTF-8. On the web, "ISO-8859-1" and
// "US-ASCII" mean windows-1252 too.
var windows1252 = charset{"windows-1252", charmap.Windows1252}

// charsetOf returns the encoding for a label, as browsers read it. It reports false for an unknown
// label and for encodings that browsers do not send forms in.
func charsetOf(label string) (c charset, known bool) {
	if label == "" {
		return charset{}, false
	}
	c.encoding, _ = htmlindex.Get(label)
	if c.encoding == nil {
		return charset{}, false
	}
	c.name, _ = htmlindex.Name(c.encoding)
	switch c.name {
	case "utf-8":
		return charset{}, true
	case "", "utf-16be", "utf-16le", "replacement", "x-user-defined":
		return charset{}, false
	}
	return c, true
}

// declaredCharset returns the encoding that a Content-Type header declares. It ignores an unknown
// one, because the text may well be readable without it.
func declaredCharset(params map[string]string) (charset, error) {
	label := params["charset"]
	if folded := strings.ToLower(label); strings.HasPrefix(folded, "utf-16") || strings.HasPrefix(folded, "utf-32") {
		return charset{}, fmt.Errorf("%w: the charset is %.8q; serve the page with the form as UTF-8", ErrUnsupported, folded)
	}
	declared, _ := charsetOf(label)
	return declared, nil
}

// isUTF8 reports whether text that is declared to be in c is really UTF-8. Many programs declare
// "ISO-8859-1" for everything they send, and windows-1252 text is almost never valid UTF-8 by
// chance. Text in other encodings can be, so their declaration stands.
func (c charset) isUTF8(text string) bool {
	return (c.encoding == nil || c.name == windows1252.name) && utf8.ValidString(text)
}

// decode returns the text in UTF-8, and the encoding that it was in. It reads text that is not
// valid in c as UTF-8, or else as windows-1252.
func (c charset) decode(text string) (decoded string, in charset) {
	if c.isUTF8(text) {
		return text, charset{}
	}
	if c.encoding != nil {
		decoded, err := c.encoding.NewDecoder().String(text)
		if err == nil && !strings.ContainsRune(decoded, utf8.RuneError) {
			return resolveReferences(decoded), c
		}
	}
	if utf8.ValidString(text) {
		return text, charset{}
	}
	decoded, _ = windows1252.encoding.NewDecoder().String(text)
	return resolveReferences(decoded), windows1252
}

var reference = regexp.MustCompile(`&#[0-9]{3,7};`)

// resolveReferences restores characters that the browser sent as "&#8377;" because the form's
// encoding lacks them.
func resolveReferences(text string) string {
	if !strings.Contains(text, "&#") {
		return text
	}
	return reference.ReplaceAllStringFunc(text, func(ref string) string {
		r, err := strconv.ParseInt(ref[len("&#"):len(ref)-len(";")], 10, 32)
		if err != nil || r < utf8.RuneSelf || !utf8.ValidRune(rune(r)) {
			return ref
		}
		return string(rune(r))
	})
}

// decode converts the collected form to UTF-8. It calls pageCharset, which returns the charset of
// the form's page, only if the request does not declare one and the form is not UTF-8.
func (c *collector) decode(pageCharset func(*Form) string) error {
	declared := c.declared
	if named, known := charsetOf(c.form.First(charsetInput)); known && named.encoding != nil {
		declared = named
	}
	if declared.encoding == nil && c.isPlain() {
		return c.checkDecoded()
	}
	raw := c.form
	if declared.encoding == nil && !c.isUTF8() {
		declared = windows1252
		guess := raw.decoded(declared, c.sent)
		if pageCharset != nil {
			if named, known := charsetOf(pageCharset(&guess)); known && named.encoding != nil {
				declared = named
			}
		}
	}
	c.form = raw.decoded(declared, c.sent)
	return c.checkDecoded()
}

// isPlain reports whether the whole form is UTF-8, and nothing declares another encoding.
func (c *collector) isPlain() bool {
	hasOwn := slices.ContainsFunc(c.sent, func(v sentValue) bool { return v.own.encoding != nil })
	return !hasOwn && len(c.form.Skipped) == 0 && c.isUTF8()
}

// isUTF8 reports whether the whole form is UTF-8, except values that declare their own encoding.
func (c *collector) isUTF8() bool {
	for i, entry := range c.form.Entries {
		if !utf8.ValidString(entry.Name) || c.sent[i].own.encoding == nil && !utf8.ValidString(entry.Value) {
			return false
		}
	}
	return utf8.ValidString(strings.Join(c.form.Files, "")) && utf8.ValidString(strings.Join(c.form.TooLong, ""))
}

// decoded returns the form in UTF-8. sent are the values of its entries.
func (f Form) decoded(declared charset, sent []sentValue) Form {
	decoded := Form{Cut: f.Cut, Charset: f.Charset}
	read := func(text string, as charset) string {
		plain, in := as.decode(text)
		if plain != text {
			decoded.Charset = in.name
		}
		return plain
	}
	for i, entry := range f.Entries {
		own := sent[i].own
		if own.encoding == nil {
			own = declared
		}
		decoded.Entries = append(decoded.Entries, Entry{Name: read(entry.Name, declared), Value: read(entry.Value, own)})
	}
	for _, entry := range f.Skipped {
		decoded.Skipped = append(decoded.Skipped, Entry{Name: read(entry.Name, declared), Value: read(entry.Value, declared)})
	}
	for _, name := range f.Files {
		decoded.Files = append(decoded.Files, read(name, declared))
	}
	for _, name := range f.TooLong {
		decoded.TooLong = append(decoded.TooLong, read(name, declared))
	}
	return decoded
}

// checkDecoded applies the limits to the decoded form, which may be longer.
func (c *collector) checkDecoded() error {
	all := c.form.Entries
	c.form.Entries = all[:0]
	for i, entry := range all {
		switch isLong := c.limits.isLong(entry.Value); {
		case (isLong || len(entry.Name) > c.limits.Name) && !c.needs(entry.Name):
			if err := c.skip(entry.Name, entry.Value); err != nil {
				return err
			}
			continue
		case len(entry.Name) > c.limits.Name:
			c.form.Cut = true
			return c.nameTooLong()
		case isLong && !c.limits.isLong(c.sent[i].text):
			c.form.TooLong = append(c.form.TooLong, entry.Name)
			c.tooLong = c.valueTooLong()
		}
		c.form.Entries = append(c.form.Entries, entry)
	}
	for i, name := range c.form.Files {
		if len(name) > c.limits.Name {
			c.form.Files[i] = cut(name, c.limits.Name)
		}
	}
	return nil
}
