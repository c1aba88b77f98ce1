package telecrm_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := telecrm.Config{Token: testToken, EnterpriseID: testEnterprise}
	token := func(s telecrm.Token) telecrm.Config { c := good; c.Token = s; return c }
	id := func(s string) telecrm.Config { c := good; c.EnterpriseID = s; return c }
	base := func(s string) telecrm.Config { c := good; c.BaseURL = s; return c }
	for _, tc := range []struct {
		name   string
		config telecrm.Config
		want   error
		secret string // must not be in the error
	}{
		{"zero config", telecrm.Config{}, telecrm.ErrToken, ""},
		{"no token", token(""), telecrm.ErrToken, ""},
		{"token with a space", token("Bearer abc123"), telecrm.ErrToken, "abc123"},
		{"token with a line break", token("abc123\n"), telecrm.ErrToken, "abc123"},
		{"token with another header", token("abc123\r\nX-Evil: 1"), telecrm.ErrToken, "abc123"},
		{"token with a tab", token("abc\t123"), telecrm.ErrToken, "abc"},
		{"token with a zero width space", token("abc123\u200b"), telecrm.ErrToken, "abc123"},
		{"token with a typographic dash", token("abc–123"), telecrm.ErrToken, "abc"},
		{"token that is not UTF-8", token("abc123\xff"), telecrm.ErrToken, "abc123"},
		{"token with a delete", token("abc123\x7f"), telecrm.ErrToken, "abc123"},

		{"no enterprise id", id(""), telecrm.ErrEnterpriseID, ""},
		{"token for an enterprise id", id(testToken), telecrm.ErrEnterpriseID, testToken},
		{"enterprise id with a space", id("66aa00 "), telecrm.ErrEnterpriseID, "66aa00"},
		{"enterprise id with a slash", id("66aa00/lead"), telecrm.ErrEnterpriseID, "66aa00"},
		{"enterprise id with a backslash", id(`66aa00\lead`), telecrm.ErrEnterpriseID, "66aa00"},
		{"enterprise id with a query", id("66aa00?x=1"), telecrm.ErrEnterpriseID, "66aa00"},
		{"enterprise id with a fragment", id("66aa00#x"), telecrm.ErrEnterpriseID, "66aa00"},
		{"enterprise id with an escape", id("66aa00%2Flead"), telecrm.ErrEnterpriseID, "66aa00"},
		{"enterprise id outside ASCII", id("66aа00"), telecrm.ErrEnterpriseID, "66a"},
		{"enterprise id that is a dot", id("."), telecrm.ErrEnterpriseID, ""},
		{"enterprise id that is two dots", id(".."), telecrm.ErrEnterpriseID, ""},

		{"base url without a scheme", base("next.telecrm.in/autoupdate/v2"), telecrm.ErrBaseURL, ""},
		{"base url without a host", base("https:///autoupdate/v2"), telecrm.ErrBaseURL, ""},
		{"base url with a port only", base("https://:8443"), telecrm.ErrBaseURL, ""},
		{"base url without slashes", base("https:next.telecrm.in"), telecrm.ErrBaseURL, ""},
		{"base url of another scheme", base("ftp://next.telecrm.in"), telecrm.ErrBaseURL, ""},
		{"base url that does not parse", base("https://u:pw123@host:port"), telecrm.ErrBaseURL, "pw123"},
		{"base url with a password", base("https://u:pw123@next.telecrm.in"), telecrm.ErrBaseURL, "pw123"},
		{"base url with a query", base("https://next.telecrm.in?key=pw123"), telecrm.ErrBaseURL, "pw123"},
		{"base url with an empty query", base("https://next.telecrm.in?"), telecrm.ErrBaseURL, ""},
		{"base url with a fragment", base("https://next.telecrm.in#pw123"), telecrm.ErrBaseURL, "pw123"},
		{"base url with a placeholder left", base("https://{env.CRM}/v2"), telecrm.ErrBaseURL, ""},

		{"http to TeleCRM", base("http://next.telecrm.in/autoupdate/v2"), telecrm.ErrBaseURL, ""},
		{"http to a name like localhost", base("http://localhost.example.com"), telecrm.ErrBaseURL, ""},
		{"http to a name that ends in localhost", base("http://evillocalhost"), telecrm.ErrBaseURL, ""},
		{"http to a name below localhost", base("http://crm.localhost"), telecrm.ErrBaseURL, ""},
		{"http to a name like an address", base("http://127.0.0.1.example.com"), telecrm.ErrBaseURL, ""},
		{"http with localhost for a user", base("http://localhost@crm.example.com"), telecrm.ErrBaseURL, ""},
		{"http to a private address", base("http://10.0.0.1"), telecrm.ErrBaseURL, ""},
		{"http to any address", base("http://0.0.0.0"), telecrm.ErrBaseURL, ""},
		{"http to an address in short", base("http://127.1"), telecrm.ErrBaseURL, ""},
		{"http to an address as a number", base("http://2130706433"), telecrm.ErrBaseURL, ""},
		{"http to an IPv6 address", base("http://[2001:db8::1]"), telecrm.ErrBaseURL, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			client, err := telecrm.New(tc.config)
			if !errors.Is(err, tc.want) {
				t.Fatalf("error is %v, want one that wraps %v", err, tc.want)
			}
			if client != nil {
				t.Error("got a client with the error")
			}
			if tc.secret != "" && strings.Contains(err.Error(), tc.secret) {
				t.Errorf("the error quotes the setting: %v", err)
			}
		})
	}
}

func TestNewAccepts(t *testing.T) {
	t.Parallel()
	const path = "/enterprise/" + testEnterprise + "/lead"
	for base, want := range map[string]string{
		"":                             telecrm.DefaultBaseURL + path,
		"https://next.telecrm.in":      "https://next.telecrm.in" + path,
		"https://next.telecrm.in/":     "https://next.telecrm.in" + path,
		"HTTPS://crm.example.com/a/b/": "https://crm.example.com/a/b" + path,
		"https://crm.example.com:8443": "https://crm.example.com:8443" + path,
		"https://10.0.0.1/v2":          "https://10.0.0.1/v2" + path,
		"http://localhost:8081/v2":     "http://localhost:8081/v2" + path,
		"http://LocalHost":             "http://LocalHost" + path,
		"http://127.0.0.1:8081":        "http://127.0.0.1:8081" + path,
		"http://127.8.9.10":            "http://127.8.9.10" + path,
		"http://[::1]:8081":            "http://[::1]:8081" + path,
		"http://[::ffff:127.0.0.1]":    "http://[::ffff:127.0.0.1]" + path,
	} {
		t.Run(base, func(t *testing.T) {
			t.Parallel()
			var got []sent
			client := newClient(t, telecrm.Config{BaseURL: base, Transport: recorder(&got)})
			client.CreateLead(context.Background(), invented())
			if len(got) != 1 || got[0].Host+got[0].Path != want {
				t.Errorf("requests went to %+v, want one to %s", got, want)
			}
		})
	}
}

func TestNewAcceptsAnyShapeOfID(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"66aa00bb11cc22dd33ee44ff", "1", "acme-solar_2", "a.b", "...", strings.Repeat("f", 64)} {
		var got []sent
		client := newClient(t, telecrm.Config{EnterpriseID: id, Transport: recorder(&got)})
		client.CreateLead(context.Background(), invented())
		want := "/autoupdate/v2/enterprise/" + id + "/lead"
		if len(got) != 1 || got[0].Path != want {
			t.Errorf("enterprise id %q: requests went to %+v, want one to %s", id, got, want)
		}
	}
}
