package challenges

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/challenge"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/internal/signing"
)

// JSON configs are checked as strictly as Caddyfiles.
func TestConfigChecks(t *testing.T) {
	score := 0.5
	for name, c := range map[string]Config{
		"no kind":                {},
		"unknown kind":           {Kind: "captcha"},
		"altcha with secret":     {Kind: "altcha", Secret: "x"},
		"altcha with score":      {Kind: "altcha", Score: &score},
		"altcha with timeout":    {Kind: "altcha", Timeout: 1},
		"too easy":               {Kind: "altcha", Complexity: 999},
		"too hard":               {Kind: "altcha", Complexity: 10_000_001},
		"too short":              {Kind: "altcha", Expires: caddy.Duration(1)},
		"negative expiry":        {Kind: "altcha", Expires: -1},
		"relative path":          {Kind: "altcha", Path: "challenge"},
		"path with query":        {Kind: "altcha", Path: "/challenge?x"},
		"path to a host":         {Kind: "altcha", Path: "//evil.example/challenge"},
		"turnstile with path":    {Kind: "turnstile", Secret: "x", Path: "/challenge"},
		"hcaptcha with expires":  {Kind: "hcaptcha", Secret: "x", Expires: 1},
		"no secret":              {Kind: "recaptcha"},
		"hcaptcha with action":   {Kind: "hcaptcha", Secret: "x", Action: "enquire"},
		"turnstile with score":   {Kind: "turnstile", Secret: "x", Score: &score},
		"verify_url without TLS": {Kind: "turnstile", Secret: "x", VerifyURL: "http://verify.example"},
		"unknown fail":           {Kind: "altcha", Fail: "soft"},
		"negative timeout":       {Kind: "turnstile", Secret: "x", Timeout: -1},
		"secret in two lines":    {Kind: "turnstile", Secret: "x\ny"},
	} {
		if _, err := c.Open("enquire", "", signing.Key([]byte("a key")), nil, zap.NewNop()); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// The memory of used answers ends with the last config that has the form.
func TestMemoryEndsWithItsConfigs(t *testing.T) {
	const name = "default\x00enquire"
	open := func() *Verifier {
		v, err := Config{Kind: kindAltcha}.Open("enquire", name, signing.Key([]byte("a key")), nil, zap.NewNop())
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
		t.Error("the memory outlives its configs")
	}
}

// Printing a challenge never shows its secret.
func TestPrintingHidesSecrets(t *testing.T) {
	const secret = "0x4AAAAAAA-test-SECRET_0123456789"
	t.Setenv("TELECRM_TEST_SITE_SECRET", secret)
	v, err := Config{Kind: "turnstile", Secret: "{env.TELECRM_TEST_SITE_SECRET}"}.Open("enquire", "", signing.Key([]byte("a key")), nil, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if text := fmt.Sprintf(verb, v); strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
			t.Errorf("a verifier printed with %s shows the secret", verb)
		}
	}
}

// If other machines do not answer soon, or at all, this one decides alone and says so, but not for
// every visitor.
func TestOtherMachinesAway(t *testing.T) {
	for name, spend := range map[string]Spend{
		"silent": func(ctx context.Context, _ string, _ time.Duration, _ string) (bool, error) {
			<-ctx.Done()
			return false, ctx.Err()
		},
		"away": func(context.Context, string, time.Duration, string) (bool, error) { return false, errors.New("away") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, logged := observer.New(zap.WarnLevel)
				v, err := Config{Kind: kindAltcha, Complexity: leastComplexity, Fail: failClosed}.
					Open("enquire", "default\x00"+t.Name(), signing.Key([]byte("a key")), spend, zap.New(core))
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = v.Close() }()
				gone, leave := context.WithCancel(t.Context())
				leave() // visitors who leave do not end it either
				for range 3 {
					posted := &form.Form{Entries: []form.Entry{{Name: challenge.AltchaInput, Value: solve(t, v.issue())}}}
					begun := time.Now()
					if r := v.Verify(gone, "www.example.com", posted, "a lead"); r.Refuse || len(r.Signals) > 0 {
						t.Errorf("the answer was refused: %v", r.Signals)
					}
					if took := time.Since(begun); took > spendTimeout {
						t.Errorf("the visitor waited %v", took)
					}
					if r := v.Verify(gone, "www.example.com", posted, "a lead"); !r.Refuse {
						t.Error("a used answer was accepted")
					}
				}
				if logged.FilterMessageSnippet("decides alone").Len() != 1 {
					t.Errorf("logged %v", logged.All())
				}
			})
		})
	}
}

// solve returns the answer to a challenge.
func solve(t *testing.T, c challenge.AltchaChallenge) string {
	t.Helper()
	for number := range c.MaxNumber + 1 {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s%d", c.Salt, number))
		if hex.EncodeToString(sum[:]) == c.Challenge {
			return base64.StdEncoding.EncodeToString(fmt.Appendf(nil,
				`{"algorithm":%q,"challenge":%q,"number":%d,"salt":%q,"signature":%q}`, c.Algorithm, c.Challenge, number, c.Salt, c.Signature))
		}
	}
	t.Fatal("the challenge has no solution")
	return ""
}
