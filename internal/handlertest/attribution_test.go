package handlertest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/internal/seam"
	"github.com/leadwire/caddy-telecrm/modules/attributionhandler"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// attributedSite is a site with a form that notes where its visitors come from.
type attributedSite struct {
	testHandler

	crm         crm
	attribution *attributionhandler.Handler
	jar         string            // the visitor's cookie
	headers     map[string]string // that the visitor's browser adds
	blocksAll   bool              // the browser keeps no cookies
}

// newAttributedSite returns a site whose workspace has fields for some of the values.
func newAttributedSite(t *testing.T, attribution, form string) *attributedSite {
	t.Helper()
	schema := sandbox.DefaultSchema()
	for name, kind := range map[string]sandbox.FieldType{
		"first_utm_source": sandbox.TypeText, "first_gclid": sandbox.TypeText, "first_channel": sandbox.TypeText, "first_landing": sandbox.TypeText,
		"first_time": sandbox.TypeDate, "last_utm_source": sandbox.TypeText, "last_referrer": sandbox.TypeText, "last_channel": sandbox.TypeText,
		"visits": sandbox.TypeNumber,
	} {
		schema.Fields = append(schema.Fields, sandbox.Field{APIName: name, Type: kind})
	}
	s := &attributedSite{crm: startCRM(t, sandbox.Config{Token: testToken, EnterpriseID: testEnterprise, Schema: schema})}
	rig := newRig(s.crm.url, "field phone\nthank_you /thanks\ndedupe 1h\n"+form)
	rig.settings.AsyncToken = ""
	s.testHandler = rig.handler(t)
	if err := s.app.Start(); err != nil {
		t.Fatal(err)
	}
	s.attribution = new(attributionhandler.Handler)
	if err := s.attribution.UnmarshalCaddyfile(caddyfile.NewTestDispenser("telecrm_attribution {\n" + attribution + "\n}")); err != nil {
		t.Fatal(err)
	}
	if err := s.attribution.Provision(seam.With(rig.ctx, rig.seam)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.attribution.Cleanup() })
	return s
}

// send sends a request of the visitor's browser and keeps the cookie of the answer.
func (s *attributedSite) send(t *testing.T, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Site", fetchSiteOf(r.Referer(), "https://www.example.com/"))
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	r.Header.Set("Accept-Language", "en")
	r.Header.Set("Accept-Encoding", "gzip")
	for name, value := range s.headers {
		r.Header.Set(name, value)
	}
	if s.jar != "" && !s.blocksAll {
		r.Header.Add("Cookie", s.jar)
	}
	w := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
	page := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Cache-Control", "public, max-age=60")
		_, err := io.WriteString(w, "<p>A page")
		return err
	})
	err := s.attribution.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		return s.ServeHTTP(w, r, page)
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range w.Result().Cookies() {
		s.jar = cookie.Name + "=" + cookie.Value
		if cookie.MaxAge < 0 {
			s.jar = ""
		}
	}
	return w
}

// fetchSiteOf returns the Sec-Fetch-Site header of a browser that comes from the page.
func fetchSiteOf(referer, site string) string {
	switch {
	case referer == "":
		return "none"
	case strings.HasPrefix(referer, site):
		return "same-origin"
	}
	return "cross-site"
}

// visit opens a page and reports whether a cache may store the answer.
func (s *attributedSite) visit(t *testing.T, address, referer string) (isCacheable bool) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if referer != "" {
		r.Header.Set("Referer", referer)
	}
	w := s.send(t, r)
	isPublic := w.Header().Get("Cache-Control") == "public, max-age=60"
	if isPublic != (w.Header().Get("Set-Cookie") == "") || w.Header().Get("Vary") != "" {
		t.Errorf("%s: got %v", address, w.Header())
	}
	return isPublic
}

// post sends the form of a page and returns the fields of the lead.
func (s *attributedSite) post(t *testing.T, phone, page string) map[string]any {
	t.Helper()
	r := postForm(url.Values{"phone": {phone}})
	r.Header.Set("Referer", page)
	r.Header.Set("Origin", "https://www.example.com")
	if w := s.send(t, r); w.Code != http.StatusSeeOther {
		t.Fatalf("got status %d: %s", w.Code, w.Body)
	}
	leads := s.crm.Leads()
	return leads[len(leads)-1].Fields
}

// An ad's landing, three pages, a direct visit the next day, and the form: the lead has both touches.
func TestAttributionJourney(t *testing.T) {
	s := newAttributedSite(t, "", "attribution")
	landed := s.clock.now()
	if s.visit(t, "https://www.example.com/offer?utm_source=google&utm_medium=cpc&gclid=Cj0-x", "https://www.google.com/") {
		t.Error("the landing is not a touch")
	}
	for _, path := range []string{"a", "b", "c"} {
		if !s.visit(t, "https://www.example.com/"+path, "https://www.example.com/offer?gclid=Cj0-x") {
			t.Errorf("/%s is a touch", path)
		}
	}
	s.clock.turn(24 * time.Hour)
	if !s.visit(t, "https://www.example.com/", "") {
		t.Error("a direct visit is a touch")
	}
	fields := s.post(t, "081234 56789", "https://www.example.com/contact")
	if at, err := strconv.ParseInt(fmt.Sprint(fields["first_time"]), 10, 64); err != nil || time.UnixMilli(at).Sub(landed).Abs() > time.Minute {
		t.Errorf("the first touch was at %v, want %s", fields["first_time"], landed)
	}
	delete(fields, "first_time")
	want := map[string]any{
		"phone": "918123456789", "first_utm_source": "google", "first_gclid": "Cj0-x", "first_channel": "Paid Search", "first_landing": "/offer",
		"last_utm_source": "google", "last_referrer": "https://www.google.com/", "last_channel": "Paid Search",
	}
	if got := fmt.Sprint(fields["visits"]); got != "1" {
		t.Errorf("got %s visits", got)
	}
	delete(fields, "visits")
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Error(diff)
	}

	s.visit(t, "https://www.example.com/blog", "https://news.example.org/")
	repeated := len(s.crm.Leads())
	s.post(t, "081234 56789", "https://www.example.com/contact")
	if got := len(s.crm.Leads()); got != repeated {
		t.Error("the same enquiry after another touch is not a repeat")
	}
	fields = s.post(t, "081234 56780", "https://www.example.com/contact")
	if fields["first_channel"] != "Paid Search" || fields["last_channel"] != "Referral" || fields["last_referrer"] != "https://news.example.org/" {
		t.Errorf("after a link on another site: got %v", fields)
	}
}

