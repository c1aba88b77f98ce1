package check_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// mistake is something wrong with the clean site, and how it is found.
type mistake struct {
	name   string
	make   func(s *site)
	code   check.Code
	place  string // of the finding
	remedy string
	also   []check.Code // other findings that follow from the mistake
}

var inWorkspace = []mistake{
	{
		"misspelt field", func(s *site) { s.field("message").Name = "mesage" },
		check.UnknownField, "Caddyfile:20:2", "field message",
		[]check.Code{check.InputNotInForm, check.LengthInHTMLOnly},
	},
	{
		"misspelt field with its own input", func(s *site) { f := s.field("message"); f.Name, f.Input = "mesage", "message" },
		check.UnknownField, "Caddyfile:20:2", "field message", nil,
	},
	{
		"other capitals", func(s *site) { f := s.field("product"); f.Name, f.Input = "Product", "product" },
		check.FieldCase, "Caddyfile:20:2", "field product product dropdown", nil,
	},
	{
		"misspelt constant", func(s *site) { s.form.Set[0].Name = "sorce" },
		check.UnknownField, "Caddyfile:20:2", "set source Website dropdown", nil,
	},
	{"misspelt unmapped", func(s *site) { s.form.Unmapped = "mesage" }, check.UnknownField, "Caddyfile:34:3", "unmapped message", nil},
	{
		"text for a date", func(s *site) { s.field("visit").Type = "" },
		check.WrongType, "Caddyfile:25:3", "field visit visit date", nil,
	},
	{
		"number for a text", func(s *site) { s.field("message").Type = "number" },
		check.WrongType, "Caddyfile:26:3", "field message", nil,
	},
	{
		"text for tags", func(s *site) {
			s.form.Set = append(s.form.Set, mapping.Setting{Name: "interests", Value: "Subsidy"})
		},
		check.WrongType, "Caddyfile:20:2", "set interests Subsidy tags", nil,
	},
	{
		"free text for a dropdown", func(s *site) { f := s.field("product"); f.Type, f.Options = "", nil },
		check.WrongType, "Caddyfile:24:3", "field product product dropdown {\n\toptions Solar Battery Other\n}", nil,
	},
	{
		"text for a phone", func(s *site) { s.field("phone").Type = "text" },
		check.WrongType, "Caddyfile:22:3", "field phone",
		[]check.Code{},
	},
	{
		"identifier not mapped", func(s *site) {
			s.form.Fields = slices.DeleteFunc(s.form.Fields, func(f mapping.Field) bool { return f.Name == "phone" })
		},
		check.IdentifierNotMapped, "Caddyfile:20:2", "field phone",
		[]check.Code{check.InputNotMapped},
	},
	{
		"other identifier", func(s *site) {
			s.definition("phone").Identifier = false
			s.workspace().Fields.Fields = append(s.workspace().Fields.Fields, telecrm.FieldDefinition{APIName: "email", Type: "EMAIL", Identifier: true})
		},
		check.WrongIdentifier, "Caddyfile:6:3", "identifier email", nil,
	},
	{
		"unknown option", func(s *site) { s.field("product").Options = []string{"Solar", "Batery"} },
		check.UnknownOption, "Caddyfile:24:3", "options Solar Battery",
		[]check.Code{check.OptionNotAccepted, check.OptionNotOffered},
	},
	{
		"option in other capitals", func(s *site) { s.field("product").Options = []string{"solar", "Battery"} },
		check.UnknownOption, "Caddyfile:24:3", "options Solar Battery", nil,
	},
	{
		"unknown default", func(s *site) { s.field("product").Default = "Others" },
		check.UnknownOption, "Caddyfile:24:3", "default Other",
		[]check.Code{check.InvalidMapping},
	},
	{
		"placeholder for a dropdown", func(s *site) { s.form.Set[0].Value = "{query.utm_source}" },
		check.UncheckedOption, "Caddyfile:28:3", "", nil,
	},
	{
		"input in a set for a dropdown", func(s *site) { s.form.Set[0].Value = "{form.product}" },
		check.UncheckedOption, "Caddyfile:28:3", "field source product dropdown {\n\toptions Website Expo\n}", nil,
	},
	{"unmapped into a dropdown", func(s *site) {
		s.form.Set = s.form.Set[1:]
		s.form.Unmapped = "source"
		s.workspace().Fields.Fields = append(s.workspace().Fields.Fields, telecrm.FieldDefinition{APIName: "more", Type: "TEXT"})
	}, check.WrongType, "Caddyfile:34:3", "unmapped more", nil},
	{
		"unknown constant option", func(s *site) { s.form.Set[0].Value = "Web site" },
		check.UnknownOption, "Caddyfile:28:3", "set source Website dropdown", nil,
	},
	{
		"unknown tag", func(s *site) {
			s.form.Set = append(s.form.Set, mapping.Setting{Name: "interests", Value: "Subsidy, Finance", Type: "tags"})
		},
		check.UnknownTag, "Caddyfile:20:2", "", nil,
	},
	{"unknown status", func(s *site) { s.form.Set[1].Value = "Fersh" }, check.UnknownStatus, "Caddyfile:29:3", "set status Fresh", nil},
	{"status in other capitals", func(s *site) { s.form.Set[1].Value = "fresh" }, check.UnknownStatus, "Caddyfile:29:3", "set status Fresh", nil},
	{"archived status", func(s *site) { s.form.Set[1].Value = "Cold" }, check.ArchivedStatus, "Caddyfile:29:3", "set status Fresh", nil},
	{
		"unknown lost reason", func(s *site) {
			s.form.Set[1] = mapping.Setting{Name: "status", Value: "To costly", Type: "lost_reason"}
		},
		check.UnknownLostReason, "Caddyfile:29:3", `set status "Too costly" lost_reason`, nil,
	},
	{
		"archived lost reason", func(s *site) { s.form.Set[1] = mapping.Setting{Name: "status", Value: "Moved", Type: "lost_reason"} },
		check.ArchivedLostReason, "Caddyfile:29:3", `set status "Too costly" lost_reason`, nil,
	},
	{"nobody of the team", func(s *site) { s.form.Set[2].Value = "agent8@example.org" }, check.UnknownAssignee, "Caddyfile:30:3", "", nil},
	{"unknown action", func(s *site) { s.form.Actions[0].Code = "1024" }, check.UnknownAction, "Caddyfile:20:2", "action 1042", nil},
	{
		"unknown key of an action", func(s *site) { s.form.Actions[0].Fields[0].Name = "notes" },
		check.UnknownActionKey, "Caddyfile:20:2", "field note message", nil,
	},
	{
		"option of an action", func(s *site) { s.form.Actions[0].Set[0].Value = "Mornings" },
		check.UnknownOption, "Caddyfile:33:3", "set slot Morning dropdown", nil,
	},
	{
		"type of an action's key", func(s *site) { s.form.Actions[0].Fields[0].Type = "number" },
		check.WrongType, "Caddyfile:32:3", "field note message", nil,
	},
	{
		"locked field in update", func(s *site) {
			s.definition("product").Locked = true
			s.form.OnDuplicate, s.form.UpdateFields = "update", []string{"product", "message"}
		},
		check.LockedField, "Caddyfile:38:3", "on_duplicate update message", nil,
	},
	{
		"locked field in upsert", func(s *site) {
			s.definition("product").Locked = true
			s.form.OnDuplicate = "upsert"
		},
		check.LockedField, "Caddyfile:24:3", "on_duplicate actions", nil,
	},
	{
		"token refused", func(s *site) { s.refuse(401, telecrm.CodeNotAuthorized, "Invalid access token.") },
		check.TokenRefused, "Caddyfile:4:3", "token {env.TELECRM_TOKEN}", nil,
	},
	{
		"unknown enterprise", func(s *site) {
			s.refuse(401, telecrm.CodeNotAuthorized, `Enterprise with id "66aa00" not found or invalid access token.`)
		},
		check.WrongEnterpriseID, "Caddyfile:5:3", "enterprise_id 66aa00bb11cc22dd33ee44ff", nil,
	},
	{"another server", func(s *site) { s.refuse(404, "", "<html>") }, check.WrongBaseURL, "Caddyfile:7:3", "base_url https://next.telecrm.in/autoupdate/v2", nil},
	{"subscription", func(s *site) { s.refuse(403, telecrm.CodeLicenseExpired, "") }, check.AccountOnHold, "Caddyfile:3:3", "", nil},
	{
		"no answer", func(s *site) {
			s.workspace().Fields = telecrm.Definitions{Failure: &telecrm.Answer{Verdict: telecrm.Retry, Err: errors.New("no route to host")}}
		},
		check.WorkspaceUnavailable, "Caddyfile:3:3", "", nil,
	},
	{
		"pipeline without labels", func(s *site) { s.workspace().Pipeline = telecrm.Pipeline{} },
		check.WorkspaceUnavailable, "Caddyfile:3:3", "", nil,
	},
	{
		"token as id", func(s *site) { s.account.EnterpriseID = "11aa-1700000000000:22bb" },
		check.TokenAsID, "Caddyfile:5:3", "enterprise_id 66aa00bb11cc22dd33ee44ff", nil,
	},
	{
		"clock ahead", func(s *site) { s.workspace().AskedAt = noon.Add(time.Hour) },
		check.ClockOff, "Caddyfile:3:3", "timedatectl set-ntp true", nil,
	},
}

