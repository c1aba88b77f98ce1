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

// Builtin is the page for a form whose own page is not at hand: what is
// wrong, and the form again with what was typed.
type Builtin struct {
	Words    *Words    // nil for English
	Action   string    // where the form posts to
	Back     string    // the page that the form is on; empty if not known
	Code     string    // of an error about the form as a whole; may be empty
	Note     string    // the operator's own words after the message of Code; may be empty
	Controls []Control // what the visitor sees and can change
	Hidden   []Pair    // what else was sent
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
	Values       []string // what was typed or chosen
	Options      []string // for the kinds that have them
	Error        Phrase   // what to do about it; empty if it is right
}

// Kind is a way to ask.
type Kind string

// The kinds. The value of those that are an <input> is its type.
const (
	Line       Kind = "text"
	Email      Kind = "email"
	Tel        Kind = "tel"
	URL        Kind = "url"
	LongText   Kind = "textarea"
	Select     Kind = "select"
	Checkboxes Kind = "checkboxes"
)

// Value is the typed value of a control that has one.
func (c Control) Value() string {
	if len(c.Values) == 0 {
		return ""
	}
	return c.Values[len(c.Values)-1]
}

// Chosen reports whether option was chosen, in whatever case and spacing it
// was sent.
func (c Control) Chosen(option string) bool {
	fold := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	return slices.ContainsFunc(c.Values, func(v string) bool { return strings.EqualFold(fold(v), fold(option)) })
}

// IsWrong reports whether the control has an error.
func (c Control) IsWrong() bool { return !c.Error.isEmpty() }

// Failed lists the controls that have an error.
func (b Builtin) Failed() []Control {
	failed := make([]Control, 0, len(b.Controls))
	for _, c := range b.Controls {
		if c.IsWrong() {
			failed = append(failed, c)
		}
	}
	return failed
}

// Heading says what the page is for.
func (b Builtin) Heading() Phrase { return b.Words.heading(b.Code, len(b.Failed())) }

// Title is the page's title, which begins with the word for an error if there
// is one.
func (b Builtin) Title() string {
	if b.Code == codeConfirm && len(b.Failed()) == 0 {
		return b.Heading().String()
	}
	return b.Words.Text(ErrorPrefix) + " " + b.Heading().String()
}

// Style is the page's style sheet, which stands inside it.
func (Builtin) Style() template.CSS { return template.CSS(builtinStyle) }

//go:embed builtin.css
var builtinStyle string

//go:embed builtin.html
var builtinHTML string

var builtinTemplate = template.Must(template.New("builtin").Parse(builtinHTML))

// BuiltinPolicy is the Content-Security-Policy under which the page works: it
// runs no script and loads nothing. Where the form posts to, and so where the
// answer redirects to, is left open.
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
