package setup

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/leadwire/caddy-telecrm/page"
)

// concept is what an input asks for.
type concept string

const (
	nothing   concept = ""
	name      concept = "name"
	firstName concept = "first name"
	lastName  concept = "last name"
	phone     concept = "phone"
	email     concept = "email"
	message   concept = "message"
)

// spellings lists what the inputs for a concept are called, as [fold] writes it.
var spellings = map[concept][]string{
	name:      {"name", "fullname", "yourname", "contactname", "customername", "personname"},
	firstName: {"firstname", "fname", "givenname", "forename", "vorname", "prenom"},
	lastName:  {"lastname", "lname", "surname", "familyname", "nachname", "nom"},
	phone: {
		"phone", "tel", "telephone", "mobile", "mobileno", "mobilenumber", "phoneno", "phonenumber", "contactno", "contactnumber", "whatsapp", "whatsappnumber", "cell", "telefon", "handy",
	},
	email:   {"email", "mail", "emailaddress", "emailid", "replyto", "courriel"},
	message: {"message", "msg", "comment", "comments", "note", "notes", "remark", "remarks", "enquiry", "inquiry", "query", "question", "questions", "details", "description", "requirement", "requirements", "nachricht"},
}

// autocompletes maps words of an autocomplete attribute.
var autocompletes = map[string]concept{
	"name": name, "given-name": firstName, "family-name": lastName, "tel": phone, "tel-national": phone, "email": email,
}

// conceptOf returns what a control asks for, and what shows it.
func conceptOf(c page.InventoryControl) (asks concept, sign string) {
	words, _ := c.Attribute("autocomplete")
	for word := range strings.FieldsSeq(strings.ToLower(words)) {
		if found := autocompletes[word]; found != nothing {
			return found, `autocomplete="` + word + `"`
		}
	}
	isText := c.Type == "text" || c.Element == "textarea"
	if c.Element == "select" || !isText && typed[c.Type] == nothing {
		return nothing, ""
	}
	// Templates have a type that was copied from another input. Visitors see the label.
	if visible := byWords(namesOf(c)[1:3]); !isText && visible.asks != nothing && visible.asks != typed[c.Type] {
		return visible.asks, visible.sign
	}
	if asks := typed[c.Type]; asks != nothing {
		return asks, `type="` + c.Type + `"`
	}
	if found := byWords(namesOf(c)); found.asks != nothing {
		return found.asks, found.sign
	}
	if c.Element == "textarea" {
		return message, "textarea"
	}
	return nothing, ""
}

// typed maps types of inputs.
var typed = map[string]concept{"tel": phone, "email": email}

// meaning is what a control asks for, and what shows it.
type meaning struct {
	asks concept
	sign string
}

// byWords finds the first of the texts that names what a control asks for.
func byWords(texts []named) meaning {
	for _, at := range texts {
		for _, asks := range []concept{firstName, lastName, name, phone, email, message} {
			if slices.Contains(spellings[asks], fold(at.text)) {
				return meaning{asks, at.sign}
			}
		}
	}
	return meaning{}
}

// typeFor returns the type that an input should have instead of its own, or "".
func typeFor(c page.InventoryControl) string {
	asks, _ := conceptOf(c)
	if own := typed[c.Type]; c.Element != "input" || own == nothing || asks == own || asks == nothing {
		return ""
	}
	for kind, of := range typed {
		if of == asks {
			return kind
		}
	}
	return "text"
}

// named is a text that names a control, and where it stands.
type named struct{ text, sign string }

// namesOf lists the texts that name a control, the most reliable first.
func namesOf(c page.InventoryControl) []named {
	id, _ := c.Attribute("id")
	placeholder, _ := c.Attribute("placeholder")
	return []named{{c.Name, "name"}, {c.Label, "label"}, {c.Near, "the label before it"}, {id, "id"}, {strings.TrimRight(placeholder, " *."), "placeholder"}}
}

// usableName matches texts that can serve as a name.
var usableName = regexp.MustCompile(`^[A-Za-z][\w-]{0,39}$`)

// nameFor returns the name of a control, or one for a control that lacks it: its id, what it asks
// for, or the words near it. It returns "" if none can be found.
func nameFor(c page.InventoryControl) string {
	if c.Name != "" {
		return c.Name
	}
	if id, _ := c.Attribute("id"); usableName.MatchString(id) {
		return id
	}
	if asks, _ := conceptOf(c); asks != nothing {
		return strings.ReplaceAll(string(asks), " ", "_")
	}
	words := strings.FieldsFunc(strings.ToLower(c.Words()), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if name := strings.Join(words, "_"); usableName.MatchString(name) {
		return name
	}
	return ""
}

// fold makes spellings of a name equal, such as your-email, contact[email] and E-mail.
func fold(text string) string {
	if i := strings.LastIndexByte(text, '['); i > 0 && strings.HasSuffix(text, "]") && i < len(text)-2 {
		text = text[i:]
	}
	folded := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, text)
	for _, prefix := range []string{"please", "enter", "type", "your", "contact", "form", "input", "txt", "field", "lead", "customer"} {
		if shorter := strings.TrimPrefix(folded, prefix); shorter != "" {
			folded = shorter
		}
	}
	return folded
}
