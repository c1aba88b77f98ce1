package handlertest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// htmx gets its answers with status 200 and headers that say where they belong. It is sent to the
// configured addresses only, whatever its own headers say.
func TestAnswersForHTMX(t *testing.T) {
	const block = "\nfield name\nfield phone\nrate_limit off\n"
	correct, wrong := url.Values{"name": {"Asha"}, "phone": {"08123456789"}}, url.Values{"name": {"Asha"}, "phone": {"12"}}
	for title, test := range map[string]struct {
		block    string
		values   url.Values
		headers  map[string]string
		redirect string // HX-Redirect
		reswap   string // HX-Reswap
		status   int
	}{
		"thanks":               {"thank_you /thanks", correct, nil, "/thanks", "", 200},
		"thanks elsewhere":     {"thank_you https://shop.example/thanks?a=b", correct, nil, "https://shop.example/thanks?a=b", "", 200},
		"thanks in Hindi":      {"thank_you /धन्यवाद", correct, nil, "/%E0%A4%A7%E0%A4%A8%E0%A5%8D%E0%A4%AF%E0%A4%B5%E0%A4%BE%E0%A4%A6", "", 200},
		"thanks for a boost":   {"thank_you /thanks", correct, map[string]string{"HX-Boosted": "true"}, "/thanks", "", 200},
		"thanks for a script":  {"thank_you /thanks", correct, map[string]string{"X-Requested-With": "XMLHttpRequest"}, "/thanks", "", 200},
		"false addresses":      {"thank_you /thanks", correct, map[string]string{"HX-Current-URL": "https://evil.example/", "HX-Target": "//evil.example", "HX-Redirect": "//evil.example"}, "/thanks", "", 200},
		"error":                {"thank_you /thanks", wrong, nil, "", "innerHTML show:none", 200},
		"error for a boost":    {"thank_you /thanks", wrong, map[string]string{"HX-Boosted": "true", "HX-Target": "main"}, "", "innerHTML show:none", 200},
		"error in JSON":        {"thank_you /thanks", wrong, map[string]string{"Accept": "application/json"}, "", "", 422},
		"error by redirect":    {"thank_you /thanks\nerrors redirect /contact?wrong={telecrm.error.fields}", wrong, nil, "/contact?wrong=phone", "", 200},
		"not a form":           {"thank_you /thanks", nil, map[string]string{"Content-Type": "text/plain"}, "", "afterbegin show:none", 200},
		"from another site":    {"thank_you /thanks", wrong, map[string]string{"Sec-Fetch-Site": "cross-site"}, "", "afterbegin show:none", 200},
		"not htmx":             {"thank_you /thanks", wrong, map[string]string{"HX-Request": "1"}, "", "", 422},
		"not htmx, and thanks": {"thank_you /thanks", correct, map[string]string{"HX-Request": ""}, "", "", 303},
	} {
		t.Run(title, func(t *testing.T) {
			h := newHandler(t, newCRM(t).url, block+test.block)
			r := saying(postForm(test.values), "HX-Request", "true")
			for name, value := range test.headers {
				r.Header.Set(name, value)
			}
			w, _, err := h.serve(r)
			if err != nil || w.Code != test.status {
				t.Fatalf("error %v, status %d, want %d", err, w.Code, test.status)
			}
			if got := w.Header().Get("Hx-Redirect"); got != test.redirect {
				t.Errorf("HX-Redirect %q, want %q", got, test.redirect)
			}
			if got := w.Header().Get("Hx-Reswap"); got != test.reswap {
				t.Errorf("HX-Reswap %q, want %q", got, test.reswap)
			}
			isSwapped := test.reswap != ""
			if target, push := w.Header().Get("Hx-Retarget"), w.Header().Get("Hx-Push-Url"); (target == "body") != isSwapped || (push == "false") != isSwapped {
				t.Errorf("HX-Retarget %q, HX-Push-Url %q", target, push)
			}
			if vary := strings.Join(w.Header().Values("Vary"), ", "); !strings.Contains(vary, "HX-Request") || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("Vary %q, Cache-Control %q", vary, w.Header().Get("Cache-Control"))
			}
			for name, values := range w.Header() {
				if strings.Contains(strings.Join(values, " "), "evil") || strings.Contains(w.Body.String(), "evil") {
					t.Errorf("the answer repeats an address, in %s: %q", name, values)
				}
			}
			if got := h.submission(t)["outcome"]; (got == string(outcomeCreated)) != (test.redirect != "" && test.values.Get("phone") != "12" || test.status == http.StatusSeeOther) {
				t.Errorf("outcome %v", got)
			}
		})
	}
}

func saying(r *http.Request, header, value string) *http.Request {
	r.Header.Set(header, value)
	return r
}
