package setup_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/setup"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

const head = `{
	telecrm {
		account {
			# From TeleCRM: Settings, Website and API. Set both in the environment of Caddy.
			token {env.TELECRM_TOKEN}
			enterprise_id {env.TELECRM_ENTERPRISE_ID}
			country IN
			time_zone Asia/Kolkata
		}
	}
}

www.example.com {
	root * site

`

const foot = `	try_files {path}.html {path}
	file_server
}
`

var workspace = &check.Workspace{
	Fields: telecrm.Definitions{Fields: []telecrm.FieldDefinition{
		{APIName: "phone", Type: "PHONE", Identifier: true},
		{APIName: "city", Type: "TEXT"},
		{APIName: "company_name", Type: "TEXT"},
		{APIName: "product", Type: "DROPDOWN", Options: []string{"Solar", "Battery", "Other"}},
		{APIName: "interests", Type: "TAGS", Options: []string{"Subsidy", "Financing"}},
		{APIName: "visit_date", Type: "DATE"},
		{APIName: "employees", Type: "NUMBER"},
		{APIName: "status", Type: "STATUS"},
		{APIName: "remarks", Type: "TEXT"},
	}},
	Actions: telecrm.ActionDefinitions{Actions: []telecrm.ActionDefinition{
		{Code: "7", Name: "Visit", HasFields: true},
		{Code: "1042", Name: "Callback asked", HasFields: true, Fields: []telecrm.FieldDefinition{{APIName: "note", Type: "TEXT"}}},
	}},
}

