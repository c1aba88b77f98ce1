package handlertest

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/internal/answer"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

const answerBlock = `
	field name {
		required "Please tell us your name."
	}
	field phone tel
	field email
	field product product dropdown {
		options Rooftop Battery
	}
	field interests interests tags {
		options Subsidy Financing
	}
	field message
	thank_you /thanks
`

// All answers, including the thanks, are in the visitor's language.
func TestAnswersInTheVisitorsLanguage(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, answerBlock)
	r := postForm(url.Values{"name": {"Ravi Menon"}, "tel": {"08123456789"}})
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Accept-Language", "ta-IN")
	w, _, err := h.serve(r)
	if err != nil || !strings.Contains(w.Body.String(), `"message":"நன்றி. உங்கள் செய்தி எங்களுக்குக் கிடைத்தது."`) {
		t.Errorf("error %v with %s", err, w.Body)
	}

	h = newHandler(t, crm.url, answerBlock+"\nerrors handle")
	w = httptest.NewRecorder()
	repl := caddy.NewReplacer()
	r = postForm(url.Values{"name": {"Ravi Menon"}, "tel": {"12"}, "email": {"nobody"}})
	r.Header.Set("Accept-Language", "es")
	if h.ServeHTTP(w, caddyhttp.PrepareRequest(r, repl, w, nil), &passed{}) == nil {
		t.Fatal("got no error")
	}
	want := "El número de teléfono de «Tel» es demasiado corto. Escriba todas sus cifras. " +
		"Escriba en «Email» una dirección de correo electrónico, por ejemplo, name@example.com."
	if got, _ := repl.GetString("telecrm.error.summary"); got != want {
		t.Errorf("summary: got %q, want %q", got, want)
	}
}

// The operator's message files are read and checked when a config is loaded, and again by each
// reload.
func TestMessagesAreReadWithTheConfig(t *testing.T) {
	crm := newCRM(t)
	dir := t.TempDir()
	block := answerBlock + "\nmessages " + dir
	for _, test := range []struct{ name, file, content, want string }{
		{"empty directory", "", "", "form form: messages " + dir + ": no message files found"},
		{"unknown key", "hi.json", `{"thx": "x"}`, `messages ` + dir + `: hi.json: "thx": unknown key`},
		{"unknown placeholder", "hi.json", `{"REQUIRED": "{field}"}`, `hi.json: "REQUIRED": unknown placeholder {field}; this text may contain {label}`},
	} {
		if test.file != "" {
			if err := os.WriteFile(filepath.Join(dir, test.file), []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := newRig(crm.url, block).provision(t); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", test.name, err, test.want)
		}
	}
	for folder, want := range map[string]string{
		filepath.Join(dir, "none"):     "no such file or directory; create it, or correct the path",
		filepath.Join(dir, "hi.json"):  "not a directory; name the folder",
		"{env.TELECRM_TEST_NOT_SET}":   "messages: the environment variable TELECRM_TEST_NOT_SET is not set",
		"{file." + dir + "/no-folder}": "no such file or directory; create it, or correct the path",
	} {
		if _, err := newRig(crm.url, answerBlock+"\nmessages "+folder).provision(t); err == nil || !strings.Contains(err.Error(), "messages: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", folder, err, want)
		}
	}
	for _, thanks := range []string{"Jolly good.", "Most kind."} {
		if err := os.WriteFile(filepath.Join(dir, "hi.json"), []byte(`{"thanks": "`+thanks+`"}`), 0o600); err != nil {
			t.Fatal(err)
		}
		h := newHandler(t, crm.url, block)
		r := postForm(url.Values{"name": {"Ravi Menon"}, "tel": {"08123456789"}})
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Accept-Language", "hi")
		if w := h.mustServe(t, r); !strings.Contains(w.Body.String(), thanks) {
			t.Errorf("answer %s does not contain %q", w.Body, thanks)
		}
	}
}

