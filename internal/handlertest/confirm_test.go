package handlertest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// unprovenBlock is a form that asks visitors who did not pass its challenge to send it again.
const unprovenBlock = guardedBlock + "rate_limit off\nchallenge altcha {\ncomplexity 1000\n}\n"

// unproven is a post without an answer to the challenge.
var unproven = with(meera, "message", "Please call me")

// A confirmation is valid once, for the enquiry and the network that it was issued for.
func TestConfirmationsAreBound(t *testing.T) {
	for _, dedupe := range []string{"10m", "off"} {
		t.Run("dedupe "+dedupe, func(t *testing.T) {
			crm := newCRM(t)
			h := newHandler(t, crm.url, unprovenBlock+"dedupe "+dedupe)
			withOutbox(t, h)
			post := func(address, what string, r *http.Request, want ...string) *httptest.ResponseRecorder {
				t.Helper()
				w := h.serveFrom(t, address, r)
				if got := h.submission(t)["outcome"].(string); !slices.Contains(want, got) {
					t.Errorf("%s: outcome %s", what, got)
				}
				return w
			}
			const at = "192.0.2.7"
			token := confirmation(t, post(at, "the first post", postForm(unproven), "asked"))
			confirmed := with(with(unproven, confirmInput, token), "message", "Please call me in the evening")
			for n := range 5 {
				address := fmt.Sprintf("198.51.%d.7", 100+n)
				post(address, "another person from "+address, postForm(with(confirmed, "phone", fmt.Sprint("0812345678", n))), "asked", "aside")
				post(address, "the same person from "+address, postForm(confirmed), "asked", "aside")
			}
			post(at, "another person from the same network", postForm(with(confirmed, "phone", "08123456780")), "asked", "aside")
			elsewhere := postForm(confirmed)
			elsewhere.Host = "delhi.example.com"
			post(at, "on another host", elsewhere, "asked", "aside")
			if len(crm.Leads()) != 0 {
				t.Fatalf("%d leads were created without a valid confirmation", len(crm.Leads()))
			}
			own := with(confirmed, "message", "Or tomorrow, if that is better")
			post("192.0.2.8", "the visitor", postForm(own), "created")
			post(at, "used again", postForm(with(own, "message", "Or on any other day of the week")), "asked", "aside")
			if len(crm.Leads()) != 1 {
				t.Errorf("%d leads, want 1", len(crm.Leads()))
			}
		})
	}
}

// A visitor who is asked once more reads, in their language, that nothing was sent yet.
func TestOneMoreStepSaysThatNothingWasSent(t *testing.T) {
	h := newHandler(t, newCRM(t).url, unprovenBlock)
	withOutbox(t, h)
	for language, want := range map[string]string{
		"en": "Your message has not been sent yet.",
		"de": "Ihre Nachricht ist noch nicht gesendet.",
		"hi": "आपका संदेश अभी भेजा नहीं गया है।",
		"ar": "لم تُرسل رسالتك بعد.",
	} {
		r := postForm(with(unproven, "message", "Please call me, "+language))
		r.Header.Set("Accept-Language", language)
		w := h.mustServe(t, r)
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: status %d, the page does not say %q", language, w.Code, want)
		}
	}
}

// A post that fails does not use up its confirmation.
func TestConfirmationAfterFailure(t *testing.T) {
	h := newHandler(t, "http://127.0.0.1:1/autoupdate/v2", unprovenBlock)
	guest, _, _ := withOutbox(t, h)
	confirmed := with(unproven, confirmInput, confirmation(t, h.mustServe(t, postForm(unproven))))
	guest.full.Store(true)
	if w := h.mustServe(t, postForm(confirmed)); w.Code != http.StatusServiceUnavailable {
		t.Fatalf("status %d", w.Code)
	}
	guest.full.Store(false)
	if w := h.mustServe(t, postForm(confirmed)); w.Code != http.StatusSeeOther {
		t.Errorf("sent again: status %d", w.Code)
	}
}

// After a confirmation was used for a changed message, the original message is a new enquiry. The
// visitor is asked again and gets through, with or without an outbox.
func TestOriginalMessageAfterConfirmation(t *testing.T) {
	for _, keeps := range []bool{true, false} {
		h := newHandler(t, newCRM(t).url, unprovenBlock+"on_duplicate ignore")
		if keeps {
			withOutbox(t, h)
		}
		for range 2 {
			token := confirmation(t, h.mustServe(t, postForm(unproven)))
			message := "Please call me, not " + token[:36]
			h.mustServe(t, postForm(with(with(unproven, "message", message), confirmInput, token)))
		}
		got := h.outcomes()
		if len(got) != 4 || got[0] != "asked" || got[1] != "created" || got[2] != "asked" || got[3] == "asked" {
			t.Errorf("keeps leads %t: outcomes %v", keeps, got)
		}
	}
}

