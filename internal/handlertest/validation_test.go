package handlertest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const validationBlock = `
	field name {
		required "Please tell us your name."
	}
	field phone tel
	field interests interests[] tags {
		options Subsidy Financing
	}
	honeypot website
	rate_limit 1 1h
	dedupe 10m
	max_body 2KB
	thank_you /thanks
`

// validate asks for a check as Laravel's Precognition does.
func validate(values url.Values, only string) *http.Request {
	r := postForm(values)
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Precognition", "true")
	if only != "" {
		r.Header.Set("Precognition-Validate-Only", only)
	}
	return r
}

func TestPrecognition(t *testing.T) {
	h := newHandler(t, newCRM(t).url, validationBlock)
	const name, phone = "Please tell us your name.", "The phone number in “Tel” is too short. Enter all of its digits."
	const interests = "Choose one of the answers listed for “Interests”."
	wrong := url.Values{"name": {""}, "tel": {"12"}, "interests[]": {"Subsidy", "Tea"}}
	for title, test := range map[string]struct {
		r      *http.Request
		status int
		errors map[string][]string
	}{
		"correct":                  {validate(url.Values{"name": {"Asha"}, "tel": {"08123456789"}}, ""), 204, nil},
		"wrong":                    {validate(wrong, ""), 422, map[string][]string{"name": {name}, "tel": {phone}, "interests[]": {interests}}},
		"wrong, one asked about":   {validate(wrong, "tel"), 422, map[string][]string{"tel": {phone}}},
		"wrong, two asked about":   {validate(wrong, "name, tel"), 422, map[string][]string{"name": {name}, "tel": {phone}}},
		"wrong, not asked about":   {validate(wrong, "message"), 204, nil},
		"wrong, part of a name":    {validate(wrong, "te,tell,telephone"), 204, nil},
		"an array":                 {validate(wrong, "interests"), 422, map[string][]string{"interests[]": {interests}}},
		"an item of an array":      {validate(wrong, "interests.1"), 422, map[string][]string{"interests[]": {interests}}},
		"all items of an array":    {validate(wrong, "interests.*"), 422, map[string][]string{"interests[]": {interests}}},
		"missing":                  {validate(url.Values{"tel": {"08123456789"}}, "name"), 422, map[string][]string{"name": {name}}},
		"missing, other asked":     {validate(url.Values{"tel": {"08123456789"}}, "tel"), 204, nil},
		"trapped":                  {validate(url.Values{"name": {""}, "website": {"https://spam.example"}}, ""), 204, nil},
		"very many asked about":    {validate(wrong, strings.Repeat("x,", 8<<10)), 422, map[string][]string{"name": {name}, "tel": {phone}, "interests[]": {interests}}},
		"JSON":                     {withBody(validate(nil, ""), "application/json", `{"name": "", "tel": "08123456789"}`), 422, map[string][]string{"name": {name}}},
		"broken JSON":              {withBody(validate(nil, ""), "application/json", `{"name"`), 400, map[string][]string{}},
		"not a form":               {withBody(validate(nil, ""), "text/plain", `hello`), 415, map[string][]string{}},
		"too large":                {validate(url.Values{"name": {strings.Repeat("x", 4096)}}, ""), 413, nil},
		"from another site":        {saying(validate(wrong, ""), "Sec-Fetch-Site", "cross-site"), 403, map[string][]string{}},
		"written differently":      {saying(validate(wrong, "tel"), "Precognition", "True"), 422, map[string][]string{"tel": {phone}}},
		"with other Accept":        {saying(validate(wrong, "tel"), "Accept", "text/html"), 422, map[string][]string{"tel": {phone}}},
		"with Unpoly's header too": {saying(validate(wrong, "tel"), "X-Up-Validate", "tel"), 422, map[string][]string{"tel": {phone}}},
	} {
		t.Run(title, func(t *testing.T) {
			w := h.serveFrom(t, "192.0.2.7", test.r)
			if w.Code != test.status || w.Header().Get("Precognition") != "true" {
				t.Errorf("status %d, Precognition %q", w.Code, w.Header().Get("Precognition"))
			}
			if vary := strings.Join(w.Header().Values("Vary"), ", "); !strings.Contains(vary, "Precognition") || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("Vary %q, Cache-Control %q", vary, w.Header().Get("Cache-Control"))
			}
			isSuccess := test.status == http.StatusNoContent
			if got := w.Header().Get("Precognition-Success"); (got == "true") != isSuccess {
				t.Errorf("Precognition-Success %q", got)
			}
			if isSuccess {
				if w.Body.Len() > 0 {
					t.Errorf("body %s", w.Body)
				}
				return
			}
			var body struct {
				Message string              `json:"message"`
				Errors  map[string][]string `json:"errors"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Message == "" {
				t.Fatalf("body %s, error %v", w.Body, err)
			}
			if test.errors == nil {
				return
			}
			if diff := cmp.Diff(test.errors, body.Errors); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
	checkNothingSubmitted(t, h)
}

// A visitor whose form was checked many times can still send it, and sends it once.
func checkNothingSubmitted(t *testing.T, h testHandler) {
	t.Helper()
	if got := h.log.FilterMessage("submission").Len(); got > 0 {
		t.Errorf("%d submissions were logged", got)
	}
	values := url.Values{"name": {"Asha"}, "tel": {"08123456789"}}
	if w := h.serveFrom(t, "192.0.2.7", postForm(values)); w.Code != http.StatusSeeOther {
		t.Errorf("status %d for the submission", w.Code)
	}
	if got := h.submission(t)["outcome"]; got != string(outcomeCreated) {
		t.Errorf("outcome %v", got)
	}
}

// Requests that only want the form checked make no lead, whatever they contain.
func TestValidationRequestsAreNotSubmissions(t *testing.T) {
	correct := url.Values{"name": {"Asha"}, "tel": {"08123456789"}}
	for title, header := range map[string][2]string{
		"Precognition":    {"Precognition", "true"},
		"Unpoly":          {"X-Up-Validate", "tel"},
		"Unpoly, several": {"X-Up-Validate", "name tel"},
		"Unpoly, unknown": {"X-Up-Validate", ":unknown"},
		"Unpoly, long":    {"X-Up-Validate", strings.Repeat("tel ", 4096)},
		"Unpoly, strange": {"X-Up-Validate", "<script>\"'"},
	} {
		t.Run(title, func(t *testing.T) {
			crm := newCRM(t)
			h := newHandler(t, crm.url, validationBlock+"\nchallenge altcha {\nfail closed\n}")
			for range 3 {
				w := h.serveFrom(t, "192.0.2.7", saying(postForm(correct), header[0], header[1]))
				if w.Code != http.StatusNoContent {
					t.Errorf("status %d: %s", w.Code, w.Body)
				}
				if vary := strings.Join(w.Header().Values("Vary"), ", "); !strings.Contains(vary, header[0]) {
					t.Errorf("Vary %q", vary)
				}
			}
			if leads := crm.Leads(); len(leads) > 0 || crm.Requests() > 0 {
				t.Errorf("%d leads, %d requests", len(leads), crm.Requests())
			}
			if got := h.log.FilterMessage("submission").Len(); got > 0 {
				t.Errorf("%d submissions were logged", got)
			}
		})
	}
	// Other values are those of submissions.
	for _, header := range [][2]string{{"Precognition", "false"}, {"Precognition", ""}, {"Precognition-Validate-Only", "tel"}, {"X-Up-Validate", ""}, {"X-Up-Version", "3.0.0"}} {
		h := newHandler(t, newCRM(t).url, validationBlock)
		if h.serveFrom(t, "192.0.2.7", saying(postForm(correct), header[0], header[1])); h.submission(t)["outcome"] != string(outcomeCreated) {
			t.Errorf("%q: outcome %v", header, h.submission(t)["outcome"])
		}
	}
}

// Scripts of a listed site may ask for a check, and read the answer.
func TestPrecognitionFromAListedSite(t *testing.T) {
	h := newHandler(t, newCRM(t).url, validationBlock+"\norigins https://partner.example.org")
	preflight := httptest.NewRequest(http.MethodOptions, "https://www.example.com/enquire", nil)
	preflight.Header.Set("Origin", "https://partner.example.org")
	preflight.Header.Set("Access-Control-Request-Method", http.MethodPost)
	w, _, err := h.serve(preflight)
	if allowed := w.Header().Get("Access-Control-Allow-Headers"); err != nil || !strings.Contains(allowed, "Precognition, Precognition-Validate-Only") {
		t.Errorf("error %v, allowed %q", err, allowed)
	}
	r := saying(validate(url.Values{"tel": {"12"}}, "tel"), "Origin", "https://partner.example.org")
	w = h.serveFrom(t, "192.0.2.7", saying(r, "Sec-Fetch-Site", "cross-site"))
	if exposed := w.Header().Get("Access-Control-Expose-Headers"); w.Code != http.StatusUnprocessableEntity || !strings.Contains(exposed, "Precognition") {
		t.Errorf("status %d, exposed %q", w.Code, exposed)
	}
}

func withBody(r *http.Request, contentType, body string) *http.Request {
	replaced := httptest.NewRequest(r.Method, r.URL.String(), strings.NewReader(body))
	replaced.Header = r.Header
	return saying(replaced, "Content-Type", contentType)
}

// Checks do not count as posts, but have a limit of their own: each may read and fill in the page with
// the form. Over the limit the page is not read, and posts are still accepted.
func TestChecksAreLimited(t *testing.T) {
	h := newHandler(t, newCRM(t).url, guardedBlock+"rate_limit 2 1m {\n\texcept 198.51.100.0/24\n}")
	wrong := with(meera, "phone", "12")
	unpoly := func() *http.Request { return saying(postForm(wrong), "X-Up-Validate", "phone") }
	const most = 100
	for n := range most + 20 {
		r, isLimited := validate(wrong, "phone"), n >= most
		if n%2 == 1 {
			r = unpoly()
		}
		w := h.serveFrom(t, "192.0.2.7", r)
		wait, err := strconv.Atoi(w.Header().Get("Retry-After"))
		if (w.Code == http.StatusTooManyRequests) != isLimited || isLimited && (err != nil || wait < 1 || wait > 60 || n%2 == 1 && w.Body.Len() > 0) {
			t.Fatalf("check %d: status %d, Retry-After %q, body %s", n+1, w.Code, w.Header().Get("Retry-After"), w.Body)
		}
		if w := h.serveFrom(t, "198.51.100.7", validate(wrong, "phone")); w.Code != http.StatusUnprocessableEntity {
			t.Fatalf("check %d from an address without a limit: status %d", n+1, w.Code)
		}
	}
	if w := h.serveFrom(t, "192.0.2.8", validate(wrong, "phone")); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("another visitor: status %d", w.Code)
	}
	if w := h.serveFrom(t, "192.0.2.7", postForm(meera)); w.Code != http.StatusSeeOther {
		t.Errorf("the post: status %d", w.Code)
	}
}