func TestJSONAnswers(t *testing.T) {
	askJSON := func(values url.Values) *http.Request {
		r := postForm(values)
		r.Header.Set("Accept", "application/json")
		return r
	}
	crm := newCRM(t)
	h := newHandler(t, crm.url, answerBlock)

	t.Run("success", func(t *testing.T) {
		w, _, err := h.serve(askJSON(url.Values{"name": {"Ravi Menon"}, "tel": {"08123456789"}}))
		if err != nil {
			t.Fatal(err)
		}
		id := h.submission(t)["id"]
		checkJSON(t, w, http.StatusOK, map[string]any{
			"ok": true, "success": true, "code": 200.0, "status": "success",
			"message": "Thank you. We have received your message.",
			"next":    "/thanks", "redirect": "/thanks", "redirectUrl": "/thanks", "id": id,
		})
	})
	t.Run("fields to correct", func(t *testing.T) {
		w, _, err := h.serve(askJSON(url.Values{"name": {" "}, "tel": {"123"}, "product": {"Nuclear"}}))
		if err != nil {
			t.Fatal(err)
		}
		phone := "The phone number in “Tel” is too short. Enter all of its digits."
		product := "Choose one of the answers listed for “Product”."
		all := "Please tell us your name. " + phone + " " + product
		checkJSON(t, w, http.StatusUnprocessableEntity, map[string]any{
			"ok": false, "success": false, "code": 422.0, "status": "error", "error": all, "message": all,
			"errors": []any{
				map[string]any{"field": "name", "code": "REQUIRED_FIELD_EMPTY", "message": "Please tell us your name."},
				map[string]any{"field": "tel", "code": "PHONE_TOO_SHORT", "message": phone},
				map[string]any{"field": "product", "code": "NOT_AN_OPTION", "message": product},
			},
		})
	})
	t.Run("refused by the CRM", func(t *testing.T) {
		crm.Inject(sandbox.Faults()[sandbox.FaultInvalidLead])
		w, _, err := h.serve(askJSON(url.Values{"name": {"Ravi Menon"}, "tel": {"08123456780"}}))
		if err != nil {
			t.Fatal(err)
		}
		words := "Check “Tel”: it could not be accepted as it is."
		checkJSON(t, w, http.StatusUnprocessableEntity, map[string]any{
			"ok": false, "success": false, "code": 422.0, "status": "error", "error": words, "message": words,
			"errors": []any{map[string]any{"field": "tel", "code": "REFUSED", "message": words}},
		})
	})
	t.Run("unreadable form", func(t *testing.T) {
		r := askJSON(nil)
		r.Header.Set("Content-Type", "text/plain")
		w, _, err := h.serve(r)
		if err != nil {
			t.Fatal(err)
		}
		words := "What was sent is not a form that can be read here. Go back to the page with the form and send it from there."
		checkJSON(t, w, http.StatusUnsupportedMediaType, map[string]any{
			"ok": false, "success": false, "code": 415.0, "status": "error", "error": words, "message": words,
			"errors": []any{map[string]any{"code": "NOT_A_FORM", "message": words}},
		})
		if w.Header().Get("Accept-Post") == "" {
			t.Error("the answer with status 415 has no Accept-Post header")
		}
	})
}