func (s *site) refuse(status int, code, message string) {
	s.workspace().Fields = telecrm.Definitions{Failure: &telecrm.Answer{Verdict: telecrm.Hold, Status: status, Code: code, Message: message}}
}

var inPages = []mistake{
	{
		"renamed input", func(s *site) { s.replace(`name="email"`, `name="e_mail"`) },
		check.InputNotInForm, "Caddyfile:23:3", "field email e_mail",
		[]check.Code{check.InputNotMapped},
	},
	{
		"required input renamed", func(s *site) { s.replace(`name="phone"`, `name="tel"`) },
		check.InputNotInForm, "Caddyfile:22:3", "field phone tel",
		[]check.Code{check.InputNotMapped},
	},
	{
		"input that is nothing like it", func(s *site) { s.replace(`name="message"`, `name="x"`) },
		check.InputNotInForm, "Caddyfile:26:3", `<label>message <input name="message" type="text"></label>`,
		[]check.Code{check.InputNotMapped},
	},
	{
		"input of the same type", func(s *site) { s.replace(`name="phone"`, `name="mobile"`) },
		check.InputNotInForm, "Caddyfile:22:3", "field phone mobile",
		[]check.Code{check.InputNotMapped},
	},
	{
		"template", func(s *site) {
			s.write("old.html", `<form id="contactForm"><input type="text" placeholder="Name"><input type="email"><textarea name="m"></textarea></form>`)
		},
		check.FormNotSent, "site/old.html:1:1", `method="post" action="/enquire"`, nil,
	},
	{
		"service of a template", func(s *site) { s.replace("<form ", `<form data-sb-form-api-token="API_TOKEN" `) },
		check.ServiceLeftover, "site/contact.html:4:1", "", nil,
	},
	{
		"second form without a required input", func(s *site) {
			s.write("de/kontakt.html", strings.Replace(contact, `<input name="name" autocomplete="name" required>`, "", 1))
		},
		check.RequiredInputMissing, "site/de/kontakt.html:4:1", `<label>name <input name="name" type="text" required></label>`, nil,
	},
	{
		"input of a set", func(s *site) { s.form.Set[0] = mapping.Setting{Name: "message2", Value: "{form.mesage}"} },
		check.InputNotInForm, "Caddyfile:20:2", "set message2 {form.message}",
		[]check.Code{check.UnknownField},
	},
	{
		"extra input", func(s *site) { s.replace("<button>", `<label>City <input name="city"></label><button>`) },
		check.InputNotMapped, "site/contact.html:12:13", "field city", nil,
	},
	{
		"input without name", func(s *site) { s.replace("<button>", `<label>City <input id="city"></label><button>`) },
		check.InputWithoutName, "site/contact.html:12:13", `name="city"`, nil,
	},
	{
		"e-mail for a phone", func(s *site) { s.replace(`type="tel"`, `type="email"`) },
		check.InputTypeDiffers, "site/contact.html:6:14", "field phone phone email", nil,
	},
	{
		"several values", func(s *site) { s.replace(`<select name="product">`, `<select name="product" multiple>`) },
		check.SeveralValues, "site/contact.html:8:16", "field product product tags", nil,
	},
	{
		"option that is refused", func(s *site) { s.replace("<option>Battery", "<option>Wind") },
		check.OptionNotAccepted, "site/contact.html:8:16", "options Solar Battery Wind",
		[]check.Code{check.OptionNotOffered},
	},
	{
		"indented option that is refused", func(s *site) { s.replace("<option>Battery", "<option>&nbsp; Wind") },
		check.OptionNotAccepted, "site/contact.html:8:16", "options Solar Battery Wind",
		[]check.Code{check.OptionNotOffered},
	},
	{
		"misspelt option", func(s *site) { s.replace("<option>Battery", "<option>Batery") },
		check.OptionNotAccepted, "site/contact.html:8:16", `value="Battery"`,
		[]check.Code{check.OptionNotOffered},
	},
	{
		"value of a box", func(s *site) { s.replace(`value="yes"`, `value="1"`) },
		check.OptionNotAccepted, "site/contact.html:11:8", "options yes 1",
		[]check.Code{check.OptionNotOffered},
	},
	{
		"radio buttons", func(s *site) {
			s.replace(`<label>Product <select name="product"><option value="">Choose one</option><option>Solar</option><option>Battery</option></select></label>`,
				`<label><input type="radio" name="product" value="Solar"> Solar</label><label><input type="radio" name="product" value="Wind"> Wind</label><label><input type="radio" name="product" value="Battery"> Battery</label>`)
		},
		check.OptionNotAccepted, "site/contact.html:8:78", "options Solar Battery Wind", nil,
	},
	{
		"option not offered", func(s *site) { s.field("product").Options = []string{"Solar", "Battery", "Other"} },
		check.OptionNotOffered, "Caddyfile:24:3", "<option>Other</option>", nil,
	},
	{
		"required in the page alone", func(s *site) { s.replace(`type="email" `, `type="email" required `) },
		check.RequiredInHTMLOnly, "site/contact.html:7:14", "field email {\n\trequired\n}", nil,
	},
	{
		"required in the config alone", func(s *site) { s.replace(`autocomplete="name" required`, `autocomplete="name"`) },
		check.RequiredInConfigOnly, "site/contact.html:5:13", "required", nil,
	},
	{
		"longer in the page", func(s *site) { s.replace(`maxlength="2000"`, `maxlength="5000"`) },
		check.LengthDiffers, "site/contact.html:10:16", `maxlength="2000"`, nil,
	},
	{
		"length in the config alone", func(s *site) { s.replace(` maxlength="2000"`, "") },
		check.LengthInConfigOnly, "site/contact.html:10:16", `maxlength="2000"`, nil,
	},
	{
		"length in the page alone", func(s *site) { s.field("message").Max = nil },
		check.LengthInHTMLOnly, "site/contact.html:10:16", "max 2000", nil,
	},
	{"GET", func(s *site) { s.replace(`method="post"`, `method="get"`) }, check.WrongMethod, "site/contact.html:4:1", `method="post"`, nil},
	{"no method", func(s *site) { s.replace(`method="post" `, "") }, check.WrongMethod, "site/contact.html:4:1", `method="post"`, nil},
	{
		"encoding", func(s *site) { s.replace(`action="/enquire"`, `action="/enquire" enctype="text/plain"`) },
		check.WrongEncoding, "site/contact.html:4:1", `enctype="application/x-www-form-urlencoded"`, nil,
	},
	{
		"misspelt action", func(s *site) { s.replace(`action="/enquire"`, `action="/enquiry"`) },
		check.ActionWithoutHandler, "site/contact.html:4:1", `action="/enquire"`,
		[]check.Code{check.HandlerWithoutForm},
	},
	{
		"another action", func(s *site) {
			s.write("callback.html", `<form method="post" action="/callback"><label>Phone <input name="phone" type="tel" autocomplete="tel"></label></form>`)
		},
		check.ActionWithoutHandler, "site/callback.html:1:1", "telecrm /callback {\n\tfield phone\n\tthank_you /thank-you\n}", nil,
	},
	{
		"mail", func(s *site) {
			s.write("callback.html", `<form method="post" action="mailto:hello@example.com"><label>Phone <input name="phone"></label></form>`)
		},
		check.ActionWithoutHandler, "site/callback.html:1:1", `method="post" action="/enquire"`, nil,
	},
	{
		"no form", func(s *site) { s.write("contact.html", "<p>Call us</p>") },
		check.HandlerWithoutForm, "Caddyfile:20:2", `<form method="post" action="/enquire">`, nil,
	},
	{
		"apex", func(s *site) { s.replace(`action="/enquire"`, `action="https://example.com/enquire"`) },
		check.OtherHost, "site/contact.html:4:1", `action="/enquire"`,
		[]check.Code{check.HandlerWithoutForm},
	},
	{"thank-you page", func(s *site) { delete(s.files, "thank-you.html") }, check.ThankYouMissing, "Caddyfile:35:3", "", nil},
	{
		"misspelt thank-you page", func(s *site) { s.form.ThankYou = "/thankyou" },
		check.ThankYouMissing, "Caddyfile:35:3", "thank_you /thank-you", nil,
	},
	{
		"page of the form", func(s *site) { s.form.FormPage = "/contacts" },
		check.FormPageMissing, "Caddyfile:36:3", "form_page /contact", nil,
	},
	{
		"page for errors", func(s *site) { s.form.Errors, s.form.ErrorsRedirect = "redirect", "/contacts?e={telecrm.outcome}" },
		check.ErrorPageMissing, "Caddyfile:20:2", "errors redirect /contact", nil,
	},
	{
		"attribute of another service", func(s *site) { s.replace("<form ", `<form data-netlify="true" `) },
		check.ServiceLeftover, "site/contact.html:4:1", "", nil,
	},
	{
		"another service", func(s *site) {
			s.write("old.html", `<form method="post" action="https://formspree.io/f/abc"><input name="email" aria-label="Email"></form>`)
		},
		check.ServiceLeftover, "site/old.html:1:1", `method="post" action="/enquire"`, nil,
	},
	{
		"key of another service", func(s *site) {
			s.replace("<button>", `<input type="hidden" name="access_key" value="x"><button>`)
		},
		check.ServiceLeftover, "site/contact.html:12:1", "", nil,
	},
	{
		"trap that is filled in", func(s *site) {
			s.form.Honeypot = []string{"website"}
			s.replace("<button>", `<input name="website" tabindex="-1"><button>`)
		},
		check.TrapAutofilled, "Caddyfile:37:3", "honeypot _gotcha", nil,
	},
	{
		"no trap", func(s *site) { s.form.Honeypot = []string{"_gotcha"} },
		check.TrapNotInForm, "site/contact.html:4:1", `<div hidden><label>Leave this empty <input name="_gotcha" tabindex="-1" autocomplete="off"></label></div>`, nil,
	},
	{
		"password", func(s *site) {
			s.replace("<button>", `<label>Password <input type="password" name="pw"></label><button>`)
		},
		check.SecretInput, "site/contact.html:12:17", "", nil,
	},
	{
		"card", func(s *site) {
			s.form.Unmapped = "message"
			s.form.Fields = slices.DeleteFunc(s.form.Fields, func(f mapping.Field) bool { return f.Name == "message" })
			s.replace("<button>", `<label>Card <input name="card_number"></label><button>`)
		},
		check.SecretInput, "site/contact.html:12:13", "",
		[]check.Code{check.LengthInHTMLOnly},
	},
	{
		"no label", func(s *site) {
			s.replace(`<label>Email <input name="email" type="email" autocomplete="email"></label>`, `<input name="email" type="email" autocomplete="email" placeholder="Your e-mail">`)
		},
		check.ControlWithoutLabel, "site/contact.html:7:1", `<label>Your e-mail <input name="email"></label>`, nil,
	},
	{
		"no autocomplete", func(s *site) { s.replace(` autocomplete="tel"`, "") },
		check.AutocompleteMissing, "site/contact.html:6:14", `autocomplete="tel"`, nil,
	},
	{
		"dialog", func(s *site) { s.replace("<form ", "<dialog><form ") },
		check.FormHidden, "site/contact.html:4:9", "errors plain", nil,
	},
	{
		"rebuilt", func(s *site) { s.replace("<body>", `<body><div id="__next"><script src="/app.js"></script>`) },
		check.FormRebuilt, "site/contact.html:4:1", "errors plain", nil,
	},
	{
		"date picker", func(s *site) { s.replace(`type="date"`, `class="datepicker" data-date-format="mm/dd/yyyy"`) },
		check.DateOrderMissing, "site/contact.html:9:12", "date_order mdy", nil,
	},
	{
		"date by hand", func(s *site) { s.replace(`type="date"`, `type="text" placeholder="TT.MM.JJJJ"`) },
		check.DateOrderMissing, "site/contact.html:9:12", "date_order dmy", nil,
	},
	{
		"long name", func(s *site) {
			s.form.Unmapped = "message"
			s.form.Fields = slices.DeleteFunc(s.form.Fields, func(f mapping.Field) bool { return f.Name == "message" })
			s.replace("<button>", `<label>Q <input name="`+strings.Repeat("q", 2000)+`"></label><button>`)
		},
		check.NameTooLong, "site/contact.html:12:10", "",
		[]check.Code{check.LengthInHTMLOnly},
	},
	{
		"many inputs", func(s *site) {
			s.form.Unmapped = "message"
			s.form.Fields = slices.DeleteFunc(s.form.Fields, func(f mapping.Field) bool { return f.Name == "message" })
			s.replace("<button>", strings.Repeat(`<input type="hidden" name="page" value="x">`, 1001)+"<button>")
		},
		check.TooManyInputs, "site/contact.html:4:1", "",
		[]check.Code{check.LengthInHTMLOnly},
	},
	{
		"large page", func(s *site) { s.replace("</form>", "</form>"+strings.Repeat("<p>x</p>", 1<<17)) },
		check.PageTooLarge, "site/contact.html:1:1", "", nil,
	},
	{
		"encoding of the page", func(s *site) { s.write("old.html", "<form method=post action=/enquire>\xe9") },
		check.PageEncoding, "site/old.html:1:1", `<meta charset="utf-8">`, nil,
	},
	{
		"nesting", func(s *site) { s.replace("</form>", "</form><svg><p></svg>") },
		check.PageNesting, "site/contact.html:1:1", "", nil,
	},
	{
		"file", func(s *site) {
			s.replace(`<textarea name="message" maxlength="2000"></textarea>`, `<input name="message" type="file">`)
		},
		check.InputTypeDiffers, "site/contact.html:10:16", `type="url"`, nil,
	},
	{
		"slash after the action", func(s *site) { s.replace(`action="/enquire"`, `action="/enquire/"`) },
		check.ActionWithoutHandler, "site/contact.html:4:1", `action="/enquire"`,
		[]check.Code{check.HandlerWithoutForm},
	},
	{
		"values that are numbers", func(s *site) { s.replace("<option>Battery", `<option value="2">Battery`) },
		check.OptionNotAccepted, "site/contact.html:8:16", "options Solar Battery 2",
		[]check.Code{check.OptionNotOffered},
	},
	{
		"disabled input", func(s *site) { s.replace(`name="email"`, `name="email" disabled`) },
		check.InputNotInForm, "Caddyfile:23:3", `<label>email <input name="email" type="email"></label>`, nil,
	},
	{
		"standard name in capitals", func(s *site) { s.field("email").Name = "Email" },
		check.FieldCase, "Caddyfile:20:2", "field email",
		[]check.Code{check.InputNotInForm, check.InputNotMapped, check.InputTypeDiffers},
	},
	{
		"status that visitors choose", func(s *site) {
			s.form.Set[1] = mapping.Setting{Name: "rating", Value: "3"}
			s.form.Fields = append(s.form.Fields, mapping.Field{Name: "status", Input: "product", Options: []string{"Solar", "Battery"}})
		},
		check.UnknownStatus, "Caddyfile:20:2", "options Fresh Won",
		[]check.Code{check.OptionNotAccepted},
	},
}

