package challenge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
)

const (
	siteSecret = "0x4AAAAAAA-test-SECRET_0123456789"
	siteHost   = "www.example.com"
)

// verifier is a strict stand-in for the services: it knows one secret, accepts each token once, and
// only the parameters that a service documents.
type verifier struct {
	t       *testing.T
	service Service
	url     string

	mu       sync.Mutex
	tokens   map[string]string // the verdict on each token, in JSON
	used     map[string]string // the idempotency key of each used token
	requests int
	drop     int // number of verdicts to lose
}

func newVerifier(t *testing.T, of Service) *verifier {
	t.Helper()
	v := &verifier{t: t, service: of, tokens: make(map[string]string), used: make(map[string]string)}
	server := httptest.NewServer(v)
	t.Cleanup(server.Close)
	v.url = server.URL + "/siteverify"
	return v
}

func (v *verifier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests++
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	body, err := io.ReadAll(r.Body)
	form, formErr := url.ParseQuery(string(body))
	if err != nil || formErr != nil || r.Method != http.MethodPost || mediaType != "application/x-www-form-urlencoded" || r.URL.RawQuery != "" {
		v.t.Errorf("%s %s as %q with %q", r.Method, r.URL, mediaType, body)
	}
	want := []string{"response", "secret"}
	if v.service == Turnstile {
		want = []string{"idempotency_key", "response", "secret"}
	}
	if got := slices.Sorted(maps.Keys(form)); !slices.Equal(got, want) {
		v.t.Errorf("parameters %q, want %q", got, want)
	}
	v.answer(w, form)
}

func (v *verifier) answer(w http.ResponseWriter, form url.Values) {
	token, key := form.Get("response"), form.Get("idempotency_key")
	said, known := v.tokens[token]
	usedUnder, used := v.used[token]
	code := ""
	switch {
	case form.Get("secret") != siteSecret:
		code = "invalid-input-secret"
	case !known:
		code = "invalid-input-response"
	case used && (key == "" || key != usedUnder):
		code = map[Service]string{HCaptcha: "already-seen-response"}[v.service]
		if code == "" {
			code = "timeout-or-duplicate"
		}
	}
	if code != "" {
		said = fmt.Sprintf(`{"success":false,"error-codes":[%q]}`, code)
	} else {
		v.used[token] = key
	}
	if v.drop > 0 {
		v.drop--
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, said)
}

func (v *verifier) client(change ...func(*SiteverifyConfig)) *Siteverify {
	v.t.Helper()
	c := SiteverifyConfig{Service: v.service, Secret: siteSecret, URL: v.url, Timeout: 5 * time.Second}
	for _, apply := range change {
		apply(&c)
	}
	s, err := NewSiteverify(c)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(s.CloseIdleConnections)
	return s
}

func TestSiteverifyTakesEachAnswerOnce(t *testing.T) {
	for _, of := range Services() {
		t.Run(string(of), func(t *testing.T) {
			v := newVerifier(t, of)
			v.tokens["good"] = `{"success":true,"challenge_ts":"2026-03-31T09:00:00Z","hostname":"www.example.com"}`
			s := v.client()
			if err := s.Verify(t.Context(), "good", siteHost); err != nil {
				t.Fatal(err)
			}
			if err := s.Verify(t.Context(), "good", siteHost); !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "used before") {
				t.Errorf("the second time: %v", err)
			}
			if err := s.Verify(t.Context(), "made-up", siteHost); !errors.Is(err, ErrFailed) {
				t.Errorf("an unknown token: %v", err)
			}
			if err := s.Verify(t.Context(), "", siteHost); !errors.Is(err, ErrUnanswered) {
				t.Errorf("no token: %v", err)
			}
			if v.requests != 3 {
				t.Errorf("%d requests, want 3", v.requests)
			}
		})
	}
}