func checkJSON(t *testing.T, w *httptest.ResponseRecorder, status int, want map[string]any) {
	t.Helper()
	if w.Code != status {
		t.Errorf("status %d, want %d", w.Code, status)
	}
	if vary := strings.Join(w.Header().Values("Vary"), ", "); vary != answer.Vary+", Accept-Language" {
		t.Errorf("Vary %q", vary)
	}
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func TestBadBodies(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, answerBlock)
	const urlencoded = "application/x-www-form-urlencoded"
	for _, test := range []struct {
		name, contentType, body string
		status                  int
		outcome                 outcome
	}{
		{"no content type", "", "name=x", http.StatusUnsupportedMediaType, outcomeNotAForm},
		{"plain text", "text/plain", "name=x", http.StatusUnsupportedMediaType, outcomeNotAForm},
		{"XML", "application/xml", "<name/>", http.StatusUnsupportedMediaType, outcomeNotAForm},
		{"too long", urlencoded, "message=" + strings.Repeat("x", 64<<10), http.StatusRequestEntityTooLarge, outcomeTooLarge},
		{"value too long", urlencoded, "message=" + strings.Repeat("x", 10<<10+1), http.StatusRequestEntityTooLarge, outcomeTooLarge},
		{"too many fields", urlencoded, strings.Repeat("name=1&", 1001), http.StatusRequestEntityTooLarge, outcomeTooLarge},
		{"JSON that is not UTF-8", "application/json", "{\"name\":\"\xff\"}", http.StatusBadRequest, outcomeMalformed},
		{"NUL", urlencoded, "name=a%00b", http.StatusBadRequest, outcomeMalformed},
		{"no boundary", "multipart/form-data", "--x", http.StatusBadRequest, outcomeMalformed},
		{"another boundary", "multipart/form-data; boundary=y", "--x\r\n\r\n--x--", http.StatusBadRequest, outcomeMalformed},
		{"part flood", "multipart/form-data; boundary=x", strings.Repeat("--x\r\nContent-Disposition: form-data; name=name\r\n\r\n1\r\n", 1001) + "--x--", http.StatusRequestEntityTooLarge, outcomeTooLarge},
		{"broken JSON", "application/json", `{"name":`, http.StatusBadRequest, outcomeMalformed},
		{"nested JSON", "application/json", `{"name":{"first":"x"}}`, http.StatusBadRequest, outcomeMalformed},
		{"deep JSON", "application/json", strings.Repeat(`{"a":`, 10000), http.StatusBadRequest, outcomeMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/enquire", strings.NewReader(test.body))
			r.Header.Set("Accept", "text/html")
			if test.contentType != "" {
				r.Header.Set("Content-Type", test.contentType)
			}
			w, _, err := h.serve(r)
			if err != nil {
				t.Fatal(err)
			}
			if w.Code != test.status {
				t.Errorf("status %d, want %d", w.Code, test.status)
			}
			if got := h.submission(t)["outcome"]; got != string(test.outcome) {
				t.Errorf("outcome %v, want %s", got, test.outcome)
			}
			if reason, _ := h.submission(t)["reason"].(string); reason == "" {
				t.Error("the log entry has no reason")
			}
			if !strings.Contains(w.Body.String(), "There is a problem") {
				t.Error("the page does not say that there is a problem")
			}
		})
	}
	if crm.Requests() != 0 {
		t.Errorf("%d requests to the CRM, want 0", crm.Requests())
	}
}

func TestErrorsPageKeepsTypedValues(t *testing.T) {
	h := newHandler(t, newCRM(t).url, answerBlock)
	const hostile = "\"><script>alert(1)</script>\n</textarea>& {env.HOME}"
	r := postForm(url.Values{
		"name": {""}, "tel": {"12"}, "email": {"ravi@example.org"}, "product": {"battery"}, "interests": {"subsidy"},
		"message": {hostile}, "extra": {hostile}, "g-recaptcha-response": {"used-up"},
	})
	r.URL.RawQuery = "utm_source=ad"
	r.Header.Set("Referer", "https://www.example.com/contact?x=1")
	w, _, err := h.serve(r)
	if err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusUnprocessableEntity {
		t.Errorf("status %d, want 422", w.Code)
	}
	body := w.Body.String()
	for _, part := range []string{
		"<title>Error: There is a problem</title>",
		`<a href="#q1"><bdi>Please tell us your name.</bdi></a>`,
		`<a href="#q2">The phone number in “<bdi>Tel</bdi>” is too short.`,
		`name="tel" type="tel" value="12" dir="auto" autocomplete="tel" required aria-invalid="true" aria-describedby="q2-error"`,
		`name="email" type="email" value="ravi@example.org"`,
		`<option value="Battery" selected>`,
		`name="interests" value="Subsidy" checked`,
		`<textarea id="q6" name="message" rows="6" dir="auto">` + "\n" + `&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;` + "\n" + `&lt;/textarea&gt;&amp; {env.HOME}</textarea>`,
		`<input type="hidden" name="extra" value="`,
		`action="/enquire?utm_source=ad"`,
		`<a href="/contact?x=1">Back to the page with the form</a>`,
	} {
		if !strings.Contains(body, part) {
			t.Errorf("the page does not contain %s", part)
		}
	}
	for _, part := range []string{"<script", "used-up"} {
		if strings.Contains(body, part) {
			t.Errorf("the page contains %s", part)
		}
	}
	if t.Failed() {
		t.Log(body)
	}
}

