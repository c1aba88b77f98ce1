package handlertest

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// secretsTyped returns secret inputs. All except one password are unmapped.
func secretsTyped() url.Values {
	return url.Values{
		"name": {"Asha"}, "tel": {"081234 56789"}, "pwd": {"mapped-secret"}, "company": {"Sunrise"}, "pincode": {"411001"},
		"password": {"hunter-secret"}, "user[passwd]": {"other-secret"}, "card_number": {"4000-secret"}, "cvv": {"123-secret"}, "otp": {"777-secret"},
	}
}

const secretsBlock = "field name\nfield phone tel\nfield message pwd\nunmapped more\nthank_you /thanks\n"

// Passwords, card numbers and one-time codes are not sent unless the operator has mapped them.
func TestSecretsAreNotSent(t *testing.T) {
	got, h := lead(t, secretsBlock, secretsTyped())
	sent := fmt.Sprint(got)
	if strings.Contains(strings.ReplaceAll(sent, "mapped-secret", ""), "secret") || !strings.Contains(sent, "mapped-secret") {
		t.Errorf("sent %s, want the mapped secret only", sent)
	}
	if !strings.Contains(sent, "Sunrise") || !strings.Contains(sent, "411001") {
		t.Errorf("sent %s, want the inputs that are not secret too", sent)
	}
	if names := fmt.Sprint(h.submission(t)["unmapped_inputs"]); !strings.Contains(names, "password") || strings.Contains(names, "company") {
		t.Errorf("logged unmapped_inputs %s, want the secrets only", names)
	}
}

// The built-in page does not repeat secrets, mapped or not.
func TestSecretsAreNotRepeated(t *testing.T) {
	h := newHandler(t, newCRM(t).url, secretsBlock)
	typed := secretsTyped()
	typed.Set("tel", "12")
	w, _, err := h.serve(postForm(typed))
	if err != nil {
		t.Fatal(err)
	}
	body := w.Body.String()
	if strings.Contains(body, "secret") || !strings.Contains(body, "Sunrise") || !strings.Contains(body, "411001") {
		t.Errorf("status %d:\n%s", w.Code, body)
	}
}