// propose returns the Caddyfile for a site with the pages.
func propose(t *testing.T, w *check.Workspace, pages map[string]string) string {
	t.Helper()
	files := fstest.MapFS{"thank-you.html": {Data: []byte("<p>Thanks</p>")}}
	for name, content := range pages {
		files[name] = &fstest.MapFile{Data: []byte(content)}
	}
	got, err := setup.Caddyfile(t.Context(), setup.Options{
		Site:    check.Site{Hosts: []string{"www.example.com"}, Files: files, Root: "site", Try: []string{"{path}.html", "{path}"}},
		Address: "www.example.com", Country: "IN", TimeZone: "Asia/Kolkata", Workspace: w,
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestCaddyfile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		workspace *check.Workspace
		pages     map[string]string
		want      string
	}{
		{
			"every kind of input", workspace,
			map[string]string{"contact.html": `<form method="post" action="/enquire">
<input type="hidden" name="_subject" value="x"><input name="_gotcha"><input type="file" name="bill"><input type="password" name="pw" disabled>
<label>Your name <input name="your-name" required></label>
<input name="mobile" type="tel" required>
<input name="email" type="email">
<label for="c">Company name</label><input id="c" name="org" maxlength="80">
<label>City <input name="contact[city]"></label>
<select name="product"><option value="">Choose one</option><option>Solar</option><option>&nbsp;&nbsp;Battery</option></select>
<label><input type="checkbox" name="interests" value="Subsidy"> Subsidy</label><label><input type="checkbox" name="interests" value="Financing"> Financing</label>
<input name="visit_date" placeholder="DD/MM/YYYY"><input name="employees" type="number">
<textarea name="message"></textarea>
<label><input type="checkbox" name="updates" value="yes"> Send me news</label>
<button>Send</button></form>`},
			`	telecrm /enquire {
		field name your-name {
			required
		}
		# mobile: by type="tel"
		field phone mobile {
			required
		}
		field email
		# org: by label
		field company_name org {
			max 80
		}
		field city contact[city]
		field product product dropdown {
			options Solar Battery
		}
		field interests interests tags {
			options Subsidy Financing
		}
		field visit_date visit_date date {
			date_order dmy
		}
		field employees employees number
		# message: perhaps, by name
		field remarks message
		action 1042 {
			# Callback asked
			field note message
		}
		# No field of the workspace fits the input updates. Create one, and write: field updates
		thank_you /thank-you
	}

`,
		},
		{
			"without a workspace", nil,
			map[string]string{"kontakt/index.html": `<form method="post"><input name="vorname" autocomplete="given-name"><input name="nachname" autocomplete="family-name"><input name="telefon" autocomplete="tel"></form>`},
			`	# In site/kontakt/index.html:1:119, set required in the input.
	telecrm /kontakt/ {
		set name "{form.vorname} {form.nachname}"
		# telefon: by autocomplete="tel"
		field phone telefon
		# Without an action, the second enquiry of a person is parked.
		thank_you /thank-you
	}

`,
		},
		{
			"a template", workspace,
			map[string]string{"index.html": `<form id="contactForm"><input id="name" placeholder="Enter your name..." required><input placeholder="Your Phone *" type="tel"><textarea id="m"></textarea><input></form>`},
			`	# In site/index.html:1:1, set method="post" action="/" in the form.
	# In site/index.html:1:24, set name="name" autocomplete="name" aria-label="Enter your name" in the input.
	# In site/index.html:1:83, set name="phone" required autocomplete="tel" aria-label="Your Phone" in the input.
	# In site/index.html:1:128, set name="m" in the textarea.
	# In site/index.html:1:156, give the input a name.
	telecrm / {
		# name: by id
		field name {
			required
		}
		# phone: by placeholder
		field phone
		# m: perhaps, by textarea
		field remarks m
		action 1042 {
			# Callback asked
			field note m
		}
		thank_you /thank-you
	}

`,
		},
		{
			"another service, and the same form twice", workspace,
			map[string]string{
				"a.html": `<form method="post" action="https://formspree.io/f/x"><input name="phone"><input name="other"></form>`,
				"b.html": `<form method="post" action="/enquire"><input name="phone"><input name="city"></form>`,
			},
			`	# In site/a.html:1:1, set method="post" action="/enquire" in the form.
	# In site/a.html:1:55, set required autocomplete="tel" in the input.
	# In site/b.html:1:39, set required autocomplete="tel" in the input.
	telecrm /enquire {
		field phone
		field city
		action 1042 {
			# Callback asked
			set note "Asked for an answer"
		}
		unmapped remarks
		thank_you /thank-you
	}

`,
		},
		{
			"a template without a phone, with copied types and loose labels", workspace,
			map[string]string{"index.html": `<form method="post" action="/enquire" data-sb-form-api-token="x">
<label for="n">Full Name</label><input id="n" type="email" name="n">
<div><label>Your Email</label><input name="e" type="text"></div>
<div><label>Your thoughts</label><textarea name="t" data-sb-validations="required"></textarea></div>
<button class="btn disabled">Send</button></form>`},
			`	# In site/index.html:1:1, remove data-sb-form-api-token from the form.
	# In site/index.html:5:1, remove the class disabled from the button.
	# In site/index.html:2:33, set type="text" autocomplete="name" in the input.
	# In site/index.html:1:1, add to the form, because TeleCRM requires it: <label>Phone <input name="phone" type="tel" autocomplete="tel" required></label>
	telecrm /enquire {
		# n: by label
		field name n
		# e: by the label before it
		field email e
		# t: perhaps, by textarea
		field remarks t
		field phone {
			required
		}
		action 1042 {
			# Callback asked
			field note t
		}
		thank_you /thank-you
	}

`,
		},
		{
			"no phone", workspace,
			map[string]string{"a.html": `<form method="post" action="/news"><input name="email" type="email"></form>`},
			"	# The form at site/a.html:1:1 has no input for phone, which TeleCRM requires in every lead.\n\n",
		},
		{
			"other forms", workspace,
			map[string]string{
				"a.html": `<form><input type="search" name="q"></form><form method="post"><input name="phone" type="tel"><input type="password" name="p"></form><form method="post" action="https://pay.example.org/"><input type="email" name="e"></form>`,
			},
			"	# No form for enquiries was found on the pages of the site.\n\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(head+tt.want+foot, propose(t, tt.workspace, tt.pages)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A page cannot write lines of the config. With --url it may be somebody else's.
func TestPageCannotWriteLines(t *testing.T) {
	const evil = "x&#10;\t}&#13;\n\trespond evil\n"
	page := `<form method="post" action="/contact"><input name="phone" type="tel"><input name="` + evil + `">` +
		`<label>` + evil + `<input name="a" placeholder="` + evil + `"></label><select name="b"><option>` + evil + `</select></form>` +
		`<form method="post" action="/` + evil + `"><input name="` + evil + `" type="email"></form>`
	for _, w := range []*check.Workspace{nil, workspace} {
		for line := range strings.Lines(propose(t, w, map[string]string{"contact.html": page})) {
			if strings.HasPrefix(strings.TrimSpace(line), "respond") {
				t.Errorf("the page wrote %q", line)
			}
		}
	}
}
