package handlertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/form"
)

// longQuestion is an input's name as page builders make it of the whole question.
const longQuestion = "Which of the following best describes your current situation and what do you hope to achieve this year?"

// encodings are the encodings that forms are sent in.
var encodings = map[string]func(*testing.T, []form.Entry) *http.Request{
	"urlencoded": func(_ *testing.T, inputs []form.Entry) *http.Request {
		var pairs []string
		for _, input := range inputs {
			pairs = append(pairs, url.QueryEscape(input.Name)+"="+url.QueryEscape(input.Value))
		}
		return postBody("application/x-www-form-urlencoded", strings.Join(pairs, "&"))
	},
	"multipart": func(t *testing.T, inputs []form.Entry) *http.Request {
		t.Helper()
		var body bytes.Buffer
		parts := multipart.NewWriter(&body)
		for _, input := range inputs {
			if err := parts.WriteField(input.Name, input.Value); err != nil {
				t.Fatal(err)
			}
		}
		if err := parts.Close(); err != nil {
			t.Fatal(err)
		}
		return postBody(parts.FormDataContentType(), body.String())
	},
	"JSON": func(t *testing.T, inputs []form.Entry) *http.Request {
		t.Helper()
		var members []string
		for _, input := range inputs {
			name, errName := json.Marshal(input.Name)
			value, errValue := json.Marshal(input.Value)
			if errName != nil || errValue != nil {
				t.Fatal(errName, errValue)
			}
			members = append(members, string(name)+":"+string(value))
		}
		return postBody("application/json", "{"+strings.Join(members, ",")+"}")
	},
}

func postBody(contentType, body string) *http.Request {
	r := postTo("https://www.example.com/enquire", nil)
	fresh, _ := http.NewRequest(http.MethodPost, "/", strings.NewReader(body)) //nolint:noctx // only its body is used
	r.Body, r.ContentLength = fresh.Body, fresh.ContentLength
	r.Header.Set("Content-Type", contentType)
	return r
}

