package handlertest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// TestFieldTypesRoundTrip posts valid, empty and absurd values for every field type. Either the
// strict stand-in stores what was sent, or the visitor is told what to correct.
func TestFieldTypesRoundTrip(t *testing.T) {
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	millis := func(year int, month time.Month, day, hour, minute int) json.Number {
		return json.Number(fmt.Sprint(time.Date(year, month, day, hour, minute, 0, 0, kolkata).UnixMilli()))
	}
	long := strings.Repeat("9", 5000)
	type sent struct {
		typed []string
		want  any    // stored value; nil if none
		code  string // error code, if the value must be corrected
	}
	for _, test := range []struct {
		field string // of the stand-in's schema
		rules string // in addition to the type
		kind  fieldtype.Type
		sent  []sent
	}{
		{"city", "", fieldtype.Text, []sent{
			{[]string{"  Mysuru \r\n Road "}, "Mysuru \n Road", ""},
			{[]string{"Agra", "Pune"}, "Agra, Pune", ""},
			{[]string{"{env.HOME} ${x} {{.}}"}, "{env.HOME} ${x} {{.}}", ""},
			{[]string{" \t "}, nil, ""},
			{nil, nil, ""},
		}},
		{"city", "min 2\nmax 4", fieldtype.Text, []sent{
			{[]string{"Pune"}, "Pune", ""},
			{[]string{"नमन"}, "नमन", ""},
			{[]string{"P"}, nil, "TOO_SHORT"},
			{[]string{"Mysuru"}, nil, "TOO_LONG"},
		}},
		{"city", "pattern [A-Z]+", fieldtype.Text, []sent{
			{[]string{"ABC"}, "ABC", ""},
			{[]string{"ABC1"}, nil, "PATTERN"},
		}},
		{"city", "required", fieldtype.Text, []sent{
			{[]string{""}, nil, "REQUIRED_FIELD_EMPTY"},
			{nil, nil, "REQUIRED_FIELD_MISSING"},
		}},
		{"city", "required\ndefault Delhi", fieldtype.Text, []sent{
			{[]string{""}, "Delhi", ""},
			{nil, "Delhi", ""},
		}},
		{"work_email", "", fieldtype.Email, []sent{
			{[]string{"ravi@example.org"}, "ravi@example.org", ""},
			{[]string{"ravi@bücher.example"}, "ravi@xn--bcher-kva.example", ""},
			{[]string{"ravi"}, nil, "TYPE_EMAIL"},
			{[]string{"Ravi <ravi@example.org>"}, nil, "TYPE_EMAIL"},
			{[]string{long + "@example.org"}, nil, "TYPE_EMAIL"},
			{[]string{""}, nil, ""},
		}},
		{"callback_phone", "", fieldtype.Phone, []sent{
			{[]string{"+91 81234 56789"}, "918123456789", ""},
			{[]string{"०८१२३४५६७८९"}, "918123456789", ""},
			{[]string{"+1 201-555-0123"}, "12015550123", ""},
			{[]string{"81234 5678"}, nil, "PHONE_TOO_SHORT"},
			{[]string{"call me"}, nil, "PHONE_WORDS"},
			{[]string{long}, nil, "PHONE_TOO_LONG"},
			{[]string{""}, nil, ""},
		}},
		{"callback_phone", "country GB", fieldtype.Phone, []sent{
			{[]string{"07400 123456"}, "447400123456", ""},
		}},
		{"employees", "", fieldtype.Number, []sent{
			{[]string{"12"}, json.Number("12"), ""},
			{[]string{"-12.50"}, json.Number("-12.5"), ""},
			{[]string{"1,50,000"}, json.Number("150000"), ""},
			{[]string{"a dozen"}, nil, "TYPE_NUMERIC"},
			{[]string{"1e999"}, nil, "TYPE_NUMERIC"},
			{[]string{long}, nil, "TYPE_NUMERIC"},
			{[]string{"NaN"}, nil, "TYPE_NUMERIC"},
			{[]string{""}, nil, ""},
		}},
		{"employees", "min 1\nmax 10", fieldtype.Number, []sent{
			{[]string{"0"}, nil, "TOO_SMALL"},
			{[]string{"11"}, nil, "TOO_LARGE"},
			{[]string{"10"}, json.Number("10"), ""},
		}},
		{"budget", "", fieldtype.Money, []sent{
			{[]string{"₹ 2,50,000"}, "250000", ""},
			{[]string{"2499.50"}, "2499.5", ""},
			{[]string{"-5"}, nil, "TYPE_NUMERIC"},
			{[]string{"lots"}, nil, "TYPE_NUMERIC"},
			{[]string{long}, nil, "TYPE_NUMERIC"},
			{[]string{""}, nil, ""},
		}},
		{"visit_date", "", fieldtype.Date, []sent{
			{[]string{"2026-11-22"}, millis(2026, time.November, 22, 0, 0), ""},
			{[]string{"2026-11-22T10:30"}, millis(2026, time.November, 22, 10, 30), ""},
			{[]string{"2026-11"}, millis(2026, time.November, 1, 0, 0), ""},
			{[]string{"22 November 2026"}, millis(2026, time.November, 22, 0, 0), ""},
			{[]string{"1970-01-01"}, millis(1970, time.January, 1, 0, 0), ""},
			{[]string{"01/06/2026"}, nil, "TYPE_DATE"},
			{[]string{"2026-02-31"}, nil, "TYPE_DATE"},
			{[]string{"0202-11-22"}, nil, "TYPE_DATE"},
			{[]string{long}, nil, "TYPE_DATE"},
			{[]string{""}, nil, ""},
		}},
		{"product", `options "Rooftop solar" "Battery storage"`, fieldtype.Dropdown, []sent{
			{[]string{"Rooftop solar"}, "Rooftop solar", ""},
			{[]string{" rooftop  SOLAR "}, "Rooftop solar", ""},
			{[]string{"Nuclear"}, nil, "NOT_AN_OPTION"},
			{[]string{long}, nil, "NOT_AN_OPTION"},
			{[]string{""}, nil, ""},
		}},
		{"interests", "options Subsidy Financing", fieldtype.Tags, []sent{
			{[]string{"Financing", "subsidy", "Financing"}, []any{"Financing", "Subsidy"}, ""},
			{[]string{"Subsidy", "Other"}, nil, "NOT_AN_OPTION"},
			{[]string{"", " "}, nil, ""},
		}},
		{"interests", "max 1", fieldtype.Tags, []sent{
			{[]string{"Subsidy"}, []any{"Subsidy"}, ""},
			{[]string{"Subsidy", "Financing"}, nil, "TOO_LONG"},
		}},
		{"website", "", fieldtype.Website, []sent{
			{[]string{"https://example.org/a?b=c"}, "https://example.org/a?b=c", ""},
			{[]string{"www.example.org"}, "https://www.example.org", ""},
			{[]string{"javascript:alert(1)"}, nil, "TYPE_URL"},
			{[]string{"not a site"}, nil, "TYPE_URL"},
			{[]string{""}, nil, ""},
		}},
		{"brochure", "", fieldtype.MediaLink, []sent{
			{[]string{"https://cdn.example.org/f.pdf"}, "https://cdn.example.org/f.pdf", ""},
			{[]string{"f.pdf"}, nil, "TYPE_URL"},
		}},
		{"assignee", "", fieldtype.Assignee, []sent{
			{[]string{"agent7@example.org"}, "agent7@example.org", ""},
			{[]string{"agent"}, nil, "TYPE_EMAIL"},
		}},
		{"rating", "", fieldtype.Rating, []sent{
			{[]string{"3"}, json.Number("3"), ""},
			{[]string{"0"}, nil, "TOO_SMALL"},
			{[]string{"6"}, nil, "TOO_LARGE"},
			{[]string{"2.5"}, nil, "TYPE_NUMERIC"},
			{[]string{""}, nil, ""},
		}},
		{"status", "", fieldtype.Status, []sent{{[]string{"Fresh"}, "Fresh", ""}}},
		{"lost_reason", "", fieldtype.LostReason, []sent{{[]string{"No need"}, "No need", ""}}},
	} {
		crm := newCRM(t)
		h := newHandler(t, crm.url, fmt.Sprintf("field phone\nfield %s it %s {\n%s\n}\ndedupe off\nthank_you /thanks", test.field, test.kind, test.rules))
		for i, sent := range test.sent {
			t.Run(fmt.Sprintf("%s %s %d", test.kind, test.rules, i), func(t *testing.T) {
				crm.Reset()
				values := url.Values{"phone": {"08123456789"}}
				if sent.typed != nil {
					values["it"] = sent.typed
				}
				r := postForm(values)
				r.Header.Set("Accept", "application/json")
				w, _, err := h.serve(r)
				if err != nil {
					t.Fatal(err)
				}
				if sent.code != "" {
					if len(crm.Leads()) != 0 || w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), `"field":"it","code":"`+sent.code+`"`) {
						t.Errorf("status %d, %d leads, body %s; want code %s", w.Code, len(crm.Leads()), w.Body, sent.code)
					}
					return
				}
				leads := crm.Leads()
				if len(leads) != 1 {
					t.Fatalf("%d leads, want 1; body %s", len(leads), w.Body)
				}
				if diff := cmp.Diff(sent.want, leads[0].Fields[test.field]); diff != "" {
					t.Errorf("stored (-want +got):\n%s", diff)
				}
				if len(leads[0].Remarks) != 0 || len(leads[0].NewOptions) != 0 {
					t.Errorf("remarks %v, new options %v", leads[0].Remarks, leads[0].NewOptions)
				}
			})
		}
	}
}

