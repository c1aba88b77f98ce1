package console

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// text renders p, checks that it is well formed, and returns its words and its source.
func text(t *testing.T, p Page) (words, source string) {
	t.Helper()
	var b bytes.Buffer
	if err := Render(&b, p); err != nil {
		t.Fatal(err)
	}
	return wordsOf(t, b.String()), b.String()
}

func wordsOf(t *testing.T, source string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for node := range root.Descendants() {
		if node.Type == html.TextNode && node.Parent.Data != "style" {
			words = append(words, strings.Fields(node.Data)...)
		}
	}
	return strings.Join(words, " ")
}

func TestRender(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	account := func(change func(*adminapi.Account)) Page {
		a := adminapi.Account{Name: "north", Configured: true, State: delivery.Sending}
		change(&a)
		return Page{Outboxes: []Outbox{{Outbox: adminapi.Outbox{Resource: "/srv/outbox.db", Accounts: []adminapi.Account{a}}}}}
	}
	lead := adminapi.Lead{ID: "01900000-0000-7000-8000-000000000001", Form: "enquiry", Account: "north", State: outbox.Parked, CreatedAt: now.Add(-3 * time.Hour), Reason: "TeleCRM has another lead"}
	for _, test := range []struct {
		name    string
		page    Page
		has     []string
		hasNot  []string
		markup  []string
		without []string
	}{
		{
			name: "no outbox", page: Page{Note: "the outbox is off"},
			has: []string{"Nothing to show: the outbox is off."}, hasNot: []string{"Parked leads", "Check of the forms"},
		},
		{
			name: "checked", page: Page{Check: &adminapi.Check{At: now, Errors: 1, Unverified: []string{"the fields of account north"}, Findings: []check.Finding{
				{Code: check.WrongMethod, Severity: check.Error, Form: "enquiry", Place: check.Place{File: "a.html", Line: 4, Column: 1}, Message: "sent with <GET>", Remedy: `method="post"`, Also: 2},
			}}},
			has:    []string{"1 error, 0 warnings and 0 notes.", "Error enquiry sent with <GET> wrong-method at a.html:4:1, and 2 more method=\"post\"", "Not checked: the fields of account north."},
			hasNot: []string{"Nothing found"},
		},
		{
			name: "checked, with many findings", page: Page{Check: &adminapi.Check{At: now, Notes: 120, Findings: make([]check.Finding, 120)}},
			has: []string{"0 errors, 0 warnings and 120 notes.", "20 more are not listed."},
		},
		{name: "checked, clean", page: Page{Check: &adminapi.Check{At: now}}, has: []string{"Check of the forms", "Nothing found."}},
		{
			name: "no outbox, and failing", page: Page{Note: "the outbox is off", Direct: []adminapi.Account{
				{Name: "north", State: delivery.Failing, StateSince: now.Add(-time.Hour), StateReason: "HTTP 503"}, {Name: "south", State: delivery.Sending},
			}},
			has: []string{"north : Failing since", "1 hour ago: HTTP 503.", "south : Sending"}, without: []string{"/resume"},
		},
		{
			name: "all well", page: account(func(a *adminapi.Account) { a.Delivered = 12345 }),
			has:     []string{"Sending", "12,345", "Outbox /srv/outbox.db", "none", "not reported a field", "None."},
			without: []string{"/resume"},
		},
		{
			name: "on hold", page: account(func(a *adminapi.Account) {
				a.State = delivery.OnHold
				a.Held, a.HeldSince, a.HeldReason, a.Waiting = true, now.Add(-2*time.Hour), "HTTP 401", 7
				a.OldestWaiting = &adminapi.Waiting{ID: "a", CreatedAt: now.Add(-150 * time.Minute)}
			}),
			has:    []string{"On hold since", "2 hours ago: HTTP 401.", "Try now : account north"},
			markup: []string{`<form method="post" action="/telecrm/page/accounts/north/resume">`},
		},
		{
			name: "outbox away", page: Page{Outboxes: []Outbox{{Outbox: adminapi.Outbox{
				Resource: "/srv/outbox.db", Trouble: "the outbox has not been usable since noon",
			}}}},
			has: []string{"Trouble the outbox has not been usable since noon.", "No accounts."},
		},
		{
			name: "fleet", page: Page{Outboxes: []Outbox{{Outbox: adminapi.Outbox{Resource: "postgres db.example:5432/leads telecrm", Fleet: &adminapi.Fleet{
				Nodes: []adminapi.Node{{Name: "web-1", Self: true, Since: now.Add(-3 * time.Hour)}, {Name: "<web-2>", Since: now.Add(-time.Minute), InFlight: 1234, Spooled: 12}},
				Disagreements: []outbox.Disagreement{{Account: "north", Setting: "crm_rate", Values: []outbox.Variant{
					{Value: "60/h 5", Nodes: []string{"web-1"}}, {Value: "1/h 5", Nodes: []string{"<web-2>"}},
				}}},
				DeadRows: 50000, OpenSeconds: 3720,
			}}}}},
			has: []string{
				"Machines that share the outbox", "web-1 (this one) 3 hours ago 0 0", "<web-2> 1 minute ago 1,234 12",
				"Different settings crm_rate of account north: 60/h 5 on web-1, 1/h 5 on <web-2>.", "open in the database for 1h2m0s", "50,000 dead rows",
			},
		},
		{
			name: "paused", page: account(func(a *adminapi.Account) {
				a.State, a.StateSince, a.StateReason = delivery.Paused, now.Add(-2*time.Hour), "HTTP 429"
				a.PausedUntil = now.Add(10 * time.Minute)
			}),
			has: []string{"Paused since", "2 hours ago: HTTP 429. Paused until", "in 10 minutes."}, markup: []string{"/resume"},
		},
		{
			name: "failing", page: account(func(a *adminapi.Account) {
				a.State, a.StateSince, a.StateReason = delivery.Failing, now.Add(-4*time.Minute), "dial tcp: connection refused"
			}),
			has:    []string{"Failing since", "4 minutes ago: dial tcp: connection refused."},
			hasNot: []string{"Paused"}, markup: []string{"/resume"},
		},
		{
			name: "slow", page: account(func(a *adminapi.Account) {
				a.State, a.StateSince, a.StateReason = delivery.Slow, now.Add(-4*time.Minute), "HTTP 429"
			}),
			has: []string{"Slow since", "HTTP 429."}, markup: []string{"/resume"},
		},
		{
			name: "well again", page: account(func(a *adminapi.Account) {
				a.LastError = &adminapi.LastError{Problem: "HTTP 503", At: now.Add(-time.Hour)}
			}),
			has: []string{"Sending Last error 1 hour ago : HTTP 503."}, without: []string{"/resume"},
		},
		{
			name: "waiting for a retry", page: account(func(a *adminapi.Account) { a.Waiting = 3 }),
			has: []string{"Sending"}, markup: []string{"/resume"},
		},
		{
			name: "not configured", page: account(func(a *adminapi.Account) { a.Configured = false }),
			has: []string{"Not configured"}, without: []string{"/resume"},
		},
		{
			name: "a name that is awkward in a URL", page: account(func(a *adminapi.Account) { a.Name, a.State, a.Held = `a/b"<c>`, delivery.OnHold, true }),
			has: []string{`a/b"<c>`}, markup: []string{`/accounts/a%2Fb%22%3Cc%3E/resume`},
		},
		{
			name: "parked", page: Page{Outboxes: account(func(a *adminapi.Account) { a.Parked = 41 }).Outboxes, Parked: adminapi.Page{Leads: []adminapi.Lead{lead}, Next: lead.ID}},
			has: []string{"41 in total", "3 hours ago enquiry north TeleCRM has another lead " + lead.ID, "The next"},
			markup: []string{
				`<form method="post" action="/telecrm/page/leads/` + lead.ID + `/retry">`,
				`<form method="get" action="/telecrm/page/leads/` + lead.ID + `/discard">`,
				`<a href="/telecrm/?after=` + lead.ID + `">`,
			},
		},
		{
			name: "beyond the last", page: Page{Outboxes: account(func(*adminapi.Account) {}).Outboxes, After: lead.ID},
			has: []string{"There are no more.", "The oldest"}, markup: []string{`url=/telecrm/?after=` + lead.ID + `"`},
		},
		{
			name: "done", page: Page{Done: "retried"},
			has: []string{"The lead is being retried."}, markup: []string{`role="status"`, `url=/telecrm/"`},
		},
		{
			name: "done, with a number", page: Page{Done: "resumed", Due: 3},
			has: []string{"3 leads are due now; one is tried first, and the others follow when TeleCRM takes it."}, markup: []string{`role="status"`},
		},
		{
			name: "done, made up", page: Page{Done: "<b>you won</b>"},
			hasNot: []string{"you won"}, without: []string{`role="status"`},
		},
		{
			name: "still", page: Page{Still: true, After: lead.ID},
			has: []string{"refresh every 30 seconds"}, markup: []string{`<a href="/telecrm/?after=` + lead.ID + `">refresh every`},
			without: []string{"http-equiv"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.page.Now = now
			for i := range test.page.Outboxes {
				test.page.Outboxes[i].Counted = NewTally(func() time.Time { return now }).Counted()
			}
			words, source := text(t, test.page)
			for _, want := range test.has {
				if !strings.Contains(words, want) {
					t.Errorf("%q is not on the page: %s", want, words)
				}
			}
			for _, other := range test.hasNot {
				if strings.Contains(words, other) {
					t.Errorf("%q is on the page: %s", other, words)
				}
			}
			for _, want := range test.markup {
				if !strings.Contains(source, want) {
					t.Errorf("%s is missing in %s", want, source)
				}
			}
			for _, other := range test.without {
				if strings.Contains(source, other) {
					t.Errorf("%s is in %s", other, source)
				}
			}
		})
	}
}

