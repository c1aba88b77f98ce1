package handlertest

import (
	"net/url"
	"testing"
)

// A visitor who corrects a mistake posts from the error page. The lead says the page that they filled
// in all the same.
func TestRefererAfterAnErrorIsThePage(t *testing.T) {
	const block = "field phone\nset page_url {http.request.header.referer} website\naction 1042 {\n\tset page {http.request.header.Referer}\n}\nthank_you /thanks"
	for name, test := range map[string]struct{ referer, carried, want string }{
		"first post":              {"https://www.example.com/offers/solar", "", "https://www.example.com/offers/solar"},
		"corrected":               {"https://www.example.com/enquire", "/offers/solar?plan=gold&x=%C3%BC", "https://www.example.com/offers/solar?plan=gold&x=%C3%BC"},
		"corrected, with a query": {"https://www.example.com/enquire?a=b", "/", "https://www.example.com/"},
		"of another page":         {"https://www.example.com/other", "/offers", "https://www.example.com/other"},
		"of another site":         {"https://www.example.net/enquire", "/offers", "https://www.example.net/enquire"},
		"made up as a host":       {"https://www.example.com/enquire", "//evil.example/x", "https://www.example.com/enquire"},
		"made up":                 {"https://www.example.com/enquire", "https://evil.example/x", "https://www.example.com/enquire"},
		"made up with slashes":    {"https://www.example.com/enquire", `/\evil.example/x`, "https://www.example.com/evil.example/x"},
		"a template":              {"https://www.example.com/enquire", "/{env.HOME}", "https://www.example.com/%7Benv.HOME%7D"},
		"without a Referer":       {"", "/offers", ""},
	} {
		t.Run(name, func(t *testing.T) {
			crm := newCRM(t)
			h := newHandler(t, crm.url, block)
			values := url.Values{"phone": {"08123456789"}}
			if test.carried != "" {
				values.Set("_form_page", test.carried)
			}
			r := postForm(values)
			if test.referer != "" {
				r.Header.Set("Referer", test.referer)
			}
			if _, _, err := h.serve(r); err != nil {
				t.Fatal(err)
			}
			leads := crm.Leads()
			if len(leads) != 1 || len(leads[0].Actions) != 1 {
				t.Fatalf("leads %v, want one with an action", leads)
			}
			field, _ := leads[0].Fields["page_url"].(string)
			key, _ := leads[0].Actions[0].Fields["page"].(string)
			if field != test.want || key != test.want {
				t.Errorf("the lead's page is %q, and its action's %q, want %q", field, key, test.want)
			}
		})
	}
}
