package page_test

import (
	"bytes"
	"testing"

	"golang.org/x/net/html"

	"github.com/leadwire/caddy-telecrm/page"
)

// pairs returns the values that are written as name, value, name, value.
func pairs(written ...string) []page.Pair {
	var list []page.Pair
	for i := 0; i < len(written); i += 2 {
		list = append(list, page.Pair{Name: written[i], Value: written[i+1]})
	}
	return list
}

// Of several forms with the same action, the one that was used is filled in and gets the messages,
// wherever it is on the page.
func TestOwnFillsTheFormThatWasUsed(t *testing.T) {
	const contact = `<input name="name"><input name="phone">`
	for name, test := range map[string]struct {
		used, other string // the forms' controls
		values      []page.Pair
		withheld    []string
	}{
		"hidden value": {
			contact + `<input type="hidden" name="branch" value="pune">`,
			contact + `<input type="hidden" name="branch" value="delhi">`,
			pairs("name", "Asha", "phone", "12", "branch", "pune"), nil,
		},
		"empty hidden value": {
			contact + `<input type="hidden" name="branch">`,
			contact + `<input type="hidden" name="branch" value="delhi">`,
			pairs("name", "Asha", "phone", "12", "branch", ""), nil,
		},
		"one of several hidden values": {
			contact + `<input type="hidden" name="tag" value="a"><input type="hidden" name="tag" value="b">`,
			contact + `<input type="hidden" name="tag" value="a"><input type="hidden" name="tag" value="c">`,
			pairs("name", "Asha", "phone", "12", "tag", "a", "tag", "b"), nil,
		},
		"hidden value beside one that a script sets": {
			contact + `<input type="hidden" name="at"><input type="hidden" name="branch" value="pune">`,
			contact + `<input type="hidden" name="at"><input type="hidden" name="branch" value="delhi">`,
			pairs("name", "Asha", "phone", "12", "at", "1700000000", "branch", "pune"), nil,
		},
		"hidden input that only it has": {
			contact + `<input type="hidden" name="branch" value="pune">`, contact,
			pairs("name", "Asha", "phone", "12", "branch", "pune"), nil,
		},
		"hidden input that only the other has": {
			contact, contact + `<input type="hidden" name="branch" value="pune">`,
			pairs("name", "Asha", "phone", "12"), nil,
		},
		"hidden value in an input of another kind": {
			contact + `<input type="hidden" name="plan" value="gold">`,
			contact + `<select name="plan"><option>silver<option>basic</select>`,
			pairs("name", "Asha", "phone", "12", "plan", "gold"), nil,
		},
		"button's value": {
			contact + `<button name="for" value="visit">Visit</button>`,
			contact + `<button name="for" value="call">Call</button>`,
			pairs("name", "Asha", "phone", "12", "for", "visit"), nil,
		},
		"one of several buttons": {
			contact + `<button name="for" value="visit">Visit</button><button name="for" value="tour">Tour</button>`,
			contact + `<button name="for" value="call">Call</button><button name="for" value="mail">Mail</button>`,
			pairs("name", "Asha", "phone", "12", "for", "tour"), nil,
		},
		"button's name": {
			contact + `<input type="submit" name="visit" value="Send">`,
			contact + `<input type="submit" name="call" value="Send">`,
			pairs("name", "Asha", "phone", "12", "visit", "Send"), nil,
		},
		"button without a name": {
			contact + `<button>Send</button>`,
			contact + `<button name="for" value="call">Call</button>`,
			pairs("name", "Asha", "phone", "12"), nil,
		},
		"image button": {
			contact + `<input type="image" name="go" alt="Send">`, contact + `<button name="for" value="call">Call</button>`,
			pairs("name", "Asha", "phone", "12", "go.x", "3", "go.y", "4"), nil,
		},
		"field that only it has": {
			contact + `<input name="email">`, contact,
			pairs("name", "Asha", "phone", "12", "email", ""), nil,
		},
		"field that only the other has": {
			contact, contact + `<input name="email">`,
			pairs("name", "Asha", "phone", "12"), nil,
		},
		"other field": {
			contact + `<textarea name="message"></textarea>`, contact + `<input name="email">`,
			pairs("name", "Asha", "phone", "12", "message", ""), nil,
		},
		"many radio buttons in the other": {
			contact + `<input name="email">`,
			contact + `<input type="radio" name="at" value="1"><input type="radio" name="at" value="2"><input type="radio" name="at" value="3">`,
			pairs("name", "Asha", "phone", "12", "email", ""), nil,
		},
		"options of a list": {
			contact + `<select name="city"><option>Pune<option>Nashik</select>`,
			contact + `<select name="city"><option>Delhi<option>Agra</select>`,
			pairs("name", "Asha", "phone", "12", "city", "Nashik"), nil,
		},
		"values of options": {
			contact + `<select name="city"><option value="p">City<option value="n">Town</select>`,
			contact + `<select name="city"><option value="d">City<option value="a">Town</select>`,
			pairs("name", "Asha", "phone", "12", "city", "n"), nil,
		},
		"radio buttons": {
			contact + `<input type="radio" name="plan" value="gold"><input type="radio" name="plan" value="silver">`,
			contact + `<input type="radio" name="plan" value="basic"><input type="radio" name="plan" value="free">`,
			pairs("name", "Asha", "phone", "12", "plan", "silver"), nil,
		},
		"checkbox": {
			contact + `<input type="checkbox" name="plan" value="gold">`, contact + `<input type="checkbox" name="plan" value="basic">`,
			pairs("name", "Asha", "phone", "12", "plan", "gold"), nil,
		},
		"text that is there already": {
			contact + `<input name="course" value="MBA" readonly>`, contact + `<input name="course" value="BBA" readonly>`,
			pairs("name", "Asha", "phone", "12", "course", "MBA"), nil,
		},
		"controls outside of the form": {
			contact + `</form><form id="else" action="/search"><input type="hidden" name="branch" value="pune" form="used">`,
			contact + `</form><form action="/search"><input type="hidden" name="branch" value="delhi" form="other">`,
			pairs("name", "Asha", "phone", "12", "branch", "pune"), nil,
		},
		"disabled hidden input": {
			contact + `<input type="hidden" name="branch" value="delhi" disabled><input type="hidden" name="branch" value="pune">`,
			contact + `<input type="hidden" name="branch" value="delhi"><input type="hidden" name="branch" value="pune" disabled>`,
			pairs("name", "Asha", "phone", "12", "branch", "pune"), nil,
		},
		"trap": {
			contact + `<input name="website">`, contact,
			pairs("name", "Asha", "phone", "12"),
			[]string{"website"},
		},
		"file": {
			contact + `<input type="file" name="plan">`, contact,
			pairs("name", "Asha", "phone", "12"),
			[]string{"plan"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			used := `<form id="used" method="post" action="/contact">` + test.used + `</form>`
			other := `<form method="post" action="/contact">` + test.other + `</form>`
			first := `<form id="other" method="post" action="/contact">` + test.other + `</form>`
			for order, forms := range map[string]string{
				"first": used + first + other, "second": first + used + other, "third": first + other + used,
			} {
				o := own(t, `<!doctype html><title>Contact</title><body>`+forms)
				o.Values, o.Withheld = test.values, test.withheld
				o.Problems = []page.Problem{missing("phone")}
				if got := markedForm(t, o); got != "used" {
					t.Errorf("used form is the %s: filled in is %q", order, got)
				}
			}
		})
	}
}

