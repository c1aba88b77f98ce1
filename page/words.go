// Package page shows a form's errors to the visitor who sent it.
package page

import (
	"strconv"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// Key names a text in a message file. Besides these constants, each code of a
// fault or of an error about the form as a whole is one, mostly.
type Key string

// The keys of texts that stand by themselves.
const (
	Heading        Key = "heading"         // of the summary of what is wrong
	HeadingConfirm Key = "heading_confirm" // the same, where nothing is wrong: the form is only to be sent again
	ErrorPrefix    Key = "error"           // before each message, and before the title of a page with errors
	Optional       Key = "optional"        // behind the label of what may be left empty
	SendAgain      Key = "send_again"      // on the button
	Back           Key = "back"            // the link to the page with the form
	Thanked        Key = "thanks"          // when all is well
	TrapLabel      Key = "trap_label"      // of the input that only a machine fills in
)

// codeConfirm is the one code that finds nothing wrong: the form is to be
// sent once more.
const codeConfirm = "CONFIRM"

// Fault is something that a visitor can correct, by its code in JSON answers.
type Fault struct {
	Code    string // such as TYPE_EMAIL
	Type    string // the field's type, such as "email"
	Label   string // what the visitor knows the field as
	Limit   string // the bound that was passed, for codes that begin with TOO_
	Choices bool   // the field has a fixed list of answers
}

// key is that of the text about f, which for an unknown code is one that fits
// any field.
func (f Fault) key() Key {
	if f.Label == "" {
		return "CHECK_ALL"
	}
	switch f.Code {
	case "REQUIRED_FIELD_MISSING", "REQUIRED_FIELD_EMPTY":
		if f.Choices {
			return "REQUIRED_CHOICE"
		}
		return "REQUIRED"
	case "TOO_SHORT":
		if f.Type == "tags" {
			return "TOO_FEW_CHOICES"
		}
	case "TOO_LONG":
		if f.Type == "tags" {
			return "TOO_MANY_CHOICES"
		}
	case "TYPE_EMAIL", "TYPE_PHONE", "TYPE_NUMERIC", "TYPE_DATE", "TYPE_URL", "NOT_AN_OPTION", "PATTERN", "TOO_SMALL", "TOO_LARGE", "REFUSED":
	default:
		return "OTHER"
	}
	return Key(f.Code)
}

// formKey is that of the text about the form as a whole.
func formKey(code string) Key {
	switch code {
	case "FORM_TOO_LARGE", "NOT_A_FORM", "MALFORMED", "TOO_MANY", codeConfirm, "FOREIGN", "CHALLENGE":
		return Key(code)
	}
	return "UNAVAILABLE"
}

// Words are what visitors are told in one language. They do not change, and
// many goroutines may use them at once.
type Words struct {
	language language.Tag
	texts    map[Key]text
}

// Tag is the language's BCP 47 tag, such as "hi".
func (w *Words) Tag() string { return w.language.String() }

// Dir is the direction that the language is written in, "ltr" or "rtl".
func (w *Words) Dir() string { return direction(w.language) }

// Text is what the key says; "" if there is no such key.
func (w *Words) Text(key Key) string { return w.Say(key).String() }

// Message says in plain words what to do about f. An unknown code gets words
// that fit any field, and a fault without a label ones that fit any form.
// Where the label or the words run from right to left, the label is set apart
// by Unicode's isolates, which do not show
// (https://www.unicode.org/reports/tr9/#Explicit_Directional_Isolates).
func (w *Words) Message(f Fault) string { return w.SayFault(f).String() }

// FormMessage says what to do about an error that is about the form as a
// whole, by its code in JSON answers. For an unknown code it takes the blame.
func (w *Words) FormMessage(code string) string { return w.SayForm(code).String() }

// Thanks says that all is well.
func (w *Words) Thanks() string { return w.Text(Thanked) }

// Say is [Words.Text] for a page.
func (w *Words) Say(key Key) Phrase { return w.phrase(w.texts[key], nil) }

// SayForm is [Words.FormMessage] for a page.
func (w *Words) SayForm(code string) Phrase { return w.Say(formKey(code)) }

// SayFault is [Words.Message] for a page.
func (w *Words) SayFault(f Fault) Phrase {
	return w.phrase(w.counted(f.key(), f.Limit), map[string]string{"label": f.Label, "limit": f.Limit})
}

// heading is that of the summary of what is to be done.
func (w *Words) heading(code string, problems int) Phrase {
	if code == codeConfirm && problems == 0 {
		return w.Say(HeadingConfirm)
	}
	return w.Say(Heading)
}

// counted is the text in the plural form that n needs: "TOO_LONG.one" before
// "TOO_LONG", for one.
func (w *Words) counted(key Key, n string) text {
	whole := w.texts[key]
	count, err := strconv.Atoi(n)
	if err != nil {
		return whole
	}
	form := pluralForms[plural.Cardinal.MatchPlural(whole.language, max(count, -count), 0, 0, 0, 0)]
	if own, has := w.texts[key+Key("."+form)]; has {
		return own
	}
	return whole
}

// pluralForms are CLDR's names of those that a text may have besides the one
// for all others (https://cldr.unicode.org/index/cldr-spec/plural-rules).
var pluralForms = map[plural.Form]string{plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many"}

// direction is the one that the language is written in, which its script
// decides.
func direction(tag language.Tag) string {
	script, _ := tag.Script()
	switch script.String() {
	case "Adlm", "Arab", "Aran", "Hebr", "Mand", "Mend", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa":
		return "rtl"
	}
	return "ltr"
}