func TestRenderLeads(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	lead := func(state outbox.State) adminapi.Lead {
		return adminapi.Lead{ID: "01900000-0000-7000-8000-000000000001", Form: "/enquire", Account: "north", State: state, CreatedAt: now.Add(-3 * time.Hour)}
	}
	waiting := lead(outbox.Waiting)
	waiting.DueAt, waiting.Reason = now.Add(10*time.Minute), "HTTP 503"
	flying := waiting
	flying.Node = "<web-2>"
	search := adminapi.Filter{State: outbox.Parked, Account: "north", Form: `/en"quire`, Identifier: "81234 56789", Since: "24h", Until: "2026-11-24"}
	for _, test := range []struct {
		name            string
		page            Leads
		has             []string
		markup, without []string
	}{
		{
			"just opened",
			Leads{Search: adminapi.Filter{Since: "24h"}, Fresh: true},
			[]string{"Received in the last 24 hours None."},
			[]string{"autofocus", `name="since" value=""`, `<form method="post" action="/telecrm/page/leads" role="search"`},
			[]string{"http-equiv", "The next", "/retry"},
		},
		{
			"found",
			Leads{Found: adminapi.Page{Leads: []adminapi.Lead{waiting}}},
			[]string{"3 hours ago waiting /enquire north due in 10 minutes : HTTP 503 " + waiting.ID},
			[]string{`action="/telecrm/page/leads/` + waiting.ID + `/retry"`, `<form method="get" action="/telecrm/page/leads/` + waiting.ID + `/discard"`},
			[]string{"autofocus", "The next"},
		},
		{"in flight", Leads{Found: adminapi.Page{Leads: []adminapi.Lead{flying}}}, []string{"waiting /enquire north in flight on <web-2>: HTTP 503"}, nil, []string{"due in"}},
		{"delivered", Leads{Found: adminapi.Page{Leads: []adminapi.Lead{lead(outbox.Delivered)}}}, []string{"delivered"}, []string{"/discard"}, []string{"/retry"}},
		{
			"searched, with more pages",
			Leads{Search: search, Accounts: []string{"default", "north"}, Forms: []string{"/enquire"}, Found: adminapi.Page{Leads: []adminapi.Lead{lead(outbox.Parked)}, Next: waiting.ID}},
			[]string{"The next"},
			[]string{
				`name="identifier" value="81234 56789"`, `<option selected>parked</option>`, `<option>default</option><option selected>north</option>`,
				`name="form" value="/en&#34;quire"`, `<option value="/enquire">`, `name="until" value="2026-11-24"`,
				`<input type="hidden" name="identifier" value="81234 56789">`, `<button class="quiet-button" name="after" value="` + waiting.ID + `">The next`,
			},
			[]string{"The oldest", "?"},
		},
		{"a form that is gone", Leads{Found: adminapi.Page{Note: `the running config does not have the form "/a"`}}, []string{`None. Note: the running config does not have the form "/a".`}, nil, nil},
		{"after the last page", Leads{Search: adminapi.Filter{After: waiting.ID}}, []string{"There are no more.", "The oldest"}, nil, nil},
		{"a mistake", Leads{Search: search, Problem: "since: must be before until"}, []string{"since: must be before until."}, []string{`role="alert"`, `value="81234 56789"`}, []string{"Leads found"}},
		{"done", Leads{Done: "retried"}, []string{"The lead is being retried."}, []string{`role="status"`}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.page.Now = now
			var b bytes.Buffer
			if err := RenderLeads(&b, test.page); err != nil {
				t.Fatal(err)
			}
			words, source := wordsOf(t, b.String()), strings.ReplaceAll(b.String(), pageStyle, "")
			for _, want := range test.has {
				if !strings.Contains(words, want) {
					t.Errorf("%q is not on the page: %s", want, words)
				}
			}
			for _, want := range test.markup {
				if !strings.Contains(source, want) {
					t.Errorf("%s is missing in %s", want, source)
				}
			}
			for _, other := range test.without {
				if strings.Contains(source, other) {
					t.Errorf("%s is in %s", other, source)
				}
			}
		})
	}
}

