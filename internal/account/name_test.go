package account

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// The name of an inline account contains its settings except the tokens. The workspace and the
// identifier can be read back from it.
func TestInlineNames(t *testing.T) {
	const id = "66aa00bb11cc22dd33ee44ff"
	for want, settings := range map[string]Settings{
		id:                                  {Token: "x", AsyncBaseURL: "https://unused.example"},
		id + " async":                       {AsyncToken: "x", BaseURL: "https://unused.example"},
		id + " and async":                   {Token: "x", AsyncToken: "y", BaseURL: "https://NEXT.telecrm.in:443/autoupdate/v2/", CRMRate: "3600/h", Timeout: caddy.Duration(10 * time.Second)},
		id + " at crm.example/v2":           {Token: "x", BaseURL: "https://CRM.example/v2/", Country: "IN", TimeZone: "Asia/Kolkata"},
		id + " at http://localhost:9000/v2": {Token: "x", BaseURL: "http://localhost:9000/v2"},
		id + " async at crm.example":        {AsyncToken: "x", AsyncBaseURL: "https://crm.example"},
		id + " at a.example and async at b.example (identifier email, crm_rate 60/m 2, timeout 4s)": {
			Token: "x", AsyncToken: "y", BaseURL: "https://a.example", AsyncBaseURL: "https://b.example",
			Identifier: "email", CRMRate: " 60/m  2", Timeout: caddy.Duration(4 * time.Second),
		},
	} {
		settings.EnterpriseID = id
		resolved, err := settings.resolve(caddy.NewReplacer(), caddy.Log())
		if err != nil {
			t.Fatal(err)
		}
		if resolved, err = resolved.canonical(); err != nil {
			t.Fatal(err)
		}
		if got := resolved.inlineName(); got != want {
			t.Errorf("name: got %q, want %q", got, want)
		}
		for _, name := range []string{want, numbered(want, 12)} {
			if got := workspaceOf(name); got != resolved.workspace() {
				t.Errorf("workspace of %q: got %+v, want %+v", name, got, resolved.workspace())
			}
			if got := identifierOf(name); got != resolved.Identifier {
				t.Errorf("identifier of %q: got %q, want %q", name, got, resolved.Identifier)
			}
		}
	}
}

func TestWorkspaceReaches(t *testing.T) {
	for _, test := range []struct {
		heir, gone string
		want       bool
	}{
		{"a", "a", true},
		{"a", "a #2", true},
		{"a", "a (crm_rate 60/m 2)", true},
		{"a and async", "a", true},
		{"a", "a and async", true},
		{"a and async", "a async", true},
		{"a async", "a", false},
		{"a", "b", false},
		{"a at x.example", "a", false},
		{"a at x.example and async", "a and async", false},
		{"a async at x.example", "a async", false},
		{"a", "default", false},
	} {
		if got := workspaceOf(test.heir).reaches(workspaceOf(test.gone)); got != test.want {
			t.Errorf("%q reaches the workspace of %q: got %v, want %v", test.heir, test.gone, got, test.want)
		}
	}
}

// registry returns a Registry without accounts.
func registry() *Registry {
	return NewRegistry(func(func() string) telecrm.Observer { return nil }, zap.NewNop())
}

// Equivalent settings share one account, even with another country. A different token makes a
// different account, whose name does not depend on the token.
func TestInlineAccounts(t *testing.T) {
	names := func(tokens [2]string, forms [2]string) [2]string {
		r := registry()
		var got [2]*Account
		for i := range got {
			var err error
			got[i], err = r.Inline(Settings{Token: tokens[i], EnterpriseID: "66aa"}, forms[i])
			if err != nil {
				t.Fatal(err)
			}
		}
		return [2]string{got[0].Name(), got[1].Name()}
	}
	for _, forms := range [][2]string{{"/a", "/b"}, {"/b", "/a"}} {
		want := [2]string{"66aa", "66aa #2"}
		if forms[0] == "/b" {
			want = [2]string{"66aa #2", "66aa"}
		}
		for _, tokens := range [][2]string{{"x", "y"}, {"y", "x"}, {"z", "x"}} {
			if got := names(tokens, forms); got != want {
				t.Errorf("tokens %v in forms %v: got names %q, want %q", tokens, forms, got, want)
			}
		}
	}

	r := registry()
	written := Settings{Token: "n", EnterpriseID: "66aa", Country: "IN", TimeZone: "Asia/Kolkata"}
	if err := r.Add(Default, written); err != nil {
		t.Fatal(err)
	}
	open := func(settings Settings) *Account {
		acct, err := r.Inline(settings, "/a")
		if err != nil {
			t.Fatal(err)
		}
		return acct
	}
	first := open(Settings{Token: "x", EnterpriseID: "66aa", Country: "IN"})
	again := open(Settings{Token: "x", EnterpriseID: "66aa", Country: "AE", BaseURL: "https://next.telecrm.in/autoupdate/v2/", CRMRate: "3600/h"})
	if first.Pace != again.Pace || first.Name() != again.Name() || first.Country != "IN" || again.Country != "AE" {
		t.Errorf("got account %q in %s and %q in %s, want one account in IN and AE", first.Name(), first.Country, again.Name(), again.Country)
	}
	named, err := r.Named(Default)
	if err != nil {
		t.Fatal(err)
	}
	written.Country, written.TimeZone = "", ""
	if shared := open(written); shared.Name() != Default || shared.Pace != named.Pace || shared.Country != "" || shared.Location != time.UTC {
		t.Errorf("inline settings of account %s: got account %q", Default, shared.Name())
	}
}
