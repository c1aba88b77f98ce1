package form_test

import (
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/form"
)

func TestReadJSON(t *testing.T) {
	tests := []struct {
		name, body string
		want       []form.Entry
	}{
		{"empty object", "{}", nil},
		{"order of names", `{"b":"1","a":"2"}`, entries("b", "1", "a", "2")},
		{"repeated names", `{"b":"1","a":"2","b":["3","4"]}`, entries("b", "1", "a", "2", "b", "3", "b", "4")},
		{"numbers as written", `{"a":1,"b":-0.50,"c":1E400,"d":12345678901234567890}`, entries("a", "1", "b", "-0.50", "c", "1E400", "d", "12345678901234567890")},
		{"three decimals are not a group", `{"a":1.500,"b":-12.345,"c":"1.500","d":1.5e3,"e":1.5001}`, entries("a", "1.5000", "b", "-12.3450", "c", "1.500", "d", "1.5e3", "e", "1.5001")},
		{"booleans", `{"a":true,"b":false}`, entries("a", "true", "b", "false")},
		{"null is absent", `{"a":null,"b":"1"}`, entries("b", "1")},
		{"array", `{"a":["1",2,true,""]}`, entries("a", "1", "a", "2", "a", "true", "a", "")},
		{"empty array is absent", `{"a":[],"b":"1"}`, entries("b", "1")},
		{"null in an array is absent", `{"a":[null,"1",null]}`, entries("a", "1")},
		{"empty name", `{"":"1","a":"2","":["3"]}`, entries("a", "2")},
		{"empty value", `{"a":""}`, entries("a", "")},
		{"escapes", `{"\u0061\n":"\"\\\/\b\f\n\r\t\u00e9"}`, entries("a\n", "\"\\/\b\f\n\r\té")},
		{"surrogate pair", `{"a":"\ud83d\uDE00"}`, entries("a", "😀")},
		{"two surrogate pairs", `{"a":"\ud83d\ude00\ud83d\ude01"}`, entries("a", "😀😁")},
		{"high surrogate alone", `{"a":"b\ud83d"}`, entries("a", "b\uFFFD")},
		{"low surrogate alone", `{"a":"b\ude00"}`, entries("a", "b\uFFFD")},
		{"surrogates in the wrong order", `{"a":"\ude00\ud83d"}`, entries("a", "\uFFFD\uFFFD")},
		{"two high surrogates", `{"a":"\ud83d\ud83d\ude00"}`, entries("a", "\uFFFD😀")},
		{"high surrogate and another escape", `{"a":"\ud83d\n"}`, entries("a", "\uFFFD\n")},
		{"high surrogate and an escaped backslash", `{"a":"\ud83d\\ude00"}`, entries("a", "\uFFFD\\ude00")},
		{"surrogate in a name", `{"\ud83d":1}`, entries("\uFFFD", "1")},
		{"escaped backslash before a u", `{"a":"\\ud800"}`, entries("a", `\ud800`)},
		{"replacement character sent as such", `{"a":"\ufffd","b":"�"}`, entries("a", "\uFFFD", "b", "\uFFFD")},
		{"UTF-8", `{"città":"Malmö 😀"}`, entries("città", "Malmö 😀")},
		{"white space", "\r\n\t {\n\"a\" : [ \"1\" , 2 ] }\r\n\t ", entries("a", "1", "a", "2")},
		{"byte order mark", "\uFEFF{\"a\":\"1\"}", entries("a", "1")},
		{"byte order mark in a value", "{\"a\":\"\uFEFF\"}", entries("a", "\uFEFF")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := form.Read(strings.NewReader(test.body), jsonObject, form.Limits{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			wantEntries(t, got, test.want)
		})
	}
}

func TestReadJSONMalformed(t *testing.T) {
	const name = `"` + private + `"`
	tests := []struct{ name, body string }{
		{"no body", ""},
		{"white space", " \n"},
		{"byte order mark alone", "\uFEFF"},
		{"two byte order marks", "\uFEFF\uFEFF{}"},
		{"byte order mark after a space", " \uFEFF{}"},
		{"string", name},
		{"number", "1"},
		{"null", "null"},
		{"array", "[" + name + "]"},
		{"array of objects", `[{"a":` + name + `}]`},
		{"urlencoded", private + "=1"},
		{"unfinished object", `{` + name + `:1`},
		{"unfinished string", `{"a":"` + private},
		{"unfinished array", `{"a":[` + name},
		{"array closed as an object", `{"a":[` + name + `}`},
		{"object closed as an array", `{"a":` + name + `]`},
		{"no value", `{` + name + `}`},
		{"no colon", `{` + name + ` 1}`},
		{"no name", `{:` + name + `}`},
		{"name without quotes", `{` + private + `:1}`},
		{"name is a number", `{1:` + name + `}`},
		{"comma at the end", `{"a":` + name + `,}`},
		{"comma at the end of an array", `{"a":[` + name + `,]}`},
		{"comma at the start", `{,"a":` + name + `}`},
		{"comma missing", `{"a":` + name + ` "b":1}`},
		{"comment", `{"a":` + name + `} // ` + private},
		{"single quotes", `{'a':'` + private + `'}`},
		{"not a number", `{"a":NaN}`},
		{"leading zero", `{"a":01}`},
		{"unknown word", `{"a":` + private + `}`},
		{"unknown escape", `{"a":"\x` + private + `"}`},
		{"broken escape", `{"a":"\u12` + private + `"}`},
		{"escape at the end", `{"a":"` + private + `\`},
		{"line break in a string", "{\"a\":\"" + private + "\n\"}"},
		{"second object", `{"a":1}{"b":` + name + `}`},
		{"trailing text", `{"a":1} ` + private},
		{"trailing comma", `{"a":1},`},
		{"trailing bracket", `{"a":1}}`},
		{"trailing NUL", "{\"a\":1}\x00"},
		{"value is not UTF-8", "{\"a\":\"" + private + "\xe9\"}"},
		{"name is not UTF-8", "{\"" + private + "\xe9\":1}"},
		{"UTF-16", "\xff\xfe{\x00}\x00"},
		{"NUL in a value", `{"a":"` + private + `\u0000"}`},
		{"NUL in a name", `{"` + private + `\u0000":1}`},
		{"raw NUL", "{\"a\":\"" + private + "\x00\"}"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := form.Read(strings.NewReader(test.body), jsonObject, form.Limits{}, nil)
			wantRefused(t, got, err, form.ErrMalformed)
		})
	}
}

func TestReadJSONNested(t *testing.T) {
	tests := []struct{ name, body string }{
		{"object", `{"a":{"b":"` + private + `"}}`},
		{"empty object", `{"a":{}}`},
		{"object in an array", `{"a":["1",{"b":"` + private + `"}]}`},
		{"array in an array", `{"a":[["` + private + `"]]}`},
		{"object without a name", `{"":{}}`},
		{"array in an array without a name", `{"":[[]]}`},
		{"deep arrays", `{"a":` + strings.Repeat("[", 60_000)},
		{"deep objects", strings.Repeat(`{"a":`, 10_000)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := form.Read(strings.NewReader(test.body), jsonObject, form.Limits{}, nil)
			wantRefused(t, got, err, form.ErrMalformed)
			if err != nil && !strings.Contains(err.Error(), "nested") {
				t.Errorf("the error does not mention nesting: %v", err)
			}
		})
	}
}
