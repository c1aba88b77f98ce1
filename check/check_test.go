package check_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

var noon = time.Date(2026, time.January, 1, 12, 0, 0, 0, time.UTC)

const contact = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Contact</title></head>
<body>
<form method="post" action="/enquire">
<label>Name <input name="name" autocomplete="name" required></label>
<label>Phone <input name="phone" type="tel" autocomplete="tel" required></label>
<label>Email <input name="email" type="email" autocomplete="email"></label>
<label>Product <select name="product"><option value="">Choose one</option><option>Solar</option><option>Battery</option></select></label>
<label>Day <input name="visit" type="date"></label>
<label>Message <textarea name="message" maxlength="2000"></textarea></label>
<label><input type="checkbox" name="consent" value="yes" required> Call me</label>
<button>Send</button>
</form>
</body></html>
`

// site is a clean site. Tests put one mistake into it.
type site struct {
	*check.Site
	form    *check.Form
	account *check.Account
	config  check.Config
	files   fstest.MapFS
}

func (s *site) write(name, content string) { s.files[name] = &fstest.MapFile{Data: []byte(content)} }

// replace changes the contact page.
func (s *site) replace(old, by string) {
	content := string(s.files["contact.html"].Data)
	if !strings.Contains(content, old) {
		panic("the page does not have " + old)
	}
	s.write("contact.html", strings.Replace(content, old, by, 1))
}

// field returns the form's field with the name.
func (s *site) field(name string) *mapping.Field {
	return &s.form.Fields[slices.IndexFunc(s.form.Fields, func(f mapping.Field) bool { return f.Name == name })]
}

func (s *site) workspace() *check.Workspace { return s.account.Workspace }

// definition returns the workspace's definition of the field.
func (s *site) definition(name string) *telecrm.FieldDefinition {
	fields := s.workspace().Fields.Fields
	return &fields[slices.IndexFunc(fields, func(f telecrm.FieldDefinition) bool { return f.APIName == name })]
}

func newSite(t *testing.T) *site {
	t.Helper()
	most := 2000.0
	account := &check.Account{
		Name: "default", EnterpriseID: "66aa00bb11cc22dd33ee44ff", Identifier: "phone",
		Place: check.Place{File: "Caddyfile", Line: 3, Column: 3}, Lines: lines(4, "token", "enterprise_id", "identifier", "base_url"),
		Workspace: newWorkspace(),
	}
	f := &check.Form{
		Name: "/enquire", Account: account, Takes: func(_, path string) bool { return path == "/enquire" },
		Place: check.Place{File: "Caddyfile", Line: 20, Column: 2},
		Lines: lines(21, "field name", "field phone", "field email", "field product", "field visit", "field message", "field consent", "set source", "set status", "set assignee",
			"action 1042", "action 1042 field note", "action 1042 set slot", "unmapped", "thank_you", "form_page", "honeypot", "on_duplicate"),
		Fields: []mapping.Field{
			{Name: "name", Required: true},
			{Name: "phone"},
			{Name: "email"},
			{Name: "product", Type: "dropdown", Options: []string{"Solar", "Battery"}},
			{Name: "visit", Type: "date"},
			{Name: "message", Max: &most},
			{Name: "consent", Options: []string{"yes"}, Required: true},
		},
		Set:         []mapping.Setting{{Name: "source", Value: "Website", Type: "dropdown"}, {Name: "status", Value: "Fresh"}, {Name: "assignee", Value: "agent7@example.org"}},
		Actions:     []mapping.Action{{Code: "1042", Fields: []mapping.Field{{Name: "note", Input: "message"}}, Set: []mapping.Setting{{Name: "slot", Value: "Morning", Type: "dropdown"}}}},
		OnDuplicate: "actions",
		ThankYou:    "/thank-you",
		Country:     "IN", TimeZone: "Asia/Kolkata",
	}
	files := fstest.MapFS{}
	s := &site{
		Site: &check.Site{Hosts: []string{"www.example.com"}, Files: files, Root: "site", Try: []string{"{path}.html", "{path}"}, Forms: []*check.Form{f}},
		form: f, account: account, files: files,
	}
	s.write("contact.html", contact)
	s.write("thank-you.html", "<p>Thanks</p>")
	s.write("index.html", `<form action="/search"><input name="q"></form>`)
	s.config = check.Config{Sites: []*check.Site{s.Site}, Accounts: []*check.Account{account}, Now: func() time.Time { return noon }, Folder: t.TempDir()}
	return s
}

func lines(first int, words ...string) map[string]check.Place {
	places := make(map[string]check.Place)
	for i, word := range words {
		places[word] = check.Place{File: "Caddyfile", Line: first + i, Column: 3}
	}
	return places
}

func newWorkspace() *check.Workspace {
	return &check.Workspace{
		Fields: telecrm.Definitions{ServerTime: noon, Fields: []telecrm.FieldDefinition{
			{APIName: "phone", Type: "PHONE", Identifier: true},
			{APIName: "product", Type: "DROPDOWN", Options: []string{"Solar", "Battery", "Other"}},
			{APIName: "visit", Type: "DATE"},
			{APIName: "message", Type: "TEXT"},
			{APIName: "consent", Type: "TEXT"},
			{APIName: "source", Type: "DROPDOWN", Options: []string{"Website", "Expo"}},
			{APIName: "interests", Type: "TAGS", Options: []string{"Subsidy", "Financing"}},
		}},
		Actions: telecrm.ActionDefinitions{Actions: []telecrm.ActionDefinition{{
			Code: "1042", Name: "Callback asked", HasFields: true,
			Fields: []telecrm.FieldDefinition{{APIName: "note", Type: "TEXT"}, {APIName: "slot", Type: "DROPDOWN", Options: []string{"Morning", "Evening"}}},
		}}},
		Pipeline: telecrm.Pipeline{
			Statuses: []string{"Fresh", "Won"}, ArchivedStatuses: []string{"Cold"},
			LostReasons: []string{"Too costly"}, ArchivedLostReasons: []string{"Moved"},
		},
		Members: map[string]telecrm.Member{"agent7@example.org": {Exists: true}, "agent8@example.org": {}},
		AskedAt: noon.Add(time.Second),
	}
}

func run(t *testing.T, c check.Config) *check.Report {
	t.Helper()
	report, err := check.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func describe(findings []check.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "\n%s %s at %s (form %q, account %q, also %d): %s\n\tremedy: %s", f.Severity, f.Code, f.Place, f.Form, f.Account, f.Also, f.Message, f.Remedy)
	}
	return b.String()
}

// TestNumbersInWords checks the messages that count things when there are none, one or more.
func TestNumbersInWords(t *testing.T) {
	t.Parallel()
	const form = `<form><input name="name"><input type="tel"></form>`
	for _, test := range []struct {
		pages []string
		code  check.Code
		want  string
	}{
		{nil, check.HandlerWithoutForm, "the site in site does not have any pages, so no form posts to this handler; "},
		{[]string{"index.html"}, check.HandlerWithoutForm, "no form on the only page in site posts to this handler; "},
		{[]string{"a.html", "b.html"}, check.HandlerWithoutForm, "no form on the 2 pages in site posts to this handler; "},
		{[]string{"old.html"}, check.FormNotSent, "; 1 of its controls needs a name too"},
	} {
		s := newSite(t)
		clear(s.files)
		for _, name := range test.pages {
			s.write(name, form)
		}
		found := run(t, s.config).Findings
		if !slices.ContainsFunc(found, func(f check.Finding) bool { return f.Code == test.code && strings.Contains(f.Message, test.want) }) {
			t.Errorf("%q: found %s\nwant %s with %q", test.pages, describe(found), test.code, test.want)
		}
	}
}

func TestCleanSiteHasNoFindings(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	report := run(t, s.config)
	if len(report.Findings) > 0 || report.Pages != 3 || report.Forms != 2 || len(report.Unverified) > 0 {
		t.Errorf("read %d pages with %d forms, could not check %q, and found %s", report.Pages, report.Forms, report.Unverified, describe(report.Findings))
	}
}

// Forms that are not for enquiries, or that others take, are not findings.
func TestOtherFormsAreNotFindings(t *testing.T) {
	t.Parallel()
	for name, form := range map[string]string{
		"search":               `<form role="search"><input type="search" name="s"><input name="where"></form>`,
		"search on the page":   `<form action="/enquire"><input name="q"></form>`,
		"login":                `<form><input type="email" name="user"><input type="password" name="pw"></form>`,
		"newsletter elsewhere": `<form method="post" action="https://news.example.org/list"><input type="email" name="EMAIL"></form>`,
		"payment":              `<form method="post" action="https://pay.example.net/cart"><input type="hidden" name="cmd" value="x"></form>`,
		"dialog":               `<form method="dialog"><button>Close</button></form>`,
		"sort":                 `<form action="/shop"><select name="order"><option>Price</option></select></form>`,
		"rebuilt":              `<div id="__next"><form><input type="email"><textarea></textarea></form></div><script type="module" src="/app.js"></script>`,
		"template element":     `<template><form method="post" action="/x"><input name="y"></form></template>`,
		"comment":              `<!-- <form method="post" action="/x"> -->`,
		"script":               `<script>document.write('<form method="post" action="/x">')</script>`,
		"API":                  `<form method="post" action="/api/vote"><input name="y" aria-label="Y"></form>`,
	} {
		s := newSite(t)
		s.Answers = func(path string) bool { return strings.HasPrefix(path, "/api/") }
		s.write("other.html", form)
		if report := run(t, s.config); len(report.Findings) > 0 {
			t.Errorf("%s: found %s", name, describe(report.Findings))
		}
	}
}

// Pages may be linked, named and grouped in many ways.
func TestFormsOnCleanURLs(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file, action, takes string
		try                 []string
	}{
		"own clean URL":      {"contact.html", "", "/contact", []string{"{path}.html", "{path}"}},
		"own file":           {"contact.html", "", "/contact.html", nil},
		"own folder":         {"contact/index.html", "", "/contact/", nil},
		"relative":           {"de/contact.html", "enquire", "/de/enquire", nil},
		"up":                 {"de/contact/index.html", "../enquire", "/de/enquire", nil},
		"with a query":       {"contact.html", "/enquire?from=contact#form", "/enquire", nil},
		"with the host":      {"contact.html", "https://www.example.com/enquire", "/enquire", nil},
		"without the scheme": {"contact.html", "//www.example.com/enquire", "/enquire", nil},
		"capitals":           {"Contact.HTML", "/enquire", "/enquire", nil},
	} {
		s := newSite(t)
		delete(s.files, "contact.html")
		s.write(tt.file, strings.Replace(contact, `action="/enquire"`, `action="`+tt.action+`"`, 1))
		s.Try = tt.try
		s.form.ThankYou = "/thank-you.html"
		s.form.Takes = func(_, path string) bool { return path == tt.takes }
		if report := run(t, s.config); len(report.Findings) > 0 {
			t.Errorf("%s: found %s", name, describe(report.Findings))
		}
	}
}