// Any text in a phone, date or number field is either stored as sent or reported to the visitor.
// The stand-in never drops it.
func TestSentValuesAreAlwaysAccepted(t *testing.T) {
	crm := newCRM(t)
	typed := map[string]*rapid.Generator[string]{
		"callback_phone": rapid.OneOf(rapid.StringMatching(`\+?[0-9 ()-]{5,18}`), rapid.String()),
		"visit_date":     rapid.OneOf(rapid.StringMatching(`[0-9]{4}-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-5][0-9])?`), rapid.StringMatching(`[0-9]{1,2}[/. -]([0-9]{1,2}|Mar|June)[/. -](19|20|21)[0-9]{2}`), rapid.String()),
		"employees":      rapid.OneOf(rapid.StringMatching(`-?[0-9.,' ]{1,20}(e[0-9])?`), rapid.String()),
		"budget":         rapid.OneOf(rapid.StringMatching(`(₹|Rs\.? ?|INR )?[0-9.,]{1,15}(/-)?`), rapid.String()),
	}
	h := newHandler(t, crm.url, `
		field phone
		field callback_phone callback_phone phone
		field visit_date visit_date date
		field employees employees number
		field budget budget money
		thank_you /thanks`)
	rapid.Check(t, func(t *rapid.T) {
		crm.Reset()
		values := url.Values{"phone": {"08123456789"}}
		for input, generator := range typed {
			if text := generator.Draw(t, input); !strings.ContainsRune(text, 0) {
				values.Set(input, text)
			}
		}
		r := postForm(values)
		r.Header.Set("Accept", "application/json")
		w, _, err := h.serve(r)
		if err != nil {
			t.Fatal(err)
		}
		switch leads := crm.Leads(); {
		case w.Code == http.StatusUnprocessableEntity && len(leads) == 0:
		case w.Code == http.StatusOK && len(leads) == 1 && len(leads[0].Remarks) == 0:
		default:
			t.Fatalf("status %d, leads %v, body %s", w.Code, leads, w.Body)
		}
	})
}