func TestSiteverifyJudges(t *testing.T) {
	hosts := func(hosts ...string) func(*SiteverifyConfig) { return func(c *SiteverifyConfig) { c.Hosts = hosts } }
	action := func(c *SiteverifyConfig) { c.Action = "enquire" }
	score := func(c *SiteverifyConfig) { c.Score = 0.5 }
	for _, test := range []struct {
		name   string
		of     Service
		said   string
		config func(*SiteverifyConfig)
		want   error
		words  string
	}{
		{"host in capitals", Turnstile, `{"success":true,"hostname":"WWW.example.com"}`, nil, nil, ""},
		{"another host", Turnstile, `{"success":true,"hostname":"evil.example"}`, nil, ErrFailed, "another host"},
		{"no host", Turnstile, `{"success":true}`, nil, ErrFailed, "another host"},
		{"a host within", Turnstile, `{"success":true,"hostname":"example.com"}`, nil, ErrFailed, "another host"},
		{"a host that is listed", ReCAPTCHA, `{"success":true,"hostname":"example.com"}`, hosts("example.net", "example.com"), nil, ""},
		{"a host that is not", ReCAPTCHA, `{"success":true,"hostname":"www.example.com"}`, hosts("example.com"), ErrFailed, "another host"},
		{"a host not provided", HCaptcha, `{"success":true,"hostname":"not-provided"}`, nil, nil, ""},
		{"a host not provided by another service", Turnstile, `{"success":true,"hostname":"not-provided"}`, nil, ErrFailed, "another host"},

		{"the action", Turnstile, `{"success":true,"hostname":"www.example.com","action":"enquire"}`, action, nil, ""},
		{"another action", Turnstile, `{"success":true,"hostname":"www.example.com","action":"login"}`, action, ErrFailed, "another action"},
		{"no action", ReCAPTCHA, `{"success":true,"hostname":"www.example.com"}`, action, ErrFailed, "another action"},
		{"any action", ReCAPTCHA, `{"success":true,"hostname":"www.example.com","action":"login"}`, nil, nil, ""},

		{"the score", ReCAPTCHA, `{"success":true,"hostname":"www.example.com","score":0.5}`, score, nil, ""},
		{"a lower score", ReCAPTCHA, `{"success":true,"hostname":"www.example.com","score":0.4}`, score, ErrFailed, "score"},
		{"version 2 has none", ReCAPTCHA, `{"success":true,"hostname":"www.example.com"}`, score, nil, ""},
		// hCaptcha's score is a risk, where lower is better.
		{"hCaptcha's own score", HCaptcha, `{"success":true,"hostname":"www.example.com","score":0.1}`, nil, nil, ""},

		{"no success", Turnstile, `{"success":false,"error-codes":["invalid-input-response"],"hostname":"www.example.com"}`, nil, ErrFailed, "wrong"},
		{"too late", HCaptcha, `{"success":false,"error-codes":["expired-input-response"]}`, nil, ErrFailed, "too late"},
		{"another site's key", HCaptcha, `{"success":false,"error-codes":["sitekey-secret-mismatch"]}`, nil, ErrFailed, "wrong"},
		{"codes of its own", Turnstile, `{"success":false,"error-codes":["0x4AAAAAAA"]}`, nil, ErrFailed, "wrong"},
		{"no codes", Turnstile, `{"success":false}`, nil, ErrFailed, "wrong"},
		{"the wrong secret", Turnstile, `{"success":false,"error-codes":["invalid-input-secret"]}`, nil, ErrUnverified, "secret"},
		{"the service's error", Turnstile, `{"success":false,"error-codes":["internal-error"]}`, nil, ErrUnverified, "internal error"},

		{"empty", Turnstile, ``, nil, ErrUnverified, "no verdict"},
		{"HTML", Turnstile, `<!doctype html>`, nil, ErrUnverified, "no verdict"},
		{"an empty object", Turnstile, `{}`, nil, ErrUnverified, "no verdict"},
		{"success in text", Turnstile, `{"success":"true","hostname":"www.example.com"}`, nil, ErrUnverified, "no verdict"},
		{"success is null", Turnstile, `{"success":null}`, nil, ErrUnverified, "no verdict"},
		{"cut short", Turnstile, `{"success":true,"hostname":"www.example.com"`, nil, ErrUnverified, "no verdict"},
		{"two verdicts", Turnstile, `{"success":true,"hostname":"www.example.com"}{}`, nil, ErrUnverified, "no verdict"},
		{"too long", Turnstile, `{"success":true,"hostname":"www.example.com"}` + strings.Repeat(" ", maxSiteverifyAnswer), nil, ErrUnverified, "no verdict"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newVerifier(t, test.of)
			v.tokens["token"] = test.said
			if test.config == nil {
				test.config = func(*SiteverifyConfig) {}
			}
			err := v.client(test.config).Verify(t.Context(), "token", siteHost)
			if !errors.Is(err, test.want) || err != nil && !strings.Contains(err.Error(), test.words) {
				t.Errorf("error %v, want %v that holds %q", err, test.want, test.words)
			}
		})
	}
}