var around = []mistake{
	{
		"phone without a country", func(s *site) { s.form.Country = "" },
		check.CountryMissing, "Caddyfile:22:3", "country IN", nil,
	},
	{
		"date without a time zone", func(s *site) { s.form.TimeZone = "" },
		check.TimeZoneMissing, "Caddyfile:25:3", "time_zone Asia/Kolkata", nil,
	},
	{
		"pattern", func(s *site) { s.field("message").Pattern = "(" },
		check.InvalidMapping, "Caddyfile:26:3", "", nil,
	},
	{
		"placeholder", func(s *site) {
			s.config.Empty = []check.EmptyPlaceholder{{Setting: "token", Text: "{env.X}", Reason: "it is not set", Place: check.Place{File: "Caddyfile", Line: 4, Column: 9}}}
		},
		check.PlaceholderEmpty, "Caddyfile:4:9", "export X=...", nil,
	},
	{
		"proxy", func(s *site) {
			s.ProxyHeader, s.ProxyPlace = "X-Forwarded-For", check.Place{File: "Caddyfile", Line: 50, Column: 1}
		},
		check.TrustedProxiesMissing, "Caddyfile:50:1", "servers {\n\ttrusted_proxies static private_ranges\n}", nil,
	},
	{
		"folder that is a file", func(s *site) {
			file := filepath.Join(s.config.Folder, "file")
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				panic(err)
			}
			s.config.Folder, s.config.FolderPlace = file, check.Place{File: "Caddyfile", Line: 12, Column: 3}
		},
		check.FolderNotWritable, "Caddyfile:12:3", "sudo install -d -o caddy -g caddy -m 700 FOLDER", nil,
	},
}