// lead posts values to a handler with that block and returns the lead that the stand-in then has.
func lead(t *testing.T, block string, values url.Values) (sandbox.Lead, testHandler) {
	t.Helper()
	crm := newCRM(t)
	h := newHandler(t, crm.url, block)
	r := postForm(values)
	r.URL.RawQuery = "utm_source=newsletter&hostile={env.TELECRM_TOKEN}"
	r.Header.Set("Referer", "https://www.example.com/contact")
	w, _, err := h.serve(r)
	if err != nil {
		t.Fatal(err)
	}
	leads := crm.Leads()
	if len(leads) != 1 {
		t.Fatalf("%d leads, want 1; answer %d %s", len(leads), w.Code, w.Body)
	}
	return leads[0], h
}

func TestSetTakesPlaceholdersButNeverExpandsVisitorText(t *testing.T) {
	t.Setenv("TELECRM_TOKEN", testToken)
	hostile := "{env.TELECRM_TOKEN} {file.go.mod} {http.request.host} {form.last}"
	got, _ := lead(t, `
		field phone
		field message
		set name "{form.first} {form.last}"
		set city {query.utm_source}
		set company {http.request.uri.query.hostile}
		set page_url {http.request.header.Referer} website
		set source Website dropdown
		set interests "{form.topics}" tags
		set consent "{form.first} in {env.NOT_SET_ANYWHERE}{unknown.placeholder}."
		thank_you /thanks`,
		url.Values{"phone": {"08123456789"}, "first": {hostile}, "last": {"Menon"}, "message": {hostile}, "topics": {"Subsidy", "Financing"}})
	want := map[string]any{
		"phone":     "918123456789",
		"message":   hostile,
		"name":      hostile + " Menon",
		"city":      "newsletter",
		"company":   "{env.TELECRM_TOKEN}",
		"page_url":  "https://www.example.com/contact",
		"source":    "Website",
		"interests": []any{"Subsidy", "Financing"},
		"consent":   hostile + " in .",
	}
	if diff := cmp.Diff(want, got.Fields); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

func TestUnmappedCollectsOtherInputs(t *testing.T) {
	got, h := lead(t, "field phone tel\nset name {form.full_name}\nunmapped more\nthank_you /thanks", url.Values{
		"tel": {"08123456789"}, "full_name": {"Ravi Menon"}, "topics": {"Pricing", "", "Warranty"}, "favourite-colour": {"blue"}, "empty": {" "},
		"_subject": {"x"}, "_next": {"https://evil.example"}, "form-name": {"x"}, "access_key": {"x"}, "g-recaptcha-response": {"x"}, "botcheck": {""}, "redirect": {"/x"},
	})
	if want := "Favourite colour: blue\nTopics: Pricing, Warranty"; got.Fields["more"] != want {
		t.Errorf("field more: got %q, want %q", got.Fields["more"], want)
	}
	if names := h.submission(t)["unmapped_inputs"]; names != nil {
		t.Errorf("logged unmapped_inputs %v, want none", names)
	}
}

func TestDroppedInputsAreLogged(t *testing.T) {
	_, h := lead(t, "field phone\nthank_you /thanks", url.Values{
		"phone": {"08123456789"}, "company": {"Gulmohar"}, "empty": {""}, "_subject": {"x"}, "Ravi Menon 0812": {"x"},
	})
	if diff := cmp.Diff([]any{"company", "(and 1 more)"}, h.submission(t)["unmapped_inputs"]); diff != "" {
		t.Errorf("unmapped_inputs (-want +got):\n%s", diff)
	}
}

func TestActions(t *testing.T) {
	got, h := lead(t, `
		field phone
		action 1042 {
			field note message
			field slot slot dropdown {
				options Morning Evening
			}
			set page {http.request.header.Referer}
		}
		action 1043
		action PAYMENT {
			set status PENDING
			set currency inr
			field amount price
		}
		thank_you /thanks`,
		url.Values{"phone": {"08123456789"}, "message": {"After 5 pm"}, "slot": {"evening"}, "price": {"₹ 2,499"}})
	want := []sandbox.Action{
		{Type: "1042", Fields: map[string]any{"note": "After 5 pm", "slot": "Evening", "page": "https://www.example.com/contact"}},
		{Type: "1043", Fields: map[string]any{}},
		{Type: "PAYMENT", Fields: map[string]any{"status": "PENDING", "currency": "INR", "amount": "2499"}},
	}
	for i := range got.Actions {
		got.Actions[i].ID, got.Actions[i].CreatedAt = "", time.Time{}
	}
	if diff := cmp.Diff(want, got.Actions); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
	if len(got.Remarks) != 0 || h.log.Len() != 1 {
		t.Errorf("remarks %v, log %v", got.Remarks, h.log.All())
	}
}

func TestIncompletePaymentIsLeftOut(t *testing.T) {
	for _, price := range []string{"", "0", "0.00"} {
		got, h := lead(t, `
			field phone
			action PAYMENT {
				set status PENDING
				set currency INR
				field amount price
			}
			thank_you /thanks`,
			url.Values{"phone": {"08123456789"}, "price": {price}})
		if len(got.Actions) != 0 || len(got.Remarks) != 0 {
			t.Errorf("price %q: actions %v, remarks %v", price, got.Actions, got.Remarks)
		}
		entries := h.logged("not stored as sent")
		if len(entries) != 1 || entries[0].ContextMap()["field"] != "action PAYMENT" {
			t.Errorf("price %q: logged %v", price, h.log.All())
		}
	}
}

// A set value that is not valid is left out with a remark, because the visitor cannot correct it.
func TestInvalidSetIsLeftOut(t *testing.T) {
	got, h := lead(t, "field phone\nset visit_date {form.when} date\nthank_you /thanks", url.Values{"phone": {"08123456789"}, "when": {"whenever"}})
	if _, sent := got.Fields["visit_date"]; sent {
		t.Error("the invalid value was sent")
	}
	entries := h.logged("not stored as sent")
	if len(entries) != 1 || entries[0].ContextMap()["field"] != "fields.visit_date" || entries[0].ContextMap()["status"] != "NOT_SENT" {
		t.Errorf("logged %v", h.log.All())
	}
}

// The identifier may be composed of two inputs. If it is not valid, the visitor is told to correct
// it.
func TestIdentifierOfTwoInputs(t *testing.T) {
	const block = "set phone \"{form.code}{form.number}\"\nfield name\nthank_you /thanks"
	got, _ := lead(t, block, url.Values{"code": {"+44"}, "number": {"7400 123456"}})
	if got.Fields["phone"] != "447400123456" {
		t.Errorf("phone: got %v", got.Fields["phone"])
	}
	for number, code := range map[string]string{"12": "PHONE_TOO_SHORT", "": "PHONE_TOO_SHORT"} {
		h := newHandler(t, newCRM(t).url, block)
		r := postForm(url.Values{"code": {"+44"}, "number": {number}})
		r.Header.Set("Accept", "application/json")
		w, _, err := h.serve(r)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(w.Body.String(), `"field":"number","code":"`+code+`"`) {
			t.Errorf("number %q: %s", number, w.Body)
		}
	}
}

// A name cannot contain line breaks, invisible characters or text direction overrides, from a field
// or from a set.
func TestNamesAreOneVisibleLine(t *testing.T) {
	const typed = "Meera\r\nBcc: all@example.org \u202eI\u200byer\u2066"
	for name, block := range map[string]string{
		"field": "field name\nfield phone\nthank_you /",
		"set":   "set name {form.name}\nfield phone\nthank_you /",
	} {
		t.Run(name, func(t *testing.T) {
			crm := newCRM(t)
			h := newHandler(t, crm.url, block)
			h.mustServe(t, postForm(with(meera, "name", typed)))
			leads := crm.Leads()
			if len(leads) != 1 || leads[0].Fields["name"] != "Meera Bcc: all@example.org Iyer" {
				t.Errorf("leads %+q", leads)
			}
		})
	}
}
