package challenges

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/internal/signing"
)

// JSON is refused what the Caddyfile is refused.
func TestConfigChecks(t *testing.T) {
	score := 0.5
	for name, c := range map[string]Config{
		"no kind":             {},
		"unknown kind":        {Kind: "captcha"},
		"altcha's secret":     {Kind: "altcha", Secret: "x"},
		"altcha's score":      {Kind: "altcha", Score: &score},
		"altcha's timeout":    {Kind: "altcha", Timeout: 1},
		"too easy":            {Kind: "altcha", Complexity: 999},
		"too hard":            {Kind: "altcha", Complexity: 10_000_001},
		"too short":           {Kind: "altcha", Expires: caddy.Duration(1)},
		"negative expiry":     {Kind: "altcha", Expires: -1},
		"relative path":       {Kind: "altcha", Path: "challenge"},
		"path with query":     {Kind: "altcha", Path: "/challenge?x"},
		"path to a host":      {Kind: "altcha", Path: "//evil.example/challenge"},
		"service's path":      {Kind: "turnstile", Secret: "x", Path: "/challenge"},
		"service's expires":   {Kind: "hcaptcha", Secret: "x", Expires: 1},
		"no secret":           {Kind: "recaptcha"},
		"hCaptcha's action":   {Kind: "hcaptcha", Secret: "x", Action: "enquire"},
		"Turnstile's score":   {Kind: "turnstile", Secret: "x", Score: &score},
		"verified in clear":   {Kind: "turnstile", Secret: "x", VerifyURL: "http://verify.example"},
		"unknown way":         {Kind: "altcha", Fail: "soft"},
		"negative timeout":    {Kind: "turnstile", Secret: "x", Timeout: -1},
		"secret in two lines": {Kind: "turnstile", Secret: "x\ny"},
	} {
		if _, err := c.Open("enquire", "", signing.Key([]byte("a key")), zap.NewNop()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// What is remembered of used answers ends with the last config that has the form.
func TestMemoryEndsWithItsConfigs(t *testing.T) {
	const name = "default\x00enquire"
	open := func() *Verifier {
		v, err := Config{Kind: kindAltcha}.Open("enquire", name, signing.Key([]byte("a key")), zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	one, other := open(), open()
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	if references, _ := pool.References(name); references != 1 {
		t.Errorf("%d references, want 1", references)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if _, exists := pool.References(name); exists {
		t.Error("the memory is kept")
	}
}

// However a challenge is printed, its secret does not show.
func TestNothingPrintsSecrets(t *testing.T) {
	const secret = "0x4AAAAAAA-test-SECRET_0123456789"
	t.Setenv("TELECRM_TEST_SITE_SECRET", secret)
	v, err := Config{Kind: "turnstile", Secret: "{env.TELECRM_TEST_SITE_SECRET}"}.Open("enquire", "", signing.Key([]byte("a key")), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if text := fmt.Sprintf(verb, v); strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
			t.Errorf("%s shows the secret", verb)
		}
	}
}