// A message lists the inputs that there are.
func TestMessageListsInputs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.replace(`name="message"`, `name="x"`)
	want := "no form has an input message; it has consent, email, name, phone, product, visit, x"
	report := run(t, s.config)
	if !slices.ContainsFunc(report.Findings, func(f check.Finding) bool { return f.Message == want }) {
		t.Errorf("found %s", describe(report.Findings))
	}
}

// refused is the finding about a line that Caddy refuses, for which no site is read.
func refused() *check.Report {
	return check.Refused(check.RefusedError{{Place: check.Place{File: "Caddyfile", Line: 12}, Message: `unknown field type "fone"; did you mean phone?`}})
}

func TestRefusedConfig(t *testing.T) {
	t.Parallel()
	report := refused()
	if len(report.Findings) != 1 || report.Findings[0].Code != check.ConfigRefused || report.Findings[0].Place.String() != "Caddyfile:12" || !report.HasErrors() || len(report.Unverified) != 1 {
		t.Errorf("found %s", describe(report.Findings))
	}
}

// TestMistakes puts each mistake into the clean site.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, m := range slices.Concat(inWorkspace, inPages, around) {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			m.make(s)
			report := run(t, s.config)
			found := slices.IndexFunc(report.Findings, func(f check.Finding) bool { return f.Code == m.code && f.Place.String() == m.place })
			if found < 0 {
				t.Fatalf("%s at %s is not among the findings:%s", m.code, m.place, describe(report.Findings))
			}
			f := report.Findings[found]
			if want := strings.Replace(m.remedy, "FOLDER", s.config.Folder, 1); f.Remedy != want {
				t.Errorf("got the remedy %q, want %q", f.Remedy, m.remedy)
			}
			others := slices.DeleteFunc(slices.Clone(report.Findings), func(f check.Finding) bool { return f.Code == m.code || slices.Contains(m.also, f.Code) })
			if len(others) > 0 {
				t.Errorf("other findings:%s", describe(others))
			}
			if f.Message == "" || f.Form == "" && f.Account == "" && f.File == "" {
				t.Errorf("got %+v", f)
			}
		})
	}
}

func TestEveryCodeHasAMistake(t *testing.T) {
	t.Parallel()
	seen := map[check.Code]bool{check.ConfigRefused: true} // in TestRefusedConfig
	for _, m := range slices.Concat(inWorkspace, inPages, around) {
		seen[m.code] = true
	}
	for _, rule := range check.Rules() {
		if !seen[rule.Code] {
			t.Errorf("no mistake shows %s", rule.Code)
		}
		delete(seen, rule.Code)
	}
	for code := range seen {
		t.Errorf("%s is not among the rules", code)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := check.Run(ctx, newSite(t).config); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
