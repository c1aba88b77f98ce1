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
		{"browser", browser, formBody, "", false},
		{"no Accept", "", formBody, "", false},
		{"anything", "*/*", formBody, "", false},
		{"JSON", "application/json", formBody, "", true},
		{"JSON before anything, as axios sends", "application/json, text/plain, */*", formBody, "", true},
		{"HTML preferred to JSON", "text/html, application/json;q=0.9", formBody, "", false},
		{"JSON preferred to HTML", "text/html;q=0.5, application/json", formBody, "", true},
		{"both equal", "text/html, application/json", formBody, "", false},
		{"range of types", "application/*", formBody, "", true},
		{"JSON refused", "application/json;q=0, */*", formBody, "", false},
		{"invalid weight", "application/json;q=lots", formBody, "", false},
		{"JSON body and anything, as fetch sends", "*/*", jsonBody, "", true},
		{"JSON body and no Accept", "", jsonBody + "; charset=utf-8", "", true},
		{"JSON body and HTML", "text/html", jsonBody, "", false},
		{"XMLHttpRequest", browser, formBody, "XMLHttpRequest", true},
		{"XMLHttpRequest in lower case", browser, formBody, "xmlhttprequest", true},
		{"app name in X-Requested-With", browser, formBody, "org.example.app", false},
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