// What is not a token is not sent, because something in front of the service might block it.
func TestSiteverifySendsOnlyTokens(t *testing.T) {
	v := newVerifier(t, Turnstile)
	s := v.client()
	for _, token := range []string{"a b", "<script>", "a'--", "a\r\nb", "\x00", "ä", "a&b", "%00", strings.Repeat("a", maxSiteverifyToken+1)} {
		if err := s.Verify(t.Context(), token, siteHost); !errors.Is(err, ErrFailed) {
			t.Errorf("%.20q: %v", token, err)
		}
	}
	if v.requests != 0 {
		t.Errorf("%d requests, want none", v.requests)
	}
	// The services' test tokens, and one in Base64.
	for _, token := range []string{"XXXX.DUMMY.TOKEN.XXXX", "10000000-aaaa-bbbb-cccc-000000000001", "P1_eyJ0eXAi.abc-_", "a+b/c=="} {
		v.tokens[token] = `{"success":true,"hostname":"www.example.com"}`
		if err := s.Verify(t.Context(), token, siteHost); err != nil {
			t.Errorf("%s: %v", token, err)
		}
	}
}

// A lost verdict is asked for again if the service repeats verdicts. A good token never looks used.
func TestSiteverifyAsksAgainForALostVerdict(t *testing.T) {
	for _, of := range Services() {
		for drop := 1; drop <= 2; drop++ {
			v := newVerifier(t, of)
			v.tokens["good"] = `{"success":true,"hostname":"www.example.com"}`
			v.drop = drop
			err := v.client().Verify(t.Context(), "good", siteHost)
			if of == Turnstile && drop == 1 {
				if err != nil || v.requests != 2 {
					t.Errorf("%s: %v after %d requests", of, err, v.requests)
				}
			} else if !errors.Is(err, ErrUnverified) {
				t.Errorf("%s, %d lost: %v", of, drop, err)
			}
		}
	}
}

func TestSiteverifyServiceFails(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"an error": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"success":true}`, http.StatusInternalServerError)
		},
		"too many": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "slow down", http.StatusTooManyRequests) },
		"a break":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"a redirect": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/ok")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"nothing, ever": func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() },
		"half an answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"success":true`)
		},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.HandleFunc("/", answer)
			mux.HandleFunc("/ok", func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed, with the secret") })
			server := httptest.NewServer(mux)
			defer server.Close()
			s, err := NewSiteverify(SiteverifyConfig{Service: ReCAPTCHA, Secret: siteSecret, URL: server.URL, Timeout: 200 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer s.CloseIdleConnections()
			checkUnverified(t, s.Verify(t.Context(), "token", siteHost))
		})
	}
	t.Run("canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		checkUnverified(t, newVerifier(t, HCaptcha).client().Verify(ctx, "token", siteHost))
	})
	t.Run("connection refused", func(t *testing.T) {
		s, err := NewSiteverify(SiteverifyConfig{Service: HCaptcha, Secret: siteSecret, URL: "http://127.0.0.1:" + caddyproc.FreePort(t)})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Verify(t.Context(), "token", siteHost)
		checkUnverified(t, err)
		if !strings.Contains(err.Error(), "refused") {
			t.Errorf("the error does not give the cause: %v", err)
		}
	})
}

