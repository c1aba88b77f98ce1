package handlertest

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/zap/zapcore"
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

// The log names the secret inputs once a form, and never their values.
func TestSecretsAreNamedOnce(t *testing.T) {
	h := newHandler(t, newCRM(t).url, secretsBlock)
	for _, name := range []string{"Asha", "Ravi"} {
		typed := secretsTyped()
		typed.Set("name", name)
		if _, _, err := h.serve(postForm(typed)); err != nil {
			t.Fatal(err)
		}
	}
	var warnings []string
	for _, entry := range h.log.All() {
		text := fmt.Sprint(entry.Message, entry.ContextMap())
		if strings.Contains(text, "-secret") {
			t.Errorf("the log has a value: %s", text)
		}
		if entry.Level == zapcore.WarnLevel && strings.Contains(text, "card_number") {
			warnings = append(warnings, text)
		}
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "user[passwd]") || !strings.Contains(warnings[0], "cvv") || strings.Contains(warnings[0], "pincode") {
		t.Errorf("warnings: %q", warnings)
	}

	h = newHandler(t, newCRM(t).url, strings.ReplaceAll(secretsBlock, "unmapped more\n", ""))
	if _, _, err := h.serve(postForm(secretsTyped())); err != nil {
		t.Fatal(err)
	}
	for _, entry := range h.log.All() {
		if entry.Level == zapcore.WarnLevel && strings.Contains(fmt.Sprint(entry.ContextMap()), "card_number") {
			t.Errorf("without unmapped: %s %v", entry.Message, entry.ContextMap())
		}
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
