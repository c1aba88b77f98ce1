package handlertest

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/leadwire/caddy-telecrm/sandbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// newCRMBy starts a stand-in whose lead identifier has that name and type.
func newCRMBy(t *testing.T, name string, kind sandbox.FieldType) crm {
	t.Helper()
	schema := sandbox.DefaultSchema()
	schema.Identifier = name
	schema.Fields = append(schema.Fields, sandbox.Field{APIName: name, Type: kind})
	return startCRM(t, sandbox.Config{Token: testToken, EnterpriseID: testEnterprise, Schema: schema})
}

// A known person is found under a renamed identifier by the type of its field or set, with or
// without an outbox.
func TestRenamedIdentifier(t *testing.T) {
	for name, test := range map[string]struct {
		kind   sandbox.FieldType
		block  string
		values []string
	}{
		"phone field": {sandbox.TypePhone, "field ident mobile phone", []string{"08123456789", "+91 81234 56789"}},
		"phone set":   {sandbox.TypePhone, "set ident {form.mobile} phone", []string{"08123456789", "+91 81234 56789"}},
		"email field": {sandbox.TypeEmail, "field ident mobile email", []string{"Ravi@example.org", "ravi@example.org"}},
		"text field":  {sandbox.TypeText, "field ident mobile", []string{"Flat 12", "flat 12"}},
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

// createElsewhere creates a lead with that identifier outside the plugin.
func (c crm) createElsewhere(t *testing.T, name, value string) {
	t.Helper()
	client, err := telecrm.New(telecrm.Config{Token: testToken, EnterpriseID: testEnterprise, BaseURL: c.url})
	if err != nil {
		t.Fatal(err)
	}
	if answer := client.CreateLead(t.Context(), telecrm.Lead{Fields: map[string]any{name: value}}); answer.Verdict != telecrm.Created {
		t.Fatalf("creating the lead: %v", answer)
	}
}
