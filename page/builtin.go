package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"slices"
	"strings"
)

// Builtin is the page for a form whose own page is not available: the errors, and the form again
// with the visitor's input.
type Builtin struct {
	Words    *Words    // nil for English
	Action   string    // the URL that the form posts to
	Back     string    // the URL of the form's page; empty if unknown
	Code     string    // of an error about the whole form; may be empty
	Detail   Detail    // more about that error
	Note     string    // the operator's text after the message of Code; may be empty
	Controls []Control // the visible controls of the form
	Hidden   []Pair    // other posted values
	// IsSwapped means that a script puts the page's body into another page, where nothing of the head
	// arrives but the title. Without controls, the body is put before what is there.
	IsSwapped bool
}

// Pair is a name and a value.
type Pair struct{ Name, Value string }

// Control is one question of the form.
type Control struct {
	ID       string
	Name     string
	Label    string
	Kind     Kind
	Required bool
	// Autocomplete is the HTML autocomplete token; may be empty.
	Autocomplete string
	Values       []string // typed or chosen values
	Options      []string // for kinds with options
	Error        Phrase   // what to do about it; empty if valid
}

// Kind is a type of control.
type Kind string

// The kinds. For an <input>, the kind is its type.
const (
	Line       Kind = "text"
	Email      Kind = "email"
	Tel        Kind = "tel"
	URL        Kind = "url"
	LongText   Kind = "textarea"
	Select     Kind = "select"
	Checkboxes Kind = "checkboxes"
)

// Value returns the last value, or "".
func (c Control) Value() string {
	if len(c.Values) == 0 {
		return ""
	}
	return c.Values[len(c.Values)-1]
}

// Chosen reports whether option was chosen, regardless of case and spacing.
func (c Control) Chosen(option string) bool {
	fold := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	return slices.ContainsFunc(c.Values, func(v string) bool { return strings.EqualFold(fold(v), fold(option)) })
}

// IsWrong reports whether the control has an error.
func (c Control) IsWrong() bool { return !c.Error.isEmpty() }

// Failed returns the controls with an error.
func (b Builtin) Failed() []Control {
	return slices.DeleteFunc(slices.Clone(b.Controls), func(c Control) bool { return !c.IsWrong() })
}

// Heading returns the page's heading.
func (b Builtin) Heading() Phrase { return b.Words.heading(b.Code, len(b.Failed())) }

// Title returns the page's title, which begins with the word for an error if there is one.
func (b Builtin) Title() string {
	if b.Code == codeConfirm && len(b.Failed()) == 0 {
		return b.Heading().String()
	}
	return b.Words.Text(ErrorPrefix) + " " + b.Heading().String()
}

// Style returns the page's embedded style sheet.
func (Builtin) Style() template.CSS { return template.CSS(builtinStyle) }

//go:embed builtin.css
var builtinStyle string

//go:embed builtin.html
var builtinHTML string

var builtinTemplate = template.Must(template.New("builtin").Parse(builtinHTML))

// BuiltinPolicy returns the Content-Security-Policy of the page. It allows no scripts and no
// external resources. It does not restrict where the form posts to, or where the response redirects
// to.
func BuiltinPolicy() string { return builtinPolicy }

var builtinPolicy = "default-src 'none'; style-src 'sha256-" + styleHash() + "'; base-uri 'none'"

func styleHash() string {
	sum := sha256.Sum256([]byte(builtinStyle))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Write writes the page to w.
func (b Builtin) Write(w io.Writer) error {
	if b.Words == nil {
		b.Words = Shipped().For()
	}
	var html bytes.Buffer
	if err := builtinTemplate.Execute(&html, b); err != nil {
		return err
	}
	_, err := w.Write(bytes.ReplaceAll(html.Bytes(), []byte("{{"), []byte(escapedBraces)))
	return err
}
