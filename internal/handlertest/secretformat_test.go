package handlertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/internal/account"
)

// secretive returns a handler whose secrets all come from the environment, as the documentation
// recommends.
func secretive(t *testing.T) testHandler {
	t.Helper()
	t.Setenv("TELECRM_TEST_TOKEN", testToken)
	t.Setenv("TELECRM_TEST_ASYNC", testAsyncToken)
	t.Setenv("TELECRM_TEST_SITE_SECRET", testSiteSecret)
	r := newRig("", "")
	r.settings = account.Settings{Token: "{env.TELECRM_TEST_TOKEN}", AsyncToken: "{env.TELECRM_TEST_ASYNC}", EnterpriseID: testEnterprise, Country: "IN"}
	r.block = `
		token {env.TELECRM_TEST_TOKEN}
		async_token {env.TELECRM_TEST_ASYNC}
		enterprise_id 66aa00bb11cc22dd33ee44ff
		country IN
		protect
		challenge turnstile {
			secret {env.TELECRM_TEST_SITE_SECRET}
		}
		` + simpleBlock
	h := r.handler(t)
	t.Cleanup(func() { _ = h.Cleanup() })
	return h
}

// checkNoSecret fails the test if the text contains a resolved secret.
func checkNoSecret(t *testing.T, place, text string) {
	t.Helper()
	for _, secret := range []string{testToken, testAsyncToken, testSiteSecret} {
		if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
			t.Errorf("found a secret in %s: %.600s", place, text)
		}
	}
}

// Printing the handler, the app or their parts never shows a secret.
func TestPrintingHidesSecrets(t *testing.T) {
	h := secretive(t)
	for place, value := range map[string]any{
		"the handler": *h.Handler, "the app": *h.app, "its account": h.Settings,
		"the app's account": *h.app.Accounts[account.Default], "the challenge": *h.Challenge,
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			checkNoSecret(t, place+" as "+verb, fmt.Sprintf(verb, value))
		}
	}
	for place, value := range map[string]any{"the handler": h.Handler, "the app": h.app} {
		config, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		checkNoSecret(t, place+" in JSON", string(config))
		if !strings.Contains(string(config), "{env.TELECRM_TEST_TOKEN}") {
			t.Errorf("%s does not contain its placeholder: %s", place, config)
		}
	}
}

// bomb is a body that panics.
type bomb struct{ io.Reader }

func (bomb) Read([]byte) (int, error) { panic(errors.New("a body that panics")) }

// The stack trace of a panic, which Caddy logs, contains neither secrets nor typed values.
func TestPanicsHideSecrets(t *testing.T) {
	h := secretive(t)
	r := postForm(meera)
	r.Body = io.NopCloser(io.MultiReader(r.Body, bomb{}))
	r.Header.Set("Referer", "https://www.example.com/contact")
	defer func() {
		trace := fmt.Sprint(recover()) + string(debug.Stack())
		if !strings.Contains(trace, "ServeHTTP") {
			t.Errorf("the handler did not panic: %s", trace)
		}
		checkNoSecret(t, "the trace", trace)
		for _, typed := range []string{"Meera", "8123456789"} {
			if strings.Contains(trace, typed) {
				t.Errorf("found %q in the stack trace", typed)
			}
		}
	}()
	h.mustServe(t, r)
}
