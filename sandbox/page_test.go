package sandbox_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w
}

const hostileLead = `{
	"fields":{
		"phone":"918123456789",
		"name":"<script>alert(1)</script>",
		"message":"\"><img src=x onerror=alert(1)>",
		"interests":["</ul><script>alert(2)</script>"],
		"submitted_at":1767240000000,
		"<b>bad</b>":"x"
	},
	"actions":[
		{"type":"1042","fields":{"note":"<iframe src=//example.com>"}},
		{"type":"PAYMENT","status":"PENDING","currency":"INR","amount":"2499"}
	]}`

func TestPageShowsLeadsWithoutScript(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	create(t, s, phoneBody(1))
	create(t, s, hostileLead)
	w := get(t, s, "/")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("status %d, content type %q", w.Code, w.Header().Get("Content-Type"))
	}
	page := w.Body.String()
	for _, want := range []string{
		"&lt;script&gt;alert(1)&lt;/script&gt;",
		"&#34;&gt;&lt;img src=x onerror=alert(1)&gt;",
		"<li>&lt;/ul&gt;&lt;script&gt;alert(2)&lt;/script&gt;</li>",
		"&lt;iframe src=//example.com&gt;",
		"fields.&lt;b&gt;bad&lt;/b&gt;",
		"1767240000000", "Thu 1 Jan 2026, 04:00 UTC", "DATE · number", "TAGS · array",
		"Callback asked", "Payment", "2499", "2 Jan 2026, 12:00:00 UTC",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	for _, bad := range []string{"<script>", "<img", "<iframe", "<b>"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	if strings.Index(page, "alert(1)") > strings.Index(page, "918123400001") {
		t.Error("the older lead comes first")
	}
}

// TestPageLoadsOnlyItself checks every URL of the page, and its policy.
func TestPageLoadsOnlyItself(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	mux := http.NewServeMux()
	mux.Handle("/crm/", http.StripPrefix("/crm", s))
	w := get(t, mux, "/crm/")
	links := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(w.Body.String(), -1)
	if len(links) < 4 {
		t.Fatalf("found only %v", links)
	}
	for _, link := range links {
		if strings.HasPrefix(link[1], "/") || strings.Contains(link[1], ":") {
			t.Errorf("%q is not relative", link[1])
		}
		if res := get(t, mux, "/crm/"+link[1]); res.Code != http.StatusOK || res.Body.Len() == 0 {
			t.Errorf("%q: status %d", link[1], res.Code)
		}
	}
	policy := w.Header().Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", w.Header())
	}
}

func TestPageShowsTheNewest(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	for n := range 1001 {
		create(t, s, phoneBody(n))
	}
	page := get(t, s, "/").Body.String()
	if n := strings.Count(page, "<article"); n != 1000 {
		t.Errorf("%d leads shown, want 1000", n)
	}
	if strings.Contains(page, "918123400000") || !strings.Contains(page, "918123401000") {
		t.Error("the page does not show the newest leads")
	}
	if n := len(s.Leads()); n != 1001 {
		t.Errorf("%d leads kept, want all", n)
	}
}

func TestLeadsJSON(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	if body := get(t, s, "/leads.json").Body.String(); body != "[]" {
		t.Errorf("no leads: %s, want []", body)
	}
	create(t, s, phoneBody(1))
	create(t, s, hostileLead)
	var got []sandbox.Lead
	dec := json.NewDecoder(get(t, s, "/leads.json").Body)
	dec.UseNumber()
	if err := dec.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.Leads(), got); diff != "" {
		t.Errorf("leads.json (-stored +read):\n%s", diff)
	}
}

func TestUnknownPagesAreHTML404(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/index.html", "/assets/", "/assets/page.html", "/assets/../sandbox.go", "/events/"} {
		if w := get(t, newSandbox(t), path); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, w.Code)
		}
	}
}
