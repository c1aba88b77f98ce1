package httpx_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/internal/httpx"
)

func TestWantsJSON(t *testing.T) {
	const formBody, jsonBody = "application/x-www-form-urlencoded", "application/json"
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
	for _, test := range []struct {
		name, accept, contentType, requestedWith string
		want                                     bool
	}{
		{"a browser", browser, formBody, "", false},
		{"no Accept", "", formBody, "", false},
		{"anything", "*/*", formBody, "", false},
		{"JSON", "application/json", formBody, "", true},
		{"JSON before anything, as axios sends", "application/json, text/plain, */*", formBody, "", true},
		{"JSON less than HTML", "text/html, application/json;q=0.9", formBody, "", false},
		{"JSON more than HTML", "text/html;q=0.5, application/json", formBody, "", true},
		{"both the same", "text/html, application/json", formBody, "", false},
		{"a range of types", "application/*", formBody, "", true},
		{"JSON refused", "application/json;q=0, */*", formBody, "", false},
		{"a broken weight", "application/json;q=lots", formBody, "", false},
		{"a JSON body and anything, as fetch sends", "*/*", jsonBody, "", true},
		{"a JSON body and no Accept", "", jsonBody + "; charset=utf-8", "", true},
		{"a JSON body and HTML", "text/html", jsonBody, "", false},
		{"XMLHttpRequest", browser, formBody, "XMLHttpRequest", true},
		{"XMLHttpRequest, in small letters", browser, formBody, "xmlhttprequest", true},
		{"an app's own name", browser, formBody, "org.example.app", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			for header, value := range map[string]string{"Accept": test.accept, "Content-Type": test.contentType, "X-Requested-With": test.requestedWith} {
				if value != "" {
					r.Header.Set(header, value)
				}
			}
			if got := httpx.WantsJSON(r); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestPreferredLanguages(t *testing.T) {
	for accept, want := range map[string][]string{
		"":                                  {},
		"hi":                                {"hi"},
		"en-US,en;q=0.9,hi;q=0.8":           {"en-US", "en", "hi"},
		"en;q=0.1, hi ; q=0.7 ,ar;q=0.7,de": {"de", "hi", "ar", "en"},
		"de;q=0, *;q=0.5":                   {"*"},
		"de;q=lots, hi;q=2, en":             {"en"},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("Accept-Language", accept)
		got := slices.DeleteFunc(httpx.PreferredLanguages(r), func(tag string) bool { return tag == "" })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", accept, diff)
		}
	}
}