// checkUnverified also checks that the error does not quote the request.
func checkUnverified(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ErrUnverified) || strings.Contains(err.Error(), siteSecret) || strings.Contains(err.Error(), "token") {
		t.Errorf("error %v", err)
	}
}

func TestSiteverifyCountsOnceConcurrently(t *testing.T) {
	v := newVerifier(t, Turnstile)
	v.tokens["good"] = `{"success":true,"hostname":"www.example.com"}`
	s := v.client()
	var mu sync.Mutex
	passed := 0
	var senders sync.WaitGroup
	for range 20 {
		senders.Go(func() {
			if s.Verify(t.Context(), "good", siteHost) == nil {
				mu.Lock()
				passed++
				mu.Unlock()
			}
		})
	}
	senders.Wait()
	if passed != 1 {
		t.Errorf("it passed %d times", passed)
	}
}

func TestNewSiteverifyRefusesWhatCannotWork(t *testing.T) {
	for name, change := range map[string]func(*SiteverifyConfig){
		"unknown service":  func(c *SiteverifyConfig) { c.Service = "captcha" },
		"no secret":        func(c *SiteverifyConfig) { c.Secret = "" },
		"secret with line": func(c *SiteverifyConfig) { c.Secret += "\n" },
		"hCaptcha action":  func(c *SiteverifyConfig) { c.Service, c.Action = HCaptcha, "enquire" },
		"hCaptcha score":   func(c *SiteverifyConfig) { c.Service, c.Score = HCaptcha, 0.5 },
		"score above one":  func(c *SiteverifyConfig) { c.Score = 1.5 },
		"score below none": func(c *SiteverifyConfig) { c.Score = -0.5 },
		"unencrypted":      func(c *SiteverifyConfig) { c.URL = "http://verify.example/siteverify" },
		"below localhost":  func(c *SiteverifyConfig) { c.URL = "http://verify.localhost/siteverify" },
		"other scheme":     func(c *SiteverifyConfig) { c.URL = "ftp://verify.example" },
		"no host":          func(c *SiteverifyConfig) { c.URL = "https:///siteverify" },
		"with a password":  func(c *SiteverifyConfig) { c.URL = "https://me:hunter2@verify.example/" },
		"no URL":           func(c *SiteverifyConfig) { c.URL = "https://%zz" },
	} {
		c := SiteverifyConfig{Service: ReCAPTCHA, Secret: siteSecret}
		if _, err := NewSiteverify(c); err != nil {
			t.Fatal(err)
		}
		change(&c)
		_, err := NewSiteverify(c)
		if err == nil || strings.Contains(err.Error(), siteSecret) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// Printing a client does not print the secret.
func TestSiteverifyShowsNoSecret(t *testing.T) {
	s := newVerifier(t, Turnstile).client()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if printed := fmt.Sprintf(verb, *s); strings.Contains(printed, siteSecret) {
			t.Errorf("%s prints the secret", verb)
		}
	}
}

func TestJudge(t *testing.T) {
	for _, test := range []struct {
		err     error
		score   int
		verdict guard.Verdict
	}{
		{nil, 0, guard.Welcome},
		{ErrUnanswered, 5, guard.Doubtful},
		{failure("answer is wrong"), 6, guard.Doubtful},
		{unverifiable("the service did not answer in time"), 1, guard.Welcome},
	} {
		for _, closed := range []bool{false, true} {
			got := Judge(test.err, closed)
			if got.Signals.Score() != test.score || got.Signals.Verdict() != test.verdict || got.Refuse != (closed && test.err != nil) {
				t.Errorf("%v, closed %v: %+v", test.err, closed, got)
			}
			if test.err != nil && got.Signals.Reasons() != test.err.Error() {
				t.Errorf("%v: the reasons are %q", test.err, got.Signals.Reasons())
			}
		}
	}
}
