package handlertest

import (
	"net/http"
	"net/url"
	"testing"
)

// Inputs that tell other form services where to send the visitor are ignored. Only the operator
// sets the target.
func TestPostedTargetsAreIgnored(t *testing.T) {
	for _, input := range []string{"_next", "redirect", "_redirect", "next", "redirectUrl", "thank_you", "_form_page", "return_to"} {
		for _, target := range []string{"https://evil.example/", "//evil.example", `\\evil.example`, "/thanks?id=1", "javascript:alert(1)", "/\r\nSet-Cookie: a=b"} {
			h := newHandler(t, newCRM(t).url, simpleBlock)
			r := postForm(with(meera, input, target))
			r.URL.RawQuery = url.Values{input: {target}}.Encode()
			r.Header.Set("Referer", target)
			w := h.mustServe(t, r)
			want := "/thanks?id=" + h.submission(t)["id"].(string)
			if w.Code != http.StatusSeeOther || w.Header().Get("Location") != want || w.Header().Get("Set-Cookie") != "" {
				t.Errorf("%s=%s: status %d to %q", input, target, w.Code, w.Header().Get("Location"))
			}
		}
	}
}

// Posted names and values cannot change an error redirect beyond its placeholders, or add headers.
func TestErrorRedirectKeepsToItsTarget(t *testing.T) {
	h := newHandler(t, newCRM(t).url, `
		field phone "te&l=1#x //evil"
		errors redirect /contact?wrong={telecrm.error.fields}
		thank_you /thanks
	`)
	w := h.mustServe(t, postForm(url.Values{"te&l=1#x //evil": {"12\r\nSet-Cookie: a=b"}, "next\r\nX: y": {"\r\nX: y"}}))
	if got := w.Header().Get("Location"); got != "/contact?wrong=te%26l%3D1%23x+%2F%2Fevil" || len(w.Header()["X"]) > 0 {
		t.Errorf("redirect to %q, header %v", got, w.Header())
	}
}
