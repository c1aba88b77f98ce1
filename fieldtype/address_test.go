package fieldtype_test

import (
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/fieldtype"
)

func TestConvertEmail(t *testing.T) {
	t.Parallel()
	local64 := strings.Repeat("a", 64)
	label63 := strings.Repeat("b", 63)
	for _, typ := range []fieldtype.Type{fieldtype.Email, fieldtype.Assignee} {
		checkConversions(t, fieldtype.Rules{Type: typ}, []conversion{
			{" Asha.Rao+web@Mail.Example.ORG\u200b", "Asha.Rao+web@mail.example.org"},
			{"o'hara_!#$%&*/=?^`{|}~-@example.org", "o'hara_!#$%&*/=?^`{|}~-@example.org"},
			{"a@bücher.example", "a@xn--bcher-kva.example"},
			{"a@उदाहरण.परीक्षा", "a@xn--p1b6ci4b4b3a.xn--11b5bs3a9aj6g"},
			{"a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
			{local64 + "@" + label63 + ".example", local64 + "@" + label63 + ".example"},
			{local64 + "a@example.org", fieldtype.TypeEmail},
			{"a@" + label63 + "b.example", fieldtype.TypeEmail},
			{"a@" + strings.Repeat(label63+".", 4) + "example", fieldtype.TypeEmail},
			{local64 + "@" + strings.Repeat(label63+".", 2) + label63 + ".example", fieldtype.TypeEmail},
			{"asha", fieldtype.TypeEmail},
			{"asha@", fieldtype.TypeEmail},
			{"@example.org", fieldtype.TypeEmail},
			{"asha@example", fieldtype.TypeEmail},
			{"asha@example.o", fieldtype.TypeEmail},
			{"asha@example.123", fieldtype.TypeEmail},
			{"asha@192.0.2.1", fieldtype.TypeEmail},
			{"asha@[192.0.2.1]", fieldtype.TypeEmail},
			{"asha@example..org", fieldtype.TypeEmail},
			{"asha@example.org.", fieldtype.TypeEmail},
			{"asha@.example.org", fieldtype.TypeEmail},
			{"asha@-example.org", fieldtype.TypeEmail},
			{"asha@exa_mple.org", fieldtype.TypeEmail},
			{"asha@xn--a.example", fieldtype.TypeEmail},
			{".asha@example.org", fieldtype.TypeEmail},
			{"as..ha@example.org", fieldtype.TypeEmail},
			{"asha.@example.org", fieldtype.TypeEmail},
			{"as ha@example.org", fieldtype.TypeEmail},
			{"as@ha@example.org", fieldtype.TypeEmail},
			{`"asha"@example.org`, fieldtype.TypeEmail},
			{"asha(x)@example.org", fieldtype.TypeEmail},
			{"Asha <asha@example.org>", fieldtype.TypeEmail},
			{"asha@example.org, ravi@example.org", fieldtype.TypeEmail},
			{"ásha@example.org", fieldtype.TypeEmail},
			{"🙂@example.org", fieldtype.TypeEmail},
			{"asha@example.org\nBcc: ravi@example.org", fieldtype.TypeEmail},
			{"asha\x00@example.org", fieldtype.TypeEmail},
			{"' OR 1=1 --@example.org", fieldtype.TypeEmail},
			{strings.Repeat("a@", 50_000), fieldtype.TypeEmail},
			{"a@" + strings.Repeat("é.", 50_000), fieldtype.TypeEmail},
		})
	}
}

func TestConvertURL(t *testing.T) {
	t.Parallel()
	both := []conversion{
		{"https://example.org", "https://example.org"},
		{" HTTP://WWW.Example.org:8080/A?b=C#d ", "http://www.example.org:8080/A?b=C#d"},
		{"https://example.org?q=a//b://c", "https://example.org?q=a//b://c"},
		{"https://bücher.example/größe?q=ü", "https://xn--bcher-kva.example/gr%C3%B6%C3%9Fe?q=%C3%BC"},
		{"https://example.org/a%20b|c", "https://example.org/a%20b%7Cc"},
		{"https://my_shop.example.org", "https://my_shop.example.org"},
		{"https://r3---a.example.org", "https://r3---a.example.org"},
		{"http://192.0.2.1/x", "http://192.0.2.1/x"},
		{"http://[2001:db8:0::1]:80/", "http://[2001:db8::1]:80/"},
		{"http://[fe80::1%25eth0]/", fieldtype.TypeURL},
		{"http://[2001:db8::1", fieldtype.TypeURL},
		{"http://[192.0.2.1]/", fieldtype.TypeURL},
		{"http://192.0.2.999/", fieldtype.TypeURL},
		{"ftp://example.org", fieldtype.TypeURL},
		{"javascript:alert(1)", fieldtype.TypeURL},
		{"javascript://example.org/%0aalert(1)", fieldtype.TypeURL},
		{"data:text/html,x", fieldtype.TypeURL},
		{"mailto:asha@example.org", fieldtype.TypeURL},
		{"https://asha@example.org", fieldtype.TypeURL},
		{"https://asha:secret@example.org", fieldtype.TypeURL},
		{`https://example.org\@example.com`, fieldtype.TypeURL},
		{"https://localhost", "https://localhost"},
		{"https://", fieldtype.TypeURL},
		{"https:///x", fieldtype.TypeURL},
		{"https://example.org:", fieldtype.TypeURL},
		{"https://example.org:0", fieldtype.TypeURL},
		{"https://example.org:70000", fieldtype.TypeURL},
		{"https://example.org:+80", fieldtype.TypeURL},
		{"https://example..org", fieldtype.TypeURL},
		{"https://exa mple.org", fieldtype.TypeURL},
		{"https://example.org/a b", fieldtype.TypeURL},
		{"https://example.org/\x00x", fieldtype.TypeURL},
		{"https://example.org/%zz", fieldtype.TypeURL},
		{"https://example.org/\nhttps://example.com", fieldtype.TypeURL},
		{"none", fieldtype.TypeURL},
		{"n/a", fieldtype.TypeURL},
		{"-1", fieldtype.TypeURL},
		{"1.5", fieldtype.TypeURL},
		{"🙂", fieldtype.TypeURL},
		{"'; DROP TABLE leads; --", fieldtype.TypeURL},
		{"https://example.org/" + strings.Repeat("a", 2028), "https://example.org/" + strings.Repeat("a", 2028)},
		{"https://example.org/" + strings.Repeat("a", 2029), fieldtype.TypeURL},
		{"https://example.org/" + strings.Repeat("é", 100_000), fieldtype.TypeURL},
	}
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Website}, both)
	checkConversions(t, fieldtype.Rules{Type: fieldtype.MediaLink}, both)
	for text, want := range map[string]string{
		"www.example.com/x":             "https://www.example.com/x",
		"Example.org":                   "https://example.org",
		"//example.org":                 "https://example.org",
		"example.org:8080":              "https://example.org:8080",
		"example.org?to=http://a.b":     "https://example.org?to=http://a.b",
		"bücher.example":                "https://xn--bcher-kva.example",
		"example.org/http://example.io": "https://example.org/http://example.io",
	} {
		checkConversions(t, fieldtype.Rules{Type: fieldtype.Website}, []conversion{{text, want}})
		checkConversions(t, fieldtype.Rules{Type: fieldtype.MediaLink}, []conversion{{text, fieldtype.TypeURL}})
	}
}
