package suggest_test

import (
	"testing"

	"github.com/leadwire/caddy-telecrm/internal/suggest"
)

func TestQuote(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"phone": "phone", "contact[city]": "contact[city]", "": `""`, "Too costly": `"Too costly"`, `6" pipe`: "`6\" pipe`", "a`b\"": `"a` + "`" + `b\""`, `C:\site x`: "`C:\\site x`",
		"{form.name}": "{form.name}", "{": `"{"`, "}": `"}"`, "{a} b": `"{a} b"`, "#1": `"#1"`, "<<EOF": `"<<EOF"`,
	} {
		if got := suggest.Quote(word); got != want {
			t.Errorf("%q: got %s, want %s", word, got, want)
		}
	}
}