// Without consent or cookies, the page with the form counts, and nothing is kept.
func TestAttributionWithoutCookie(t *testing.T) {
	const landing = "https://www.example.com/contact?utm_source=ad"
	s := newAttributedSite(t, "consent cookie agreed", "attribution")
	if !s.visit(t, landing, "") {
		t.Error("kept without consent")
	}
	if fields := s.post(t, "081234 56789", landing); fields["first_utm_source"] != "ad" || fields["last_utm_source"] != "ad" {
		t.Errorf("refused: got %v", fields)
	}
	s.headers = map[string]string{"Cookie": "agreed=yes"}
	if s.visit(t, "https://www.example.com/next", landing) {
		t.Error("consent on the landing page comes too late")
	}
	if fields := s.post(t, "081234 56780", "https://www.example.com/contact"); fields["first_utm_source"] != "ad" {
		t.Errorf("given later: got %v", fields)
	}
	s.blocksAll = true
	if fields := s.post(t, "081234 56781", "https://www.example.com/contact"); fields["first_utm_source"] != nil {
		t.Errorf("cookies blocked: got %v", fields)
	}
	if fields := s.post(t, "081234 56782", landing); fields["first_utm_source"] != "ad" {
		t.Errorf("cookies blocked: got %v", fields)
	}
	s = newAttributedSite(t, "url off", "attribution")
	s.blocksAll = true
	if fields := s.post(t, "081234 56789", landing); fields["first_utm_source"] != nil {
		t.Errorf("url off: got %v", fields)
	}
}

// A visitor who corrects something posts from an error page. The page with the form still counts.
func TestAttributionAfterACorrection(t *testing.T) {
	s := newAttributedSite(t, "", "attribution")
	s.blocksAll = true
	post := func(values url.Values) *httptest.ResponseRecorder {
		r := postForm(values)
		r.Header.Set("Referer", "https://www.example.com/enquire")
		r.Header.Set("Origin", "https://www.example.com")
		return s.send(t, r)
	}
	w := post(url.Values{"phone": {"081234 56789"}, "_form_page": {"/offer?utm_source=ad&gclid=%7Benv.HOME%7D"}})
	if w.Code != http.StatusSeeOther {
		t.Fatalf("got status %d: %s", w.Code, w.Body)
	}
	fields := s.crm.Leads()[0].Fields
	if fields["first_utm_source"] != "ad" || fields["first_landing"] != "/offer" || fields["first_gclid"] != nil {
		t.Errorf("got %v", fields)
	}
	for _, page := range []string{"//evil.example/?utm_source=evil", "https://evil.example/?utm_source=evil", "%zz"} {
		phone := fmt.Sprintf("081234567%02d", len(s.crm.Leads()))
		if w := post(url.Values{"phone": {phone}, "_form_page": {page}}); w.Code != http.StatusSeeOther {
			t.Fatalf("%q: got status %d: %s", page, w.Code, w.Body)
		}
		leads := s.crm.Leads()
		if fields := leads[len(leads)-1].Fields; fields["first_utm_source"] != nil {
			t.Errorf("%q: got %v", page, fields)
		}
	}
}

// Values of set and listed fields are sent as they are. What the visitor's link says is not
// expanded.
func TestAttributionInSet(t *testing.T) {
	t.Setenv("ATTRIBUTION_TEST", "leaked")
	s := newAttributedSite(t, "params utm_* ref", "set city \"from {telecrm.last.ref}\"\nattribution {\nfields first_utm_source last_channel\n}")
	s.visit(t, "https://www.example.com/?utm_source=%7Benv.ATTRIBUTION_TEST%7D&ref=a%0Ab", "")
	fields := s.post(t, "081234 56789", "https://www.example.com/")
	want := map[string]any{"phone": "918123456789", "city": "from a b", "first_utm_source": "{env.ATTRIBUTION_TEST}", "last_channel": "Unassigned"}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Error(diff)
	}
}

// A form that sends where visitors came from warns once if nothing can tell.
func TestAttributionWithoutItsHandler(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, "field phone\nattribution\nthank_you /thanks")
	for _, phone := range []string{"081234 56789", "081234 56780"} {
		if _, _, err := h.serve(postForm(url.Values{"phone": {phone}})); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(h.logged("do not pass telecrm_attribution")); got != 1 {
		t.Errorf("got %d warnings, want 1", got)
	}
	s := newAttributedSite(t, "", "attribution")
	s.post(t, "081234 56789", "https://www.example.com/contact")
	if got := s.logged("do not pass telecrm_attribution"); len(got) > 0 {
		t.Errorf("got %v", got)
	}
}
