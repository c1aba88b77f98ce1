package browsertest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// submitButton selects the submit button of the page's only form.
const submitButton = `form button[type="submit"]`

// kolkata is the time zone of the demo's account.
var kolkata = time.FixedZone("IST", 5*60*60+30*60)

func TestContactFormMakesALead(t *testing.T) {
	for name, scripts := range map[string]bool{"scripts on": true, "scripts off": false} {
		t.Run(name, func(t *testing.T) {
			s := startSite(t)
			s.keepOut("Anjali", "918123456789", "81234 56789", "anjali@example.org", "banyan")
			b := openTab(t)
			if !scripts {
				b.withoutScripts()
			}
			b.open(s.pages + "/contact")

			began := time.Now()
			fillEnquiry(b)
			if status := b.press(submitButton); status != http.StatusOK || b.path() != "/thank-you" {
				t.Fatalf("after the form: path %s, status %d", b.path(), status)
			}

			got := s.onlyLead(t)
			checkSubmittedAt(t, got.Fields, began)
			if diff := cmp.Diff(wholeEnquiry(s), withoutIDs(t, got)); diff != "" {
				t.Errorf("lead (-want +got):\n%s", diff)
			}
		})
	}
}

// fillEnquiry fills in every control of the contact form, and fails if the form has another one.
func fillEnquiry(b *tab) {
	b.t.Helper()
	filled := []string{"product", "slot", "topics", "rating", "contact_by", "interests", "consent"}
	for _, typed := range [][2]string{
		{"name", "Anjali Menon"},
		{"phone", "081234 56789"},
		{"email", "anjali@example.org"},
		{"city", "Bengaluru"},
		{"company", "Tall Coconut Tools"},
		{"employees", "42"},
		{"website", "https://tools.example.com/about?x=1"},
		{"budget", "2,50,000.75"},
		{"message", "Two lines:\nthe banyan shades one half."},
	} {
		b.do(chromedp.SendKeys(chromedp.CSS(byName(typed[0])), typed[1]))
		filled = append(filled, typed[0])
	}
	for _, picked := range [][2]string{
		{"visit_date", "2027-01-15"},
		{"visit_time", "2027-01-16T10:30"},
		{"start_month", "2027-03"},
	} {
		b.set(byName(picked[0]), picked[1])
		filled = append(filled, picked[0])
	}
	b.choose(byName("product"), "Rooftop solar")
	b.choose(byName("slot"), "Evening")
	b.choose(byName("topics"), "Pricing", "Installation")
	b.do(
		chromedp.SendKeys(chromedp.CSS(byName("rating")), kb.ArrowRight), // from 3 to 4
		chromedp.Click(chromedp.CSS(byName("contact_by")+`[value="WhatsApp"]`)),
		chromedp.Click(chromedp.CSS(byName("interests")+`[value="Subsidy"]`)),
		chromedp.Click(chromedp.CSS(byName("interests")+`[value="Net metering"]`)),
		chromedp.Click(chromedp.CSS(byName("consent"))),
	)

	slices.Sort(filled)
	controls := evaluate[[]string](b, `Array.from(new Set(Array.from(document.querySelectorAll("form :is(input, select, textarea)"))
		.filter(control => control.type !== "hidden" && !control.closest("[aria-hidden]")).map(control => control.name))).sort()`)
	if diff := cmp.Diff(filled, controls); diff != "" {
		b.t.Fatalf("controls (-filled +on the page):\n%s", diff)
	}
}

func byName(name string) string { return `form [name="` + name + `"]` }

// wholeEnquiry returns the lead for the values of fillEnquiry, without ids and times.
func wholeEnquiry(s *site) sandbox.Lead {
	contactPage := s.pages + "/contact"
	return sandbox.Lead{
		Fields: map[string]any{
			"name":        "Anjali Menon",
			"phone":       "918123456789",
			"email":       "anjali@example.org",
			"city":        "Bengaluru",
			"company":     "Tall Coconut Tools",
			"employees":   json.Number("42"),
			"website":     "https://tools.example.com/about?x=1",
			"budget":      "250000.75",
			"rating":      json.Number("4"),
			"contact_by":  "WhatsApp",
			"product":     "Rooftop solar",
			"interests":   []any{"Subsidy", "Net metering"},
			"visit_date":  millis(time.Date(2027, time.January, 15, 0, 0, 0, 0, kolkata)),
			"visit_time":  millis(time.Date(2027, time.January, 16, 10, 30, 0, 0, kolkata)),
			"start_month": millis(time.Date(2027, time.March, 1, 0, 0, 0, 0, kolkata)),
			"message":     "Two lines:\nthe banyan shades one half.",
			"consent":     "yes",
			"source":      "Website",
			"page_url":    contactPage,
			"more":        "Page: contact\nTopics: Pricing, Installation",
		},
		Actions: []sandbox.Action{{
			Type: "1042",
			Fields: map[string]any{
				"note": "Two lines:\nthe banyan shades one half.",
				"slot": "Evening",
				"page": contactPage,
			},
		}},
		Changes:    []sandbox.Change{},
		Remarks:    []sandbox.Remark{},
		NewOptions: []string{},
	}
}

func millis(moment time.Time) json.Number {
	return json.Number(strconv.FormatInt(moment.UnixMilli(), 10))
}

// checkSubmittedAt checks submitted_at and removes it from the fields.
func checkSubmittedAt(t *testing.T, fields map[string]any, began time.Time) {
	t.Helper()
	number, ok := fields["submitted_at"].(json.Number)
	if !ok {
		t.Fatalf("submitted_at is %#v, not a number", fields["submitted_at"])
	}
	at, err := number.Int64()
	if err != nil || at < began.UnixMilli() || at > time.Now().UnixMilli() {
		t.Errorf("submitted_at is %s, not during this test (from %d)", number, began.UnixMilli())
	}
	delete(fields, "submitted_at")
}

var leadID = regexp.MustCompile(`^[0-9a-f]{24}$`)

// withoutIDs checks the ids and times of the lead and removes them.
func withoutIDs(t *testing.T, lead sandbox.Lead) sandbox.Lead {
	t.Helper()
	if !leadID.MatchString(lead.ID) || lead.CreatedAt.IsZero() {
		t.Errorf("the lead has the id %q and was created at %v", lead.ID, lead.CreatedAt)
	}
	lead.ID, lead.CreatedAt = "", time.Time{}
	for i := range lead.Actions {
		if at := lead.Actions[i].CreatedAt; !leadID.MatchString(lead.Actions[i].ID) || at.IsZero() {
			t.Errorf("an action has the id %q and was created at %v", lead.Actions[i].ID, at)
		}
		lead.Actions[i].ID, lead.Actions[i].CreatedAt = "", time.Time{}
	}
	return lead
}