// Of forms that only their position tells apart, the first visible one is filled in.
func TestOwnFillsTheFirstOfEqualForms(t *testing.T) {
	const contact = `method="post" action="/contact"><input name="phone"></form>`
	for name, test := range map[string]struct{ forms, want string }{
		"equal":            {`<form id="a" ` + contact + `<form id="b" ` + contact, "a"},
		"first is hidden":  {`<div hidden><form id="a" ` + contact + `</div><form id="b" ` + contact, "b"},
		"second is hidden": {`<form id="a" ` + contact + `<div hidden><form id="b" ` + contact + `</div>`, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			o := own(t, `<!doctype html><title>Contact</title><body>`+test.forms)
			o.Values = pairs("phone", "12")
			o.Problems = []page.Problem{missing("phone")}
			if got := markedForm(t, o); got != test.want {
				t.Errorf("filled in is %q, want %q", got, test.want)
			}
		})
	}
}

// markedForm returns the id of the form with the error.
func markedForm(t *testing.T, o page.Own) string {
	t.Helper()
	answer, err := o.Render()
	if err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(bytes.NewReader(answer))
	if err != nil {
		t.Fatal(err)
	}
	id := "none"
	for n := range root.Descendants() {
		if n.Type != html.ElementNode || n.Data != "input" || attributeOf(n, "aria-invalid") == "" {
			continue
		}
		for up := range n.Ancestors() {
			if up.Data == "form" {
				id = attributeOf(up, "id")
			}
		}
	}
	return id
}

func attributeOf(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
