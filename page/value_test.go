package page_test

import (
	"slices"
	"testing"

	"github.com/leadwire/caddy-telecrm/page"
)

// Browsers post the values of controls with some of their white space, and with CRLF for each line
// break. Scripts post LF.
func TestOwnRecognizesPostedValues(t *testing.T) {
	for name, test := range map[string]struct{ control, posted string }{
		"indented option":          {"<select name=a><option>None<option>&nbsp;&nbsp;Pune</select>", "\u00a0\u00a0Pune"},
		"option with wide space":   {"<select name=a><option>None<option>\u3000山田 太郎\u2003</select>", "\u3000山田 太郎\u2003"},
		"wrapped option":           {"<select name=a><option>None<option>\r\n\tNavi \f Mumbai\n</select>", "Navi Mumbai"},
		"option's value with LF":   {"<select name=a><option>None<option value='x\ny'>Pune</select>", "x\r\ny"},
		"checkbox with LF":         {"<input type=checkbox name=a value='I agree\nto calls'>", "I agree\r\nto calls"},
		"checkbox with CRLF":       {"<input type=checkbox name=a value='I agree\r\nto calls'>", "I agree\r\nto calls"},
		"radio with an escaped CR": {"<input type=radio name=a value='x&#13;y'>", "x\r\ny"},
		"checkbox by a script":     {"<input type=checkbox name=a value='I agree\nto calls'>", "I agree\nto calls"},
	} {
		t.Run(name, func(t *testing.T) {
			o := own(t, `<!doctype html><title>Contact</title><body><form method="post">`+test.control+`</form>`)
			o.Values = []page.Pair{{Name: "a", Value: test.posted}}
			doc := render(t, o)
			if chosen := slices.Concat(having(doc.root, "selected"), having(doc.root, "checked")); len(chosen) != 1 {
				t.Errorf("%d options or boxes are chosen, want 1", len(chosen))
			}
			typed, err := o.Typed(o.Values)
			if err != nil || len(typed) != 0 {
				t.Errorf("typed: %q, error %v", typed, err)
			}
		})
	}
}

// The hidden inputs of two forms tell them apart, whatever line breaks are in them.
func TestOwnComparesHiddenValuesAsPosted(t *testing.T) {
	const source = "<!doctype html><title>Contact</title><body>" +
		"<form method=post><input type=hidden name=which value='A\nfirst'><input name=phone></form>" +
		"<form method=post><input type=hidden name=which value='B\nsecond'><input name=phone></form>"
	o := own(t, source)
	o.Values = []page.Pair{{Name: "which", Value: "B\r\nsecond"}, {Name: "phone", Value: "12345"}}
	var got []string
	for _, e := range all(render(t, o).root, "input") {
		if value(e, "name") == "phone" {
			got = append(got, value(e, "value"))
		}
	}
	if !slices.Equal(got, []string{"", "12345"}) {
		t.Errorf("phones %q, want that of the second form", got)
	}
}