func TestErrorsHandle(t *testing.T) {
	h := newHandler(t, newCRM(t).url, answerBlock+"\nerrors handle")
	w := httptest.NewRecorder()
	repl := caddy.NewReplacer()
	r := caddyhttp.PrepareRequest(postForm(url.Values{"name": {"Ravi Menon"}, "tel": {"12"}, "email": {"nobody"}}), repl, w, nil)
	err := h.ServeHTTP(w, r, &passed{})
	handlerErr, ok := errors.AsType[caddyhttp.HandlerError](err)
	if !ok || handlerErr.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("got error %v, want a handler error with status 422", err)
	}
	if diff := cmp.Diff([]any{"tel PHONE_TOO_SHORT", "email TYPE_EMAIL"}, h.submission(t)["wrong"]); diff != "" {
		t.Errorf("logged wrong (-want +got):\n%s", diff)
	}
	for placeholder, want := range map[string]string{
		"telecrm.error.fields": "tel,email",
		"telecrm.error.summary": "The phone number in “Tel” is too short. Enter all of its digits. " +
			"Enter an email address in “Email”, like name@example.com.",
		"telecrm.outcome": "invalid",
		"telecrm.form":    "form",
	} {
		if got, _ := repl.GetString(placeholder); got != want {
			t.Errorf("{%s}: got %q, want %q", placeholder, got, want)
		}
	}
}

func TestErrorsRedirect(t *testing.T) {
	h := newHandler(t, newCRM(t).url, answerBlock+"\nerrors redirect /contact?wrong={telecrm.error.fields}#enquiry")
	w, _, err := h.serve(postForm(url.Values{"name": {"Ravi Menon"}, "tel": {"12"}, "email": {"nobody"}}))
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != "/contact?wrong=tel%2Cemail#enquiry" {
		t.Errorf("status %d, redirect to %s", w.Code, got)
	}
}

// Visitors are not told to correct an identifier that they did not type.
func TestRefusedConstantIdentifier(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, "set phone 08123456789\nfield name\nthank_you /thanks")
	crm.Inject(sandbox.Faults()[sandbox.FaultInvalidLead])
	w, _, err := h.serve(postForm(url.Values{"name": {"Ravi Menon"}}))
	if err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", w.Code)
	}
}

// A hostile path or Referer cannot add links to other sites to the built-in page.
func TestBuiltinPageLinksStayOnTheSite(t *testing.T) {
	h := newHandler(t, newCRM(t).url, answerBlock)
	r := postForm(url.Values{"tel": {"1"}})
	r.URL.Path = "//evil.example/enquire"
	r.Header.Set("Referer", "https://evil.example/contact")
	w, _, err := h.serve(r)
	if err != nil {
		t.Fatal(err)
	}
	body := w.Body.String()
	if !strings.Contains(body, `action="/evil.example/enquire"`) || strings.Contains(body, "Back to the page") {
		t.Error(body)
	}
}
