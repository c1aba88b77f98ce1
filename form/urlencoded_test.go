package form_test

import (
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/form"
)

func TestReadURLEncoded(t *testing.T) {
	tests := []struct {
		name, body string
		want       []form.Entry
	}{
		{"empty body", "", nil},
		{"order and repeats", "b=1&a=2&b=3", entries("b", "1", "a", "2", "b", "3")},
		{"plus and escapes", "full+name=Asha+Rao%2B&note=%c3%A9", entries("full name", "Asha Rao+", "note", "é")},
		{"no equals sign", "agree", entries("agree", "")},
		{"empty value", "note=", entries("note", "")},
		{"equals sign in the value", "sum=1=1", entries("sum", "1=1")},
		{"escaped separators", "a%26b%3Dc=%26%3D", entries("a&b=c", "&=")},
		{"empty pairs", "&&a=1&&b=2&", entries("a", "1", "b", "2")},
		{"separators alone", "&&&", nil},
		{"empty names", "=1&a=2&=", entries("a", "2")},
		{"semicolon is data", "a=1;b=2&c;d=3", entries("a", "1;b=2", "c;d", "3")},
		{"line breaks are kept", "note=one%0D%0Atwo\nthree", entries("note", "one\r\ntwo\nthree")},
		{"unescaped UTF-8", "città=Malmö", entries("città", "Malmö")},
		{"other scripts", "name=%E0%A4%86%E0%A4%B6%E0%A4%BE&mood=%F0%9F%98%80", entries("name", "आशा", "mood", "😀")},
		{"per cent", "note=50% off", entries("note", "50% off")},
		{"per cent at the end", "note=100%&a=1", entries("note", "100%", "a", "1")},
		{"per cent alone", "%", entries("%", "")},
		{"half an escape", "note=%4", entries("note", "%4")},
		{"half an escape before a separator", "note=%4&1=2", entries("note", "%4", "1", "2")},
		{"half an escape before an equals sign", "a%4=1", entries("a%4", "1")},
		{"not hexadecimal", "a%zz=%zz%4g%g4", entries("a%zz", "%zz%4g%g4")},
		{"escape() of old scripts", "note=%u0041%u20b9%41", entries("note", "%u0041%u20b9A")},
		{"two per cent signs", "note=%%41%%", entries("note", "%A%%")},
		{"escaped per cent", "note=50%25+off%2541", entries("note", "50% off%41")},
		{"per cent and plus", "note=5%+10%2b+%", entries("note", "5% 10+ %")},
		{"per cent and bytes of another encoding", "note=caf%E9+5%", entries("note", "café 5%")},
		{"per cent of another script", "note=५%०", entries("note", "५%०")},
		{"without a name", "=%zz&a=%", entries("a", "%")},
		{"byte order mark is data", "\uFEFFa=1", entries("\uFEFFa", "1")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := form.Read(strings.NewReader(test.body), urlencoded, form.Limits{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			wantEntries(t, got, test.want)
		})
	}
}

func TestReadURLEncodedMalformed(t *testing.T) {
	tests := []struct{ name, body string }{
		{"NUL in a value", private + "=a%00b"},
		{"NUL in a name", "a%00b=" + private},
		{"raw NUL", private + "=a\x00b"},
		{"the last of many", "a=1&b=2&" + private + "=%00"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := form.Read(strings.NewReader(test.body), urlencoded, form.Limits{}, nil)
			wantRefused(t, got, err, form.ErrMalformed)
		})
	}
}
