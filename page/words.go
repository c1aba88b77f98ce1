// Package page shows a form's errors to the visitor who sent it.
package page

import "fmt"

// Fault is something that a visitor can correct, by its code in JSON answers.
type Fault struct {
	Code    string // such as TYPE_EMAIL
	Type    string // the field's type, such as "email"
	Label   string // what the visitor knows the field as
	Limit   string // the bound that was passed, for codes that begin with TOO_
	Choices bool   // the field has a fixed list of answers
}

// Message says in plain words what to do about f. An unknown code gets words
// that fit any field.
func Message(f Fault) string {
	label := "“" + f.Label + "”"
	if f.Label == "" {
		label = "the form"
	}
	switch f.Code {
	case "REQUIRED_FIELD_MISSING", "REQUIRED_FIELD_EMPTY":
		if f.Choices {
			return "Choose an answer for " + label + "."
		}
		return "Fill in " + label + "."
	case "TYPE_EMAIL":
		return "Enter an email address in " + label + ", like name@example.com."
	case "TYPE_PHONE":
		return "Enter a phone number in " + label + ". If it is from another country, begin with + and the country code."
	case "TYPE_NUMERIC":
		return "Enter a number in " + label + ", in digits, like 1200 or 12.5."
	case "TYPE_DATE":
		return "Enter a date in " + label + ", like 2026-03-31 or 31 March 2026."
	case "TYPE_URL":
		return "Enter a web address in " + label + ", like https://www.example.com."
	case "NOT_AN_OPTION":
		return "Choose one of the answers listed for " + label + "."
	case "PATTERN":
		return "Check " + label + ": it is not written in the way we need."
	case "TOO_SHORT", "TOO_LONG", "TOO_SMALL", "TOO_LARGE":
		return bound(f, label)
	case "REFUSED":
		return "Check " + label + ": it could not be accepted as it is."
	}
	return "Check " + label + "."
}

func bound(f Fault, label string) string {
	unit := " characters"
	if f.Type == "tags" {
		unit = " choices"
	}
	if f.Limit == "1" {
		unit = unit[:len(unit)-1]
	}
	switch f.Code {
	case "TOO_SHORT":
		return fmt.Sprintf("Give at least %s%s for %s.", f.Limit, unit, label)
	case "TOO_LONG":
		return fmt.Sprintf("Give at most %s%s for %s.", f.Limit, unit, label)
	case "TOO_SMALL":
		return fmt.Sprintf("Enter %s or more in %s.", f.Limit, label)
	}
	return fmt.Sprintf("Enter %s or less in %s.", f.Limit, label)
}

// FormMessage says what to do about an error that is about the form as a
// whole, by its code in JSON answers.
func FormMessage(code string) string {
	switch code {
	case "FORM_TOO_LARGE":
		return "What you sent is too large to be accepted. Go back, shorten it or leave the file out, and send it again."
	case "NOT_A_FORM":
		return "What was sent is not a form that can be read here. Go back to the page with the form and send it from there."
	case "MALFORMED":
		return "The form did not arrive whole. Go back and send it again."
	case "CHALLENGE":
		return "We could not check that a person sent this. Wait until the check on the page is done, or complete it, and send the form again."
	}
	switch code {
	case "FOREIGN":
		return "This form can only be sent from its own page. Go to the page with the form and send it from there."
	case "TOO_MANY":
		return "You have sent this form several times in a short time. Please wait a minute, then send it again."
	case "CONFIRM":
		return "Please look over your message once more and press send again."
	}
	return "Sorry, we could not take your message just now. Nothing is wrong with what you entered. Please send it again in a minute."
}

// Thanks says that all is well.
func Thanks() string {
	return "Thank you. We have received your message."
}