// A form with inputs beyond a limit is taken. What it does not need is skipped, and the log names
// it without its value.
func TestInputsBeyondALimit(t *testing.T) {
	person := []form.Entry{{Name: "name", Value: "Asha Rao"}, {Name: "phone", Value: "081234 56789"}}
	numbered := func(n int) []form.Entry {
		list := make([]form.Entry, 0, n)
		for i := range n {
			list = append(list, form.Entry{Name: fmt.Sprintf("q%d", i), Value: "no"})
		}
		return list
	}
	const private = "zephyrine"
	for name, test := range map[string]struct {
		words   string
		sent    []form.Entry
		fields  map[string]string // beginning of each
		log     string
		skipped any
	}{
		"a question as the name":        {"", []form.Entry{{Name: longQuestion, Value: private}}, nil, "unmapped_inputs", []any{"Which of the following best describes yo…"}},
		"a question in another script":  {"", []form.Entry{{Name: strings.Repeat("आप कहाँ रहते हैं ", 6), Value: private}}, nil, "unmapped_inputs", []any{"आप कहाँ रहते है…"}},
		"a question that is mapped":     {"field message \"" + longQuestion + "\"\n", []form.Entry{{Name: longQuestion, Value: "A roof"}}, map[string]string{"message": "A roof"}, "unmapped_inputs", nil},
		"a question that is forwarded":  {"unmapped message\n", []form.Entry{{Name: longQuestion, Value: "A roof"}}, map[string]string{"message": "Which of the following best"}, "unmapped_inputs", nil},
		"a name of 1 KiB":               {"", []form.Entry{{Name: strings.Repeat("n", 1024), Value: private}}, nil, "unmapped_inputs", []any{strings.Repeat("n", 40) + "…"}},
		"a name of 1025 bytes":          {"", []form.Entry{{Name: strings.Repeat("n", 1025), Value: private}}, nil, "skipped_inputs", []any{strings.Repeat("n", 40) + "…"}},
		"a name of 5 KiB":               {"", []form.Entry{{Name: strings.Repeat("n", 5<<10), Value: private}}, nil, "skipped_inputs", []any{strings.Repeat("n", 40) + "…"}},
		"a name of 12 KiB":              {"unmapped message\n", []form.Entry{{Name: strings.Repeat("n", 12<<10), Value: private}}, nil, "skipped_inputs", []any{strings.Repeat("n", 40) + "…"}},
		"a long name that is mapped":    {"field message " + strings.Repeat("n", 3000) + "\n", []form.Entry{{Name: strings.Repeat("n", 3000), Value: "A roof"}}, map[string]string{"message": "A roof"}, "skipped_inputs", nil},
		"a name that holds JSON":        {"", []form.Entry{{Name: `{"name":"` + strings.Repeat(private, 200) + `"}`, Value: private}}, nil, "skipped_inputs", []any{"(and 1 more)"}},
		"a page's state":                {"", []form.Entry{{Name: "__VIEWSTATE", Value: strings.Repeat(private, 2000)}}, nil, "skipped_inputs", []any{"__VIEWSTATE"}},
		"a page's state, not forwarded": {"unmapped message\n", []form.Entry{{Name: "__VIEWSTATE", Value: strings.Repeat(private, 2000)}}, nil, "skipped_inputs", []any{"__VIEWSTATE"}},
		"a signature":                   {"", []form.Entry{{Name: "signature", Value: "data:image/png;base64," + strings.Repeat(private, 3000)}}, nil, "skipped_inputs", []any{"signature"}},
		"a long text that is forwarded": {"unmapped message\n", []form.Entry{{Name: "story", Value: strings.Repeat("Once upon ", 1500)}}, map[string]string{"message": "Story: Once upon Once upon"}, "skipped_inputs", []any{"story"}},
		"101 inputs":                    {"", numbered(101), nil, "skipped_inputs", nil},
		"900 inputs that are forwarded": {"unmapped message\n", numbered(900), map[string]string{"message": "Q0: no\nQ1: no\n"}, "skipped_inputs", nil},
		"1003 inputs":                   {"", numbered(1003), nil, "skipped_inputs", []any{"q1000", "q1001", "q1002"}},
		"200 mapped answers":            {"field tags choice tags\n", slices.Repeat([]form.Entry{{Name: "choice", Value: "a"}}, 200), map[string]string{}, "skipped_inputs", nil},
	} {
		for encoding, encode := range encodings {
			t.Run(name+" as "+encoding, func(t *testing.T) {
				crm := newCRM(t)
				h := newHandler(t, crm.url, "field name\nfield phone\n"+test.words+"max_body 256KiB\nthank_you /thanks\n")
				r := encode(t, append(slices.Clone(test.sent), person...)) // what is needed comes last
				r.Header.Set("Accept", "text/html")
				w := h.mustServe(t, r)
				logged := h.submission(t)
				if w.Code != http.StatusSeeOther {
					t.Fatalf("status %d: %v", w.Code, logged["reason"])
				}
				fields := crm.Leads()[0].Fields
				for field, want := range test.fields {
					if got, _ := fields[field].(string); !strings.HasPrefix(got, want) {
						t.Errorf("%s is %.60q, want it to begin with %q", field, got, want)
					}
				}
				if fields["name"] != "Asha Rao" || fields["phone"] != "918123456789" {
					t.Errorf("got fields %.200v", fields)
				}
				if got := logged[test.log]; fmt.Sprint(got) != fmt.Sprint(test.skipped) {
					t.Errorf("logged %s %v, want %v", test.log, got, test.skipped)
				}
				for _, entry := range h.log.All() {
					if strings.Contains(fmt.Sprint(entry.Message, entry.ContextMap()), private) {
						t.Errorf("the log has the value: %.300v", entry.ContextMap())
					}
				}
			})
		}
	}
}

