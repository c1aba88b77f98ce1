package suggest_test

import (
	"testing"

	"github.com/leadwire/caddy-telecrm/internal/suggest"
)

func TestNearest(t *testing.T) {
	words := suggest.Words("phone", "email", "date", "dropdown", "page", "handle", "now", "Asia/Kolkata")
	words["telephone"] = "phone"
	for got, want := range map[string]string{
		"phone":         "phone",
		"Phone":         "phone",
		"phon":          "phone",
		"telephon":      "phone",
		"emial":         "email",
		"e-mail":        "email",
		"dropdwon":      "dropdown",
		"drop-down":     "dropdown",
		"pager":         "page",
		"asia/kolkatta": "Asia/Kolkata",
		"soon":          "",
		"x":             "",
		"":              "",
		"colour":        "",
	} {
		if nearest := suggest.Nearest(got, words); nearest != want {
			t.Errorf("%q: got %q, want %q", got, nearest, want)
		}
	}
}

func TestUnknown(t *testing.T) {
	for got, want := range map[string]string{
		"pager": `unknown policy "pager"; did you mean page? known policies are: page, handle`,
		"soon":  `unknown policy "soon"; known policies are: page, handle`,

		// It may be a secret.
		"0x4AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA": `unknown policy; known policies are: page, handle`,
		"page:s3cret":                          `unknown policy; write a space after page; known policies are: page, handle`,
		"page=s3cret":                          `unknown policy; write a space after page; known policies are: page, handle`,
		"u:s3cret@example.com":                 `unknown policy; known policies are: page, handle`,
	} {
		if err := suggest.Unknown("policy", got, "page", "handle"); err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}
