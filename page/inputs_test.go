package page_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/page"
)

func TestOwnInputs(t *testing.T) {
	for name, test := range map[string]struct {
		form string
		want []page.Input
	}{
		"text":       {`<input name="phone">`, []page.Input{{Name: "phone", Type: "text", IsShown: true}}},
		"tel":        {`<input name="mobile" type="TEL">`, []page.Input{{Name: "mobile", Type: "tel", IsShown: true}}},
		"textarea":   {`<textarea name="note">a</textarea>`, []page.Input{{Name: "note", Type: "textarea", IsShown: true}}},
		"password":   {`<input name="pin" type="password" value="1">`, []page.Input{{Name: "pin", IsShown: true}}},
		"hidden":     {`<input name="source" type="hidden" value="web">`, []page.Input{{Name: "source", Choices: []page.Choice{{Value: "web"}}}}},
		"disabled":   {`<input name="a" disabled><fieldset disabled><input name="b"></fieldset>`, nil},
		"nameless":   {`<input><button>Send</button>`, nil},
		"checkboxes": {`<input type="checkbox" name="a[]" value="x, y"><input type="checkbox" name="a[]">`, []page.Input{{Name: "a[]", IsShown: true, Choices: []page.Choice{{Value: "x, y"}, {Value: "on"}}}}},
		"radios":     {`<input type="radio" name="a" value="Kitchen &amp; bath"><input type="radio" name="a" value=" ">`, []page.Input{{Name: "a", IsShown: true, Choices: []page.Choice{{Value: "Kitchen & bath"}}}}},
		"button":     {`<button name="plan" value="Gold">Gold</button>`, []page.Input{{Name: "plan", Choices: []page.Choice{{Value: "Gold"}}}}},
		"select": {`<select name="city"><option value="">Select…<option value="0">Choose a city<option>
			Navi   Mumbai<option value="pn">Pune<option disabled>Goa</select>`, []page.Input{{Name: "city", IsShown: true, Choices: []page.Choice{
			{"0", "Choose a city"}, {"Navi Mumbai", "Navi Mumbai"}, {"pn", "Pune"},
		}}}},
		"indented options": {"<select name=city><option>&nbsp;Pune<option value='a\nb'>Goa</select>", []page.Input{{Name: "city", IsShown: true, Choices: []page.Choice{
			{"\u00a0Pune", "Pune"}, {"a\r\nb", "Goa"},
		}}}},
		"other with text": {`<input type="radio" name="a" value="Other"><input name="a">`, []page.Input{{Name: "a", Type: "text", IsShown: true, Choices: []page.Choice{{Value: "Other"}}}}},
		"in another form": {`</form><form action="/search"><select name="q"><option>Kitchen</select>`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := own(t, `<!doctype html><title>Contact</title><body><form method="post">`+test.form+`</form>`)
			got, err := o.Inputs()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("inputs (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := own(t, `<p>No form</p>`).Inputs(); !errors.Is(err, page.ErrNoForm) {
		t.Errorf("error %v without a form", err)
	}
}
