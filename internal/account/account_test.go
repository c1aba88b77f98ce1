package account

import (
	"fmt"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Forms of one account may state the type of its identifier or leave it open. The most specific
// type applies to all of them, in any order, and the account knows whether they agree.
func TestIdentifierTypeFromForms(t *testing.T) {
	const phone, email, text = fieldtype.Phone, fieldtype.Email, fieldtype.Text
	for _, test := range []struct {
		name  string
		types []fieldtype.Type
		want  telecrm.IdentifierKind
		agree bool
	}{
		{"ident", []fieldtype.Type{text, text}, telecrm.TextIdentifier, true},
		{"ident", []fieldtype.Type{phone, phone}, telecrm.PhoneIdentifier, true},
		{"ident", []fieldtype.Type{email}, telecrm.EmailIdentifier, true},
		{"ident", []fieldtype.Type{text, phone}, telecrm.PhoneIdentifier, false},
		{"ident", []fieldtype.Type{phone, text}, telecrm.PhoneIdentifier, false},
		{"ident", []fieldtype.Type{phone, email}, telecrm.PhoneIdentifier, false},
		{"ident", []fieldtype.Type{text, email, text}, telecrm.EmailIdentifier, false},
		{"ident", []fieldtype.Type{email, phone, text}, telecrm.PhoneIdentifier, false},
		{"phone", []fieldtype.Type{phone}, telecrm.PhoneIdentifier, true},
		{"phone", []fieldtype.Type{text}, telecrm.PhoneIdentifier, true},
	} {
		acct, err := registry().Inline(Settings{Token: "x", EnterpriseID: "66aa", Identifier: test.name}, "/a")
		if err != nil {
			t.Fatal(err)
		}
		agree := true
		for _, kind := range test.types {
			agree = acct.Learn(kind) && agree
		}
		if kind := acct.Delivery().IdentifierKind; kind != test.want || agree != test.agree {
			t.Errorf("identifier %s with types %v: got %s, agree %t; want %s, agree %t", test.name, test.types, kind, agree, test.want, test.agree)
		}
	}
}

// Printing an account or the registry never shows a token.
func TestPrintingHidesTokens(t *testing.T) {
	const token = "11111111-2222-3333-1700000000000:44444444-5555-6666"
	t.Setenv("TELECRM_TEST_TOKEN", token)
	r := registry()
	acct, err := r.Inline(Settings{Token: "{env.TELECRM_TEST_TOKEN}", AsyncToken: "{env.TELECRM_TEST_TOKEN}", EnterpriseID: "66aa"}, "/a")
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []any{*acct, *r, *acct.Client, *acct.Async} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			if text := fmt.Sprintf(verb, value); strings.Contains(text, token) || strings.Contains(text, fmt.Sprintf("%x", token)) {
				t.Errorf("%T printed with %s shows the token", value, verb)
			}
		}
	}
}
