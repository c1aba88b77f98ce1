// Package page shows a form's errors to the visitor.
package page

import (
	"strconv"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// Key names a text in a message file. Most codes of faults and of errors about the whole form are
// keys too.
type Key string

// Keys of texts that are not about an error.
const (
	Heading        Key = "heading"         // of the summary of errors
	HeadingConfirm Key = "heading_confirm" // of the summary without errors, when the form only has to be sent again
	ErrorPrefix    Key = "error"           // before each message, and before the title of a page with errors
	Optional       Key = "optional"        // after the label of an optional control
	SendAgain      Key = "send_again"      // on the button
	Back           Key = "back"            // link to the form's page
	Thanked        Key = "thanks"          // after a successful post
	TrapLabel      Key = "trap_label"      // of the trap input
)

// codeConfirm is the only code without an error: the form has to be sent once more.
const codeConfirm = "CONFIRM"

// Fault is an error that a visitor can correct. Its code is that of JSON responses.
type Fault struct {
	Code    string // such as TYPE_EMAIL
	Type    string // the field's type, such as "email"
	Label   string // the visitor's name for the field
	Limit   string // the violated bound, for codes that begin with TOO_
	Choices bool   // the field has a fixed list of options
}

// key returns the key of the text about f. For an unknown code, the text fits any field.
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
	case "TYPE_EMAIL", "TYPE_PHONE", "PHONE_TOO_SHORT", "PHONE_TOO_LONG", "PHONE_SEVERAL", "PHONE_WORDS", "TYPE_NUMERIC", "TYPE_DATE",
		"TYPE_URL", "NOT_AN_OPTION", "PATTERN", "TOO_SMALL", "TOO_LARGE", "REFUSED":
	default:
		return "OTHER"
	}
	return Key(f.Code)
}

// Detail is more about an error of the whole form.
type Detail struct {
	Wait    time.Duration // how long to wait before sending the form again; 0 if unknown
	HasFile bool          // a file was sent, which may be why the form is too large
}

// formKey returns the key of the text about the whole form, and the number in it.
func formKey(code string, d Detail) (key Key, limit string) {
	switch code {
	case "TOO_MANY":
		return d.waitKey()
	case "FORM_TOO_LARGE":
		if d.HasFile {
			return "FORM_TOO_LARGE_FILE", ""
		}
		return "FORM_TOO_LARGE", ""
	case "NOT_A_FORM", "MALFORMED", codeConfirm, "FOREIGN", "CHALLENGE":
		return Key(code), ""
	}
	return "UNAVAILABLE", ""
}

// waitKey chooses a unit in which the number is small, and rounds up.
func (d Detail) waitKey() (key Key, limit string) {
	const mostMinutes = 90
	in := func(unit time.Duration) string { return strconv.FormatInt(int64((d.Wait+unit-1)/unit), 10) }
	switch {
	case d.Wait <= 0:
		return "TOO_MANY", ""
	case d.Wait <= time.Minute-time.Second:
		return "TOO_MANY_SECONDS", in(time.Second)
	case d.Wait <= mostMinutes*time.Minute:
		return "TOO_MANY_MINUTES", in(time.Minute)
	}
	return "TOO_MANY_HOURS", in(time.Hour)
}

// Words are the texts of one language. They are immutable and safe for concurrent use.
type Words struct {
	language language.Tag
	texts    map[Key]text
}

// Tag returns the language's BCP 47 tag, such as "hi".
func (w *Words) Tag() string { return w.language.String() }

// Dir returns the direction of the language, "ltr" or "rtl".
func (w *Words) Dir() string { return direction(w.language) }

// Text returns the text of the key, or "" for an unknown key.
func (w *Words) Text(key Key) string { return w.Say(key).String() }

// Message returns what to do about f. For an unknown code the text fits any field, and without a
// label it fits any form. If the label or the text is right-to-left, the label is isolated with
// invisible Unicode characters
// (https://www.unicode.org/reports/tr9/#Explicit_Directional_Isolates).
func (w *Words) Message(f Fault) string { return w.SayFault(f).String() }

// FormMessage returns what to do about an error of the whole form, by its code in JSON responses.
// For an unknown code it apologizes.
func (w *Words) FormMessage(code string, d Detail) string { return w.SayForm(code, d).String() }

// Thanks returns the text after a successful post.
func (w *Words) Thanks() string { return w.Text(Thanked) }

// Say is [Words.Text] for a page.
func (w *Words) Say(key Key) Phrase { return w.phrase(w.texts[key], nil) }

// SayForm is [Words.FormMessage] for a page.
func (w *Words) SayForm(code string, d Detail) Phrase {
	key, limit := formKey(code, d)
	return w.phrase(w.counted(key, limit), map[string]string{"limit": limit})
}

// shortForm ends the keys of texts that stand beside their input, which names the field.
const shortForm = "short"

// SayShort is [Words.SayFault] for a place beside the input, where a long sentence may have to fit
// into a narrow column. The summary has the whole text.
func (w *Words) SayShort(f Fault) Phrase {
	short, has := w.texts[f.key()+"."+shortForm]
	if !has {
		return w.SayFault(f)
	}
	return w.phrase(short, map[string]string{"label": f.Label, "limit": f.Limit})
}

// SayFault is [Words.Message] for a page.
func (w *Words) SayFault(f Fault) Phrase {
	return w.phrase(w.counted(f.key(), f.Limit), map[string]string{"label": f.Label, "limit": f.Limit})
}

// heading returns the heading of the summary.
func (w *Words) heading(code string, problems int) Phrase {
	if code == codeConfirm && problems == 0 {
		return w.Say(HeadingConfirm)
	}
	return w.Say(Heading)
}

// counted returns the text in the plural form for n: for one, "TOO_LONG.one" before "TOO_LONG".
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

// pluralForms are CLDR's names of the plural forms that a text may have besides "other"
// (https://cldr.unicode.org/index/cldr-spec/plural-rules).
var pluralForms = map[plural.Form]string{plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many"}

// direction returns the direction of the language's script.
func direction(tag language.Tag) string {
	script, _ := tag.Script()
	switch script.String() {
	case "Adlm", "Arab", "Aran", "Hebr", "Mand", "Mend", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa":
		return "rtl"
	}
	return "ltr"
}