// Parts with large headers do not keep a form from being taken.
func TestPartsWithLargeHeaders(t *testing.T) {
	for name, header := range map[string]textproto.MIMEHeader{
		"a file with a long name":   {"Content-Disposition": {`form-data; name="cv"; filename="` + strings.Repeat("x", 9<<10) + `"`}},
		"many headers":              {"Content-Disposition": {`form-data; name="cv"`}, "X": slices.Repeat([]string{"1"}, 100)},
		"a large header":            {"Content-Disposition": {`form-data; name="cv"`}, "X": {strings.Repeat("x", 20<<10)}},
		"a name longer than a form": {"Content-Disposition": {`form-data; name="` + strings.Repeat("x", 30<<10) + `"`}},
		"a large content type":      {"Content-Disposition": {`form-data; name="cv"`}, "Content-Type": {"text/plain; x=" + strings.Repeat("x", 3<<10)}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHandler(t, newCRM(t).url, guardedBlock)
			var body bytes.Buffer
			parts := multipart.NewWriter(&body)
			if _, err := parts.CreatePart(header); err != nil {
				t.Fatal(err)
			}
			for input, values := range meera {
				if err := parts.WriteField(input, values[0]); err != nil {
					t.Fatal(err)
				}
			}
			if err := parts.Close(); err != nil {
				t.Fatal(err)
			}
			if w := h.mustServe(t, postBody(parts.FormDataContentType(), body.String())); w.Code != http.StatusSeeOther {
				t.Errorf("status %d: %v", w.Code, h.submission(t)["reason"])
			}
		})
	}
}

// The limit of a value is the same for every script and encoding.
func TestLongestValueInEveryScript(t *testing.T) {
	for _, letter := range []string{"a", "é", "न", "😀"} {
		for encoding, encode := range encodings {
			for n, status := range map[int]int{form.MostCharacters: http.StatusSeeOther, form.MostCharacters + 1: http.StatusRequestEntityTooLarge} {
				h := newHandler(t, newCRM(t).url, "field name\nfield phone\nfield message\nthank_you /thanks\n")
				text := strings.Repeat(letter, n)
				r := encode(t, []form.Entry{{Name: "name", Value: "Asha Rao"}, {Name: "phone", Value: "081234 56789"}, {Name: "message", Value: text}})
				r.Header.Set("Accept", "text/html")
				w := h.mustServe(t, r)
				if w.Code != status {
					t.Errorf("%s, %d times %q: status %d, want %d: %v", encoding, n, letter, w.Code, status, h.submission(t)["reason"])
				}
				if body := w.Body.String(); status != http.StatusSeeOther && (!strings.Contains(body, text) || !strings.Contains(body, "at most <bdi>10000</bdi> characters") || strings.Contains(body, "file")) {
					t.Errorf("%s, %d times %q: the page is %.500s", encoding, n, letter, body)
				}
			}
		}
	}
}

// What was read of a message that is far too long comes back.
func TestFarTooLongMessageComesBack(t *testing.T) {
	long := strings.Repeat("Please call. ", 80_000/13)
	for encoding, encode := range encodings {
		if encoding == "JSON" { // its script keeps what was typed
			continue
		}
		h := newHandler(t, newCRM(t).url, "field name\nfield phone\nfield message\nthank_you /thanks\n")
		r := encode(t, []form.Entry{{Name: "name", Value: "Asha Rao"}, {Name: "phone", Value: "081234 56789"}, {Name: "message", Value: long}})
		r.Header.Set("Accept", "text/html")
		w := h.mustServe(t, r)
		if body := w.Body.String(); w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(body, "Asha Rao") || !strings.Contains(body, long[:64_000]) || strings.Contains(body, "file") {
			t.Errorf("%s: status %d, %d bytes: %.300s", encoding, w.Code, len(body), body)
		}
	}
}

// A visitor who typed too much is asked to shorten it. What was skipped is on the page that they
// get back, whatever they have to correct.
func TestWhatWasTypedBeyondALimitComesBack(t *testing.T) {
	long := strings.Repeat("Please call me. ", 700)
	for name, test := range map[string]struct {
		values url.Values
		status int
	}{
		"mapped, too long":           {with(meera, "message", long), http.StatusRequestEntityTooLarge},
		"unmapped, and another flaw": {with(with(meera, "story", long), "phone", "12"), http.StatusUnprocessableEntity},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHandler(t, newCRM(t).url, "field name\nfield phone\nfield message\nthank_you /thanks\n")
			w := h.mustServe(t, postForm(test.values))
			if w.Code != test.status || !strings.Contains(w.Body.String(), strings.TrimSpace(long)) {
				t.Errorf("status %d, want %d and what was typed: %.300s", w.Code, test.status, w.Body)
			}
		})
	}
}
