package handlertest

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	caddytelecrm "github.com/leadwire/caddy-telecrm"
	"github.com/leadwire/caddy-telecrm/challenge"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/internal/account"
	"github.com/leadwire/caddy-telecrm/internal/challenges"
	"github.com/leadwire/caddy-telecrm/internal/secret"
	"github.com/leadwire/caddy-telecrm/internal/signing"
)

const testSiteSecret = "0x4AAAAAAA-test-SECRET_0123456789"

const altchaBlock = simpleBlock + "\nchallenge altcha {\ncomplexity 1000\n}"

func challengeHandler(t testing.TB, block string, paths ...string) testHandler {
	t.Helper()
	r := newRig("http://127.0.0.1:1/autoupdate/v2", block)
	r.paths = paths
	h := r.handler(t)
	t.Cleanup(func() { // otherwise later tests find the answers used
		if err := h.Cleanup(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func fetchChallenge(t testing.TB, h testHandler, address string) challenge.AltchaChallenge {
	t.Helper()
	w, next, err := h.serve(httptest.NewRequestWithContext(t.Context(), http.MethodGet, address, nil))
	if err != nil || next.requests != 0 || w.Code != http.StatusOK {
		t.Fatalf("GET %s: status %d, passed on %d times, error %v", address, w.Code, next.requests, err)
	}
	if w.Header().Get("Cache-Control") != "no-store" || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") ||
		w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("headers %v", w.Header())
	}
	var c challenge.AltchaChallenge
	decoder := json.NewDecoder(w.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

// solved returns what the widget posts after it has found the number by trying.
func solved(t testing.TB, c challenge.AltchaChallenge) string {
	t.Helper()
	for number := range c.MaxNumber + 1 {
		if altchaSum(c.Salt, number) == c.Challenge {
			text := fmt.Sprintf(`{"algorithm":%q,"challenge":%q,"number":%d,"salt":%q,"signature":%q,"took":5}`,
				c.Algorithm, c.Challenge, number, c.Salt, c.Signature)
			return base64.StdEncoding.EncodeToString([]byte(text))
		}
	}
	t.Fatal("the challenge has no solution")
	return ""
}

func altchaSum(salt string, number uint64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s%d", salt, number))
	return hex.EncodeToString(sum[:])
}

// ask verifies the answer in a posted form as h does.
func (h testHandler) ask(t testing.TB, values url.Values) challenge.Result {
	t.Helper()
	return h.verifier(t).Verify(t.Context(), "www.example.com", formOf(values), "a lead")
}

// verifier returns a verifier that shares the keys and the used answers of the handler's.
func (h testHandler) verifier(t testing.TB) *challenges.Verifier {
	t.Helper()
	if h.rig.verifier != nil {
		return h.rig.verifier
	}
	name := cmp.Or(h.AccountName, h.EnterpriseID, account.Default) + "\x00" + h.Form
	ofToken, err := signing.Derive([]byte(cmp.Or(h.Token, h.settings.Token)), "altcha "+name)
	if err != nil {
		t.Fatal(err)
	}
	shared, err := secret.Open(h.ctx.Storage(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	h.rig.verifier, err = h.Challenge.Open(h.Form, name, shared.Keys("altcha "+name, ofToken), nil, zap.New(h.logs.handlerCore))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = h.rig.verifier.Close()
		_ = shared.Release()
	})
	return h.rig.verifier
}

func formOf(values url.Values) *form.Form {
	posted := new(form.Form)
	for name, list := range values {
		for _, value := range list {
			posted.Entries = append(posted.Entries, form.Entry{Name: name, Value: value})
		}
	}
	return posted
}

func TestAltchaIsServedAndVerified(t *testing.T) {
	h := challengeHandler(t, altchaBlock)
	answer := solved(t, fetchChallenge(t, h, "https://www.example.com/enquire?altcha"))
	if got := h.ask(t, url.Values{"altcha": {answer}}); len(got.Signals) != 0 || got.Refuse {
		t.Fatalf("right answer: %+v", got)
	}
	for name, test := range map[string]struct {
		values url.Values
		score  int
	}{
		"used":            {url.Values{"altcha": {answer}}, 6},
		"none":            {nil, 5},
		"empty":           {url.Values{"altcha": {""}}, 5},
		"forged":          {url.Values{"altcha": {"e30="}}, 6},
		"empty and right": {url.Values{"altcha": {"", solved(t, fetchChallenge(t, h, "/?altcha="))}}, 0},
	} {
		if got := h.ask(t, test.values); got.Signals.Score() != test.score || got.Refuse {
			t.Errorf("%s: %+v, want a score of %d", name, got, test.score)
		}
	}
}

func TestFailClosedRefuses(t *testing.T) {
	h := challengeHandler(t, simpleBlock+"\nchallenge altcha {\ncomplexity 1000\nfail closed\n}")
	if got := h.ask(t, nil); !got.Refuse {
		t.Errorf("without an answer: %+v", got)
	}
	if got := h.ask(t, url.Values{"altcha": {solved(t, fetchChallenge(t, h, "/enquire?altcha"))}}); got.Refuse {
		t.Errorf("the answer: %+v", got)
	}
}

// Visitors without JavaScript are told what they need, and what they can do instead.
func TestFailClosedIsNotADeadEnd(t *testing.T) {
	h := challengeHandler(t, simpleBlock+"\nfallback \"Please call 081234 56789.\"\nchallenge altcha {\ncomplexity 1000\nfail closed\n}")
	w := h.mustServe(t, postForm(meera))
	for _, want := range []string{"The check needs JavaScript.", "Please call 081234 56789."} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("status %d: the page does not contain %q:\n%s", w.Code, want, w.Body)
		}
	}
}

// Requests that do not fetch a challenge are passed on to the site.
func TestOnlyTheWidgetGetsChallenges(t *testing.T) {
	t.Setenv("TELECRM_TEST_SITE_SECRET", testSiteSecret)
	for name, test := range map[string]struct{ block, method, address string }{
		"no query":                  {altchaBlock, http.MethodGet, "/enquire"},
		"another query":             {altchaBlock, http.MethodGet, "/enquire?utm_source=altcha"},
		"GET form":                  {altchaBlock, http.MethodGet, "/enquire?name=Ravi&altcha=e30%3D"},
		"another method":            {altchaBlock, http.MethodHead, "/enquire?altcha"},
		"another kind of challenge": {simpleBlock + turnstile("", ""), http.MethodGet, "/enquire?altcha"},
		"no challenge":              {simpleBlock, http.MethodGet, "/enquire?altcha"},
		"another path":              {altchaBlock, http.MethodGet, "/about?altcha"},
		"challenge path configured": {strings.Replace(altchaBlock, "complexity", "path /challenge\ncomplexity", 1), http.MethodGet, "/enquire?altcha"},
	} {
		t.Run(name, func(t *testing.T) {
			h := challengeHandler(t, test.block, "/enquire")
			w, next, err := h.serve(httptest.NewRequestWithContext(t.Context(), test.method, test.address, nil))
			if err != nil || next.requests != 1 || len(w.Header()) != 0 {
				t.Errorf("passed on %d times with headers %v, error %v", next.requests, w.Header(), err)
			}
		})
	}
}

func TestChallengePath(t *testing.T) {
	h := challengeHandler(t, strings.Replace(altchaBlock, "complexity", "path /challenge\ncomplexity", 1), "/enquire")
	answer := solved(t, fetchChallenge(t, h, "/challenge?t=1"))
	if got := h.ask(t, url.Values{"altcha": {answer}}); len(got.Signals) != 0 {
		t.Errorf("the answer: %+v", got)
	}
}

// A form at a clean URL, which try_files rewrites, serves its challenges there too.
func TestChallengesAtARewrittenPath(t *testing.T) {
	h := challengeHandler(t, altchaBlock, "/enquire")
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/enquire?altcha", nil)
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
	r.URL.Path, r.URL.RawQuery = "/enquire.html", ""
	if err := h.ServeHTTP(w, r, &passed{}); err != nil || !strings.Contains(w.Body.String(), `"maxnumber":1000`) {
		t.Errorf("error %v, body %q", err, w.Body)
	}
}

// The answer to a challenge from before a reload is valid once. It is not valid for another form or
// another account.
func TestChallengesOutliveReloads(t *testing.T) {
	before := challengeHandler(t, altchaBlock)
	first, second := solved(t, fetchChallenge(t, before, "/?altcha")), solved(t, fetchChallenge(t, before, "/?altcha"))
	if got := before.ask(t, url.Values{"altcha": {first}}); len(got.Signals) != 0 {
		t.Fatalf("before: %+v", got)
	}
	after := challengeHandler(t, altchaBlock)
	if got := after.ask(t, url.Values{"altcha": {first}}); got.Signals.Score() != 6 {
		t.Errorf("used answer after the reload: %+v", got)
	}
	for name, block := range map[string]string{
		"another form":    altchaBlock + "\nform another",
		"another account": altchaBlock + "\ntoken another-token\nenterprise_id 66aa00bb11cc22dd33ee44ff\nbase_url http://127.0.0.1:1\ncountry IN",
	} {
		if got := challengeHandler(t, block).ask(t, url.Values{"altcha": {second}}); got.Signals.Score() != 6 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := after.ask(t, url.Values{"altcha": {second}}); len(got.Signals) != 0 {
		t.Errorf("unused answer after the reload: %+v", got)
	}
}

// A handler that was never provisioned can be cleaned up.
func TestCleanupWithoutProvision(t *testing.T) {
	if err := new(caddytelecrm.Handler).Cleanup(); err != nil {
		t.Error(err)
	}
}

// siteverify is a strict stand-in for a challenge service.
type siteverify struct {
	*httptest.Server
	mu     sync.Mutex
	used   map[string]bool
	broken bool
}

func newSiteverify(t testing.TB) *siteverify {
	t.Helper()
	s := &siteverify{used: make(map[string]bool)}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *siteverify) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = r.ParseForm()
	token := r.PostForm.Get("response")
	switch {
	case s.broken:
		http.Error(w, r.PostForm.Encode(), http.StatusBadGateway)
	case r.Method != http.MethodPost || r.PostForm.Get("secret") != testSiteSecret || r.PostForm.Has("remoteip"):
		_, _ = io.WriteString(w, `{"success":false,"error-codes":["invalid-input-secret"]}`)
	case token != "good" || s.used[token]:
		_, _ = io.WriteString(w, `{"success":false,"error-codes":["timeout-or-duplicate"]}`)
	default:
		s.used[token] = true
		_, _ = io.WriteString(w, `{"success":true,"hostname":"www.example.com","action":"enquire","score":0.7}`)
	}
}

func turnstile(address, more string) string {
	return service("turnstile", address, more)
}

func service(kind, address, more string) string {
	if address != "" {
		more += "\nverify_url " + address
	}
	return fmt.Sprintf("\nchallenge %s {\nsecret {env.TELECRM_TEST_SITE_SECRET}\n%s\n}", kind, more)
}

func TestServicesVerify(t *testing.T) {
	t.Setenv("TELECRM_TEST_SITE_SECRET", testSiteSecret)
	for _, test := range []struct {
		kind, input, more string
		score             int
	}{
		{"turnstile", "cf-turnstile-response", "", 0},
		{"turnstile", "cf-turnstile-response", "action enquire", 0},
		{"turnstile", "cf-turnstile-response", "action other", 6},
		{"turnstile", "cf-turnstile-response", "host example.net", 6},
		{"turnstile", "cf-turnstile-response", "host example.net www.example.com", 0},
		{"turnstile", "g-recaptcha-response", "", 5},
		{"hcaptcha", "h-captcha-response", "", 0},
		{"recaptcha", "g-recaptcha-response", "", 0},
		{"recaptcha", "g-recaptcha-response", "score 0.8", 6},
		{"recaptcha", "g-recaptcha-response", "score 0", 0},
	} {
		t.Run(test.kind+" "+test.more, func(t *testing.T) {
			h := challengeHandler(t, simpleBlock+service(test.kind, newSiteverify(t).URL, test.more))
			values := url.Values{test.input: {"good"}}
			if got := h.ask(t, values); got.Signals.Score() != test.score || got.Refuse {
				t.Errorf("%+v, want a score of %d", got, test.score)
			}
			if got := h.ask(t, values); test.score != 5 && got.Signals.Score() != 6 {
				t.Errorf("the second time: %+v", got)
			}
		})
	}
}

// An outage of the service does not block visitors unless `fail closed` is set. It is logged once.
func TestServiceIsDown(t *testing.T) {
	t.Setenv("TELECRM_TEST_SITE_SECRET", testSiteSecret)
	for fail, refuse := range map[string]bool{"open": false, "closed": true} {
		down := newSiteverify(t)
		down.broken = true
		h := challengeHandler(t, simpleBlock+turnstile(down.URL, "fail "+fail))
		for range 3 {
			got := h.ask(t, url.Values{"cf-turnstile-response": {"good"}})
			if got.Signals.Score() != 1 || got.Refuse != refuse {
				t.Errorf("fail %s: %+v", fail, got)
			}
		}
		warnings := h.logged("cannot be verified")
		if len(warnings) != 1 {
			t.Fatalf("%d warnings, want 1", len(warnings))
		}
		if text := fmt.Sprint(warnings[0].ContextMap()); strings.Contains(text, testSiteSecret) || strings.Contains(text, "good") {
			t.Errorf("the warning contains secrets: %s", text)
		}
	}
}

// Printing the handler or encoding it as JSON does not show the challenge's secret.
func TestChallengeShowsNoSecret(t *testing.T) {
	t.Setenv("TELECRM_TEST_SITE_SECRET", testSiteSecret)
	h := challengeHandler(t, simpleBlock+turnstile("", ""))
	config, err := json.Marshal(h.Handler)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(config), fmt.Sprintf("%+v", *h.Handler), fmt.Sprintf("%#v", h.Challenge)} {
		if strings.Contains(text, testSiteSecret) {
			t.Errorf("found the secret in %s", text)
		}
	}
	if len(h.logged("written out")) != 0 {
		t.Error("got a warning about a secret that is a placeholder")
	}
}

// Caddyfile blocks set the same settings as JSON.
func TestChallengeGrammar(t *testing.T) {
	score := 0.7
	for block, want := range map[string]*challenges.Config{
		"challenge altcha": {Kind: "altcha"},
		"challenge altcha {\npath /challenge\ncomplexity 70000\nexpires 5m\nfail closed\n}": {
			Kind: "altcha", Path: "/challenge", Complexity: 70_000, Expires: caddy.Duration(5 * 60 * 1e9), Fail: "closed",
		},
		"challenge recaptcha {\nsecret {env.X}\nhost a.example b.example\naction enquire\nscore 0.7\nverify_url https://v.example\ntimeout 2s\nfail open\n}": {
			Kind: "recaptcha", Secret: "{env.X}", Hosts: []string{"a.example", "b.example"}, Action: "enquire", Score: &score,
			VerifyURL: "https://v.example", Timeout: caddy.Duration(2 * 1e9), Fail: "open",
		},
	} {
		h := new(caddytelecrm.Handler)
		if err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser("telecrm {\n" + block + "\n}")); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(h.Challenge, want) {
			t.Errorf("%s\ngot %+v", block, h.Challenge)
		}
	}
	for block, words := range map[string]string{
		"challenge":                                    "challenge takes one of: altcha, hcaptcha, recaptcha, turnstile",
		"challenge captcha":                            `challenge: unknown word "captcha"; did you mean hcaptcha?`,
		"challenge altcha turnstile":                   "challenge takes one of",
		"challenge altcha {\nhard\n}":                  `challenge: unknown word "hard"`,
		"challenge altcha {\ncomplexity many\n}":       `must be a whole number above zero, got "many"`,
		"challenge altcha {\ncomplexity 0\n}":          `must be a whole number above zero, got "0"`,
		"challenge altcha {\ncomplexity\n}":            "complexity takes one",
		"challenge turnstile {\nhost\n}":               "host takes one or more",
		"challenge turnstile {\nscore x\n}":            `must be a number, got "x"`,
		"challenge altcha\nchallenge altcha":           "challenge is repeated",
		"challenge turnstile {\nsecret a\nsecret b\n}": "secret is repeated",
	} {
		err := new(caddytelecrm.Handler).UnmarshalCaddyfile(caddyfile.NewTestDispenser("telecrm {\n" + block + "\n}"))
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s\ngot error %v, want one that contains %q", block, err, words)
		}
	}
}
