package handlertest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/internal/trial"
)

// A post that is only tried is judged as the same post in earnest, and leaves nothing behind.
func TestTryJudgesAsInEarnest(t *testing.T) {
	fromElsewhere := func(r *http.Request) {
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
	}
	body := func(kind, text string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Content-Type", kind)
			r.Body, r.ContentLength = http.NoBody, 0
			if text != "" {
				*r = *r.Clone(r.Context())
				r.Body = readCloser{strings.NewReader(text)}
				r.ContentLength = int64(len(text))
			}
		}
	}
	for name, test := range map[string]struct {
		block  string
		values url.Values
		change func(*http.Request)
		want   string // the outcome in earnest
	}{
		"sent":              {guardedBlock, meera, nil, "waiting"},
		"invalid":           {guardedBlock, with(meera, "phone", "12"), nil, "invalid"},
		"trapped":           {guardedBlock, with(meera, "_gotcha", "x"), nil, "aside"},
		"trapped, invalid":  {guardedBlock, url.Values{"phone": {"1"}, "_gotcha": {"x"}}, nil, "aside"},
		"advertised":        {guardedBlock, advertised, nil, "asked"},
		"foreign":           {guardedBlock, meera, fromElsewhere, "foreign"},
		"challenge":         {guardedBlock + "challenge altcha {\ncomplexity 1000\n}", meera, nil, "asked"},
		"closed challenge":  {guardedBlock + "challenge altcha {\ncomplexity 1000\nfail closed\n}", meera, nil, "unproven"},
		"unprotected":       {guardedBlock + "protect", meera, nil, "asked"},
		"trap not in form":  {guardedBlock + "honeypot url2 url3", meera, nil, "waiting"},
		"not a form":        {guardedBlock, meera, body("text/plain", "hello"), "not_a_form"},
		"broken JSON":       {guardedBlock, meera, body("application/json", "{"), "malformed"},
		"larger than limit": {guardedBlock + "max_body 1KB", meera, body("application/x-www-form-urlencoded", "phone=8123456789&message="+strings.Repeat("a", 2000)), "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHandler(t, "http://127.0.0.1:1/autoupdate/v2", test.block)
			_, app, _ := withOutbox(t, h)
			post := func() *http.Request {
				r := postForm(test.values)
				if test.change != nil {
					test.change(r)
				}
				return r
			}
			record := new(trial.Record)
			tried := post()
			if w := h.mustServe(t, tried.WithContext(trial.With(tried.Context(), record))); w.Body.Len() > 0 {
				t.Errorf("the answer is %s", w.Body)
			}
			if entries := kept(t, app); len(entries) > 0 || len(h.outcomes()) > 0 {
				t.Errorf("left behind %d leads and %d log lines", len(entries), len(h.outcomes()))
			}
			h.mustServe(t, post())
			got := h.outcomes()[0]
			want := string(record.Outcome)
			if want == string(trial.Sent) {
				want = "waiting"
			}
			if got != test.want || got != want {
				t.Errorf("the outcome is %s, and was %s when tried; want %s", got, record.Outcome, test.want)
			}
		})
	}
}

// The page of the site has the trap and the stamp that a try does not fetch.
func TestTryFromPage(t *testing.T) {
	h := newHandler(t, "http://127.0.0.1:1/autoupdate/v2", guardedBlock+"protect")
	record := &trial.Record{Seal: true}
	r := postForm(meera)
	h.mustServe(t, r.WithContext(trial.With(r.Context(), record)))
	if record.Outcome != trial.Sent || record.Form != "form" {
		t.Errorf("got %+v", record)
	}
	results := make(map[string]trial.Result)
	for _, g := range record.Guards {
		results[g.Name] = g.Result
	}
	for guard, want := range map[string]trial.Result{
		"origins": trial.Passes, "rate_limit": trial.NotTried, "honeypot": trial.Passes, "protect": trial.Passes, "dedupe": trial.NotTried, "challenge": trial.Off,
	} {
		if results[guard] != want {
			t.Errorf("%s: got %q, want %q", guard, results[guard], want)
		}
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