// The pages use nothing that the policy forbids: scripts, other styles, other origins.
func TestPagesKeepToThePolicy(t *testing.T) {
	counted := NewTally(time.Now)
	counted.Accepted("")
	counted.Remarked("enquiry", "fields.city")
	_, page := text(t, Page{Now: time.Now(), Outboxes: []Outbox{{
		Outbox: adminapi.Outbox{Accounts: []adminapi.Account{{Name: "a", Configured: true, Held: true}}}, Counted: counted.Counted(),
	}}})
	var discard, problem, leads bytes.Buffer
	search := Leads{Search: adminapi.Filter{Form: "<script>"}, Found: adminapi.Page{Leads: []adminapi.Lead{{ID: "a", Reason: "<script>"}}, Next: "a"}}
	if err := RenderLeads(&leads, search); err != nil {
		t.Fatal(err)
	}
	if err := RenderDiscard(&discard, adminapi.Lead{ID: "a", Reason: "<script>"}); err != nil {
		t.Fatal(err)
	}
	if err := RenderProblem(&problem, "<script>"); err != nil {
		t.Fatal(err)
	}
	for name, source := range map[string]string{"page": page, "discard": discard.String(), "leads": leads.String(), "problem": problem.String()} {
		root, err := html.Parse(strings.NewReader(source))
		if err != nil {
			t.Fatal(err)
		}
		for node := range root.Descendants() {
			if node.Type == html.ElementNode && (node.Data == "script" || node.Data == "img" || node.Data == "iframe") {
				t.Errorf("%s: <%s>", name, node.Data)
			}
			for _, a := range node.Attr {
				outside := strings.Contains(a.Val, "//") || strings.HasPrefix(a.Val, "javascript:")
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") || outside {
					t.Errorf("%s: %s=%q", name, a.Key, a.Val)
				}
			}
		}
	}
	if !strings.Contains(page, pageStyle) {
		t.Error("the page's style sheet differs from the hashed one")
	}
}
