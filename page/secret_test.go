package page_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/page"
)

const secretInputs = `<form method=post action=/contact><input name=q><input name=a type=PASSWORD><input name=b type=file>` +
	`<input name=c autocomplete=one-time-code><input name=d autocomplete="section-a billing CC-Number"><input name=e autocomplete=cc-csc>` +
	`<input name=f autocomplete=new-password><textarea name=g autocomplete=current-password></textarea><input name=h autocomplete=cc-name></form>`

// Passwords, cards and one-time codes are not repeated.
func TestOwnDoesNotRepeatSecrets(t *testing.T) {
	o := own(t, secretInputs)
	for name := range strings.SplitSeq("qabcdefgh", "") {
		o.Values = append(o.Values, page.Pair{Name: name, Value: "typed-" + name})
	}
	text := render(t, o).source
	for name := range strings.SplitSeq("qabcdefgh", "") {
		if want := name == "q" || name == "h"; strings.Contains(text, "typed-"+name) != want {
			t.Errorf("%s is repeated: %v, in\n%s", name, !want, text)
		}
	}
	if got := page.SecretInputs([]byte(secretInputs), "text/html"); !slices.Equal(got, strings.Split("abcdefg", "")) {
		t.Errorf("secret inputs %q", got)
	}
}
