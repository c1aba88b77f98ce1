package caddytelecrm

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/sandbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// newCRMBy starts a CRM whose leads are identified by a field of that name and type.
func newCRMBy(t *testing.T, name string, kind sandbox.FieldType) crm {
	t.Helper()
	schema := sandbox.DefaultSchema()
	schema.Identifier = name
	schema.Fields = append(schema.Fields, sandbox.Field{APIName: name, Type: kind})
	return startCRM(t, sandbox.Config{Token: testToken, EnterpriseID: testEnterprise, Schema: schema})
}

// A person whom TeleCRM knows by an identifier of another name is found by the type of the field
// that gives it, wherever the form says so, and whether there is an outbox or not.
func TestIdentifierOfAnotherName(t *testing.T) {
	for name, test := range map[string]struct {
		kind   sandbox.FieldType
		block  string
		values []string
	}{
		"a phone field":       {sandbox.TypePhone, "field ident mobile phone", []string{"08123456789", "+91 81234 56789"}},
		"a phone that is set": {sandbox.TypePhone, "set ident {form.mobile} phone", []string{"08123456789", "+91 81234 56789"}},
		"an email field":      {sandbox.TypeEmail, "field ident mobile email", []string{"Ravi@example.org", "ravi@example.org"}},
		"a text field":        {sandbox.TypeText, "field ident mobile", []string{"Flat 12", "flat 12"}},
	} {
		for _, keeps := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, outbox %t", name, keeps), func(t *testing.T) {
				crm := newCRMBy(t, "ident", test.kind)
				h := newHandler(t, crm.url, fmt.Sprintf("token %s\nenterprise_id %s\nbase_url %s\nidentifier ident\ncountry IN\ncrm_rate 1000/s 1000\n",
					testToken, testEnterprise, crm.url)+test.block+"\naction 1042 {\nfield note message\n}\nthank_you /thanks")
				if keeps {
					withOutbox(t, h)
				}
				crm.createElsewhere(t, "ident", test.values[0])
				if _, _, err := h.serve(postForm(url.Values{"mobile": {test.values[1]}, "message": {"Call me"}})); err != nil {
					t.Fatal(err)
				}
				eventually(t, "the action of the known person", func() bool {
					leads := crm.Leads()
					return len(leads) == 1 && len(leads[0].Actions) == 1
				})
			})
		}
	}
}

// createElsewhere has somebody else create a lead with that identifier.
func (c crm) createElsewhere(t *testing.T, name, value string) {
	t.Helper()
	client, err := telecrm.New(telecrm.Config{Token: testToken, EnterpriseID: testEnterprise, BaseURL: c.url})
	if err != nil {
		t.Fatal(err)
	}
	if answer := client.CreateLead(t.Context(), telecrm.Lead{Fields: map[string]any{name: value}}); answer.Verdict != telecrm.Created {
		t.Fatalf("creating a lead elsewhere: %v", answer)
	}
}

// Forms of one account may say the type of its identifier or leave it open. The one that says most
// counts for all, in whatever order they come.
func TestIdentifierOfSeveralForms(t *testing.T) {
	const phone, email, text = "field ident mobile phone", "set ident {form.mobile} email", "field ident mobile"
	for _, test := range []struct {
		forms []string
		want  telecrm.IdentifierKind
	}{
		{[]string{phone}, telecrm.PhoneIdentifier},
		{[]string{email}, telecrm.EmailIdentifier},
		{[]string{text}, telecrm.TextIdentifier},
		{[]string{text, phone}, telecrm.PhoneIdentifier},
		{[]string{phone, text}, telecrm.PhoneIdentifier},
		{[]string{text, email, text}, telecrm.EmailIdentifier},
		{[]string{email, phone, text}, telecrm.PhoneIdentifier},
	} {
		ctx := newAppContext(t, &Account{Token: testToken, EnterpriseID: testEnterprise, Identifier: "ident", Country: "IN"})
		var app *App
		for _, block := range test.forms {
			h, err := provisionIn(ctx, block+"\ncountry US\nthank_you /thanks")
			if err != nil {
				t.Fatal(err)
			}
			app = h.app
		}
		if accounts := app.deliveryConfig().Accounts; len(accounts) != 1 || accounts[0].IdentifierKind != test.want {
			t.Errorf("%v: %+v; want %s", test.forms, accounts, test.want)
		}
	}
}

func TestFormsAgreeOnTheIdentifier(t *testing.T) {
	const phone, text = fieldtype.Phone, fieldtype.Text
	for _, test := range []struct {
		name  string
		types []fieldtype.Type
		agree bool
	}{
		{"ident", []fieldtype.Type{text, text}, true},
		{"ident", []fieldtype.Type{phone, phone}, true},
		{"ident", []fieldtype.Type{text, phone}, false},
		{"ident", []fieldtype.Type{phone, text}, false},
		{"ident", []fieldtype.Type{phone, fieldtype.Email}, false},
		{"phone", []fieldtype.Type{phone}, true},
		{"phone", []fieldtype.Type{text}, true},
	} {
		known, agree := newIdentity(test.name), true
		for _, kind := range test.types {
			agree = known.learn(kind) && agree
		}
		if agree != test.agree {
			t.Errorf("%s as %v: agree %t, want %t", test.name, test.types, agree, test.agree)
		}
	}
}
