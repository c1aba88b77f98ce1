package page

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a form sends by itself follows the HTML standard, "constructing the entry list".
func TestDefaults(t *testing.T) {
	t.Parallel()
	const source = `<form>
<input name=name value="A &amp; B"><input name=off value=x disabled><input value=nameless>
<input type=hidden name=page value=home><input type=file name=bill>
<input type=checkbox name=a checked><input type=checkbox name=a value=2 checked><input type=checkbox name=a value=3>
<input type=radio name=r value=1><input type=radio name=r value=2 checked>
<select name=first><option disabled>No<option>Yes<option>Later</select>
<select name=last><option selected>One<option value=2 selected>Two</select>
<select name=asks><option disabled selected value="">Choose<option>One</select>
<select name=many multiple><option selected>One<option>Two<option selected>Three</select>
<select name=none multiple><option>One</select><select name=empty></select>
<textarea name=t>
 a &lt; b</textarea>
<fieldset disabled><input name=inside value=x></fieldset>
<button type=button name=b0 value=x></button><button name=b1 value=send></button><button name=b2 value=x></button>
</form>`
	got, err := ReadInventory([]byte(source), "text/html")
	if err != nil {
		t.Fatal(err)
	}
	want := []Pair{
		{"name", "A & B"},
		{"page", "home"},
		{"a", "on"},
		{"a", "2"},
		{"r", "2"},
		{"first", "Yes"},
		{"last", "2"},
		{"many", "One"},
		{"many", "Three"},
		{"t", " a < b"},
		{"b1", "send"},
	}
	if diff := cmp.Diff(want, got.Forms[0].Defaults()); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

// A page may end within a textarea.
func TestDefaultsOfUnclosedTextarea(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"<form><textarea name=t>a", "<form><textarea name=t>", "<form><textarea name=t"} {
		got, err := ReadInventory([]byte(source), "text/html")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range got.Forms {
			f.Defaults()
		}
	}
}