// Without the built-in page, the confirmation comes in the answer and in a cookie. It works with
// changed values and with `dedupe off`.
func TestConfirmationsWithoutPage(t *testing.T) {
	asJSON := func(values url.Values) *http.Request {
		r := postForm(values)
		r.Header.Set("Accept", "application/json")
		return r
	}
	tokenOf := func(t *testing.T, h testHandler, w *httptest.ResponseRecorder) string {
		if h.Errors == "redirect" {
			location, err := url.Parse(w.Header().Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			return location.Query().Get("c")
		}
		var body failureBody
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		return body.Confirm
	}
	for name, test := range map[string]struct {
		block string
		post  func(url.Values) *http.Request
	}{
		"JSON":                     {"", asJSON},
		"JSON, errors handle":      {"errors handle", asJSON},
		"redirect":                 {"errors redirect /problem?o={telecrm.outcome}&c={telecrm.confirm}", postForm},
		"JSON, dedupe off":         {"dedupe off", asJSON},
		"redirect with dedupe off": {"dedupe off\nerrors redirect /problem?c={telecrm.confirm}", postForm},
	} {
		for _, way := range []string{"value", "cookie"} {
			t.Run(name+", "+way, func(t *testing.T) {
				crm := newCRM(t)
				h := newHandler(t, crm.url, unprovenBlock+"unmapped more\n"+test.block)
				withOutbox(t, h)
				w := h.mustServe(t, test.post(with(unproven, "nonce", "first")))
				second := with(unproven, "nonce", "second")
				r := test.post(second)
				if way == "value" {
					r = test.post(with(second, confirmInput, tokenOf(t, h, w)))
				} else {
					cookies := w.Result().Cookies()
					if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].Path != "/enquire" || cookies[0].SameSite != http.SameSiteLaxMode {
						t.Fatalf("cookies %v", cookies)
					}
					r.AddCookie(cookies[0])
				}
				h.mustServe(t, r)
				if want := []string{"asked", "created"}; !slices.Equal(h.outcomes(), want) || len(crm.Leads()) != 1 {
					t.Errorf("outcomes %v, want %v", h.outcomes(), want)
				}
			})
		}
	}
	t.Run("a page sets no cookie", func(t *testing.T) {
		h := newHandler(t, newCRM(t).url, unprovenBlock)
		if w := h.mustServe(t, postForm(unproven)); len(w.Result().Cookies()) != 0 {
			t.Errorf("cookies %v", w.Result().Cookies())
		}
	})
}

// A page may lose its hidden input, as pages that a script rebuilds do. Nobody is asked twice
// because of that: the same values from the same visitor pass, unless they come at once.
func TestNobodyIsAskedTwice(t *testing.T) {
	for _, block := range []string{"", "dedupe off", "dedupe 1s", "errors plain", "errors handle"} {
		t.Run(block, func(t *testing.T) {
			crm := newCRM(t)
			h := newHandler(t, crm.url, unprovenBlock+block)
			withOutbox(t, h)
			const at = "192.0.2.7"
			send := func(address string, r *http.Request, want string) {
				t.Helper()
				w := httptest.NewRecorder()
				r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
				caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, address)
				_ = h.ServeHTTP(w, r, &passed{}) // with errors handle, it returns an error
				if got := h.submission(t)["outcome"].(string); got != want {
					t.Errorf("from %s: outcome %s, want %s", address, got, want)
				}
			}
			post := func(address string, values url.Values, want string) {
				t.Helper()
				send(address, postForm(values), want)
			}
			post(at, unproven, "asked")
			post(at, unproven, "asked") // a program that sends twice
			h.clock.turn(2 * time.Second)
			post("198.51.100.7", unproven, "asked")
			post(at, with(unproven, "message", "Something else"), "asked")
			post(at, with(unproven, "phone", "08123456780"), "asked")
			elsewhere := postForm(unproven)
			elsewhere.Host = "delhi.example.com"
			send(at, elsewhere, "asked")
			if len(crm.Leads()) != 0 {
				t.Fatalf("%d leads before the visitor sent the form again", len(crm.Leads()))
			}
			post(at, unproven, "created")
			h.clock.turn(2 * time.Hour)
			post(at, with(unproven, "message", "Something else"), "asked") // too long ago
		})
	}
}

// Sending the same lead again counts as a confirmation only from the network that was asked.
func TestRepeatConfirmsOnlyFromSameNetwork(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, unprovenBlock)
	withOutbox(t, h)
	send := func(address string) int {
		r := postForm(unproven)
		r.Header.Set("Accept", "application/json")
		return h.serveFrom(t, address, r).Code
	}
	send("192.0.2.7")
	for n := range 20 {
		h.clock.turn(100 * time.Millisecond)
		if status := send(fmt.Sprintf("198.51.%d.7", n%250)); status != http.StatusUnprocessableEntity {
			t.Fatalf("from another network: status %d", status)
		}
	}
	eventually(t, "the lead", func() bool { return send("192.0.2.7") == http.StatusOK })
	if len(crm.Leads()) != 1 {
		t.Errorf("%d leads, want 1", len(crm.Leads()))
	}
}
