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
	switch c.Type {
	case "tel":
		return phone, `type="tel"`
	case "email":
		return email, `type="email"`
	}
	if c.Element == "select" || c.Type != "text" && c.Element != "textarea" {
		return nothing, ""
	}
	for _, at := range namesOf(c) {
		for _, asks := range []concept{firstName, lastName, name, phone, email, message} {
			if slices.Contains(spellings[asks], fold(at.text)) {
				return asks, at.sign
			}
		}
	}
	if c.Element == "textarea" {
		return message, "textarea"
	}
	return nothing, ""
}

// named is a text that names a control, and where it stands.
type named struct{ text, sign string }

// namesOf lists the texts that name a control, the most reliable first.
func namesOf(c page.InventoryControl) []named {
	id, _ := c.Attribute("id")
	placeholder, _ := c.Attribute("placeholder")
	return []named{{c.Name, "name"}, {c.Label, "label"}, {id, "id"}, {strings.TrimRight(placeholder, " *."), "placeholder"}}
}

// usableName matches ids that can serve as a name.
var usableName = regexp.MustCompile(`^[A-Za-z][\w-]*$`)

// nameFor returns the name of a control, or one for a control that lacks it: its id, or what it asks
// for. It returns "" if neither is known.
func nameFor(c page.InventoryControl) string {
	if c.Name != "" {
		return c.Name
	}
	if id, _ := c.Attribute("id"); usableName.MatchString(id) {
		return id
	}
	asks, _ := conceptOf(c)
	return strings.ReplaceAll(string(asks), " ", "_")
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
