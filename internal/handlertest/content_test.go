package handlertest

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// postFrom sends the values in a POST from the client's address.
func (h testHandler) postFrom(t *testing.T, client string, values url.Values) {
	t.Helper()
	r := postForm(values)
	w := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
	caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, client)
	if err := h.ServeHTTP(w, r, &passed{}); err != nil {
		t.Fatal(err)
	}
}

// Values that the page itself adds never count as spam: no visitor is asked and no lead is parked.
func TestPageConstantsAreNotJudged(t *testing.T) {
	stamped := func(h testHandler, values url.Values) url.Values {
		if !h.Protect {
			return values
		}
		trap, stamp := h.seal(t, 7*time.Second)
		return with(with(values, trap, ""), "_stamp", stamp)
	}
	long := strings.Repeat("https://www.example.com/loan?utm_source=mail ", 4)
	for name, constants := range map[string]url.Values{
		"page and referrer":     {"page_url": {"https://www.example.com/flats/12"}, "referrer": {"https://search.example/?q=flats"}},
		"consent and campaigns": {"consent": {"I agree to be called and to the terms on https://www.example.com/terms"}, "first": {"https://a.example/?gclid=1"}, "last": {"https://b.example/"}, "landing": {"https://c.example/lp"}},
		"autofilled at once":    {"address": {strings.Repeat("14 Long Road, Old Town, ", 10)}, "employer": {long}},
		"an advertising page":   {"offer": {"Guaranteed returns! Best SEO casino loan, click here now"}},
		"random ids":            {"client": {"QzTkWpLmRvXsHgFd"}, "visit": {"QzTkWpLmRvXsHgFd"}, "session": {"QzTkWpLmRvXsHgFd"}},
	} {
		for _, protect := range []string{"", "protect\n"} {
			t.Run(name+" "+protect, func(t *testing.T) {
				h := newHandler(t, newCRM(t).url, guardedBlock+"unmapped more\n"+protect)
				withOutbox(t, h)
				for n := range 12 {
					values := url.Values{"name": {fmt.Sprintf("Visitor %d", n)}, "phone": {fmt.Sprintf("0812345%04d", n)}, "message": {"Please call me."}}
					maps.Copy(values, constants)
					h.postFrom(t, fmt.Sprintf("198.51.%d.7", n), stamped(h, values))
				}
				if rest := slices.DeleteFunc(h.outcomes(), func(o string) bool { return o == string(outcomeCreated) || o == string(outcomeWaiting) }); len(rest) > 0 {
					t.Errorf("outcomes %v", rest)
				}
			})
		}
	}
}

// A value that would be suspicious if a visitor typed it does not count once most posts contain it.
func TestPageConstantsAreRecognized(t *testing.T) {
	h := newHandler(t, newCRM(t).url, guardedBlock+"unmapped more\n")
	withOutbox(t, h)
	for n := range 6 {
		h.postFrom(t, fmt.Sprintf("198.51.%d.7", n), url.Values{
			"name": {"Meera Iyer"}, "phone": {fmt.Sprintf("0812345%04d", n)}, "message": {"Please call me."},
			"terms": {`I agree to the <a href="/terms">terms</a>`},
		})
	}
	want := []string{"asked", "asked", "created", "created", "created", "created"}
	if got := h.outcomes(); !slices.Equal(got, want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
}

// With "honeypot off" a missing or filled trap does not count.
func TestHoneypotOff(t *testing.T) {
	h := newHandler(t, newCRM(t).url, guardedBlock+"honeypot off\n")
	_, app, _ := withOutbox(t, h)
	r := postForm(with(meera, "_gotcha", "filled in"))
	r.Header.Set("User-Agent", "curl/8")
	if w := h.mustServe(t, r); w.Code != http.StatusSeeOther {
		t.Fatalf("status %d", w.Code)
	}
	logged := h.submission(t)
	if signals, has := logged["spam_signals"]; has || logged["outcome"] != string(outcomeCreated) {
		t.Errorf("outcome %v, signals %v", logged["outcome"], signals)
	}
	if entries := kept(t, app); len(entries) != 1 || entries[0].State == outbox.Parked {
		t.Errorf("kept %+v", entries)
	}
}

// A per cent sign that is not part of an escape is text, in the body and in the query.
func TestPerCentSignsAreText(t *testing.T) {
	for sent, want := range map[string]string{
		"50% off":   "50% off",
		"100%":      "100%",
		"%zz+%4":    "%zz %4",
		"%u0041":    "%u0041",
		"5%25%20%":  "5% %",
		"a;b=50%":   "a;b=50%",
		"caf%E9+5%": "café 5%",
	} {
		t.Run(sent, func(t *testing.T) {
			crm := newCRM(t)
			h := newHandler(t, crm.url, "field phone\nfield message\nset city {query.utm_campaign}\nset source \"{http.request.uri.query.s}\"\nthank_you /thanks\n")
			r := postForm(nil)
			r.Body = io.NopCloser(strings.NewReader("phone=08123456789&message=" + sent))
			r.URL.RawQuery = "s=a&utm_campaign=" + strings.ReplaceAll(sent, " ", "+") + "&s=b"
			if w := h.mustServe(t, r); w.Code != http.StatusSeeOther {
				t.Fatalf("status %d: %v", w.Code, h.submission(t))
			}
			fields := crm.Leads()[0].Fields
			if fields["message"] != want || fields["city"] != want || fields["source"] != "a,b" {
				t.Errorf("got message %q, city %q and source %q, want %q", fields["message"], fields["city"], fields["source"], want)
			}
		})
	}
}

// People send links to what they ask about, and words that programs use. They are not asked again.
func TestLinksThatPeopleSend(t *testing.T) {
	for name, message := range map[string]string{
		"three listings":        "Is this flat still free? https://a.example/flat/12 https://b.example/listing?id=9 https://www.c.example/p/77",
		"three listings, lines": "https://a.example/1\nhttps://b.example/2\nhttps://c.example/3",
		"without a scheme":      "www.a.example/flat and www.b.example/flat, also www.c.example/flat",
		"five":                  strings.Repeat("https://www.example.com/flat ", 5),
		"the word url":          "The price is on [url], can you check?",
		"the word twice":        "I could not paste the [URL] and the second [url]",
		"an unfilled template":  "Hello, see [link] or [url=] for my shop [/url]",
		"words about a link":    "The [link] on your page https://www.example.com does not work",
		"HTML in words":         "Our <a> element has no href",
		"a map and a page":      "We are here: https://maps.example/x?q=1,2 and www.shop.example",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHandler(t, newCRM(t).url, "field name\nfield phone\nfield message\nthank_you /thanks\n")
			w := h.mustServe(t, postTo("https://www.example.com/enquire", with(meera, "message", message), "Sec-Fetch-Site: same-origin"))
			if logged := h.submission(t); w.Code != http.StatusSeeOther || logged["spam_signals"] != nil {
				t.Errorf("status %d, signals %v", w.Code, logged["spam_signals"])
			}
		})
	}
}
