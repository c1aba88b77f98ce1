package form_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/form"
)

// tight are limits that a fuzzer reaches.
var tight = form.Limits{Body: 2048, Fields: 8, Name: 16, Value: 64}

// choosy is tight for a form that needs only the inputs whose name begins with a or n.
var choosy = form.Limits{Body: 2048, Fields: 8, Name: 16, Value: 64, Needs: func(input string) bool {
	return strings.HasPrefix(input, "a") || strings.HasPrefix(input, "n")
}}

// readFuzzed reads body and checks what must hold for any body. It returns nil for a refused body.
func readFuzzed(t *testing.T, body []byte, contentType string) *form.Form {
	t.Helper()
	got, err := form.Read(bytes.NewReader(body), contentType, tight, nil)
	again, errAgain := form.Read(iotest.OneByteReader(bytes.NewReader(body)), contentType, tight, nil)
	if (err == nil) != (errAgain == nil) || !cmp.Equal(got, again) {
		t.Fatalf("in one piece: %v, %v; byte by byte: %v, %v", got, err, again, errAgain)
	}
	if got != nil {
		checkFuzzed(t, got, err)
	}
	checkSkipped(t, body, contentType, err)
	if err != nil {
		if (got != nil) != errors.Is(err, form.ErrTooLarge) || got == nil && !errors.Is(err, form.ErrMalformed) && !errors.Is(err, form.ErrUnsupported) {
			t.Fatalf("form %v with error %v", got, err)
		}
		return nil
	}
	if int64(len(body)) > tight.Body {
		t.Fatalf("a body of %d bytes exceeds the limits", len(body))
	}
	return got
}

// checkSkipped checks that an input that is not needed never makes a form too large, and that the
// others do not change.
func checkSkipped(t *testing.T, body []byte, contentType string, withAll error) {
	t.Helper()
	got, err := form.Read(bytes.NewReader(body), contentType, choosy, nil)
	if withAll == nil && err != nil {
		t.Fatalf("a form within the limits is refused: %v", err)
	}
	if got == nil || err != nil {
		return
	}
	for _, entry := range got.Entries {
		checkFuzzedText(t, entry.Name, tight.Name)
		checkFuzzedText(t, entry.Value, tight.Value)
	}
	for _, entry := range got.Skipped {
		checkFuzzedText(t, entry.Name, 3*tight.Name)
		checkFuzzedText(t, entry.Value, 3*int(tight.Body))
	}
}

// checkFuzzed checks what must hold for any form, even one that exceeded the limits.
func checkFuzzed(t *testing.T, got *form.Form, err error) {
	t.Helper()
	if len(got.Entries)+len(got.Files) > tight.Fields {
		t.Fatalf("%d entries and %d files exceed the limits", len(got.Entries), len(got.Files))
	}
	if err == nil && (got.Cut || got.TooLong != nil) {
		t.Fatalf("form within the limits is marked as cut or too long: %+v", got)
	}
	for _, entry := range got.Entries {
		checkFuzzedText(t, entry.Name, tight.Name)
		most := tight.Value
		if slices.Contains(got.TooLong, entry.Name) {
			most = 3 * int(tight.Body) // a byte may decode to a character of three bytes
		}
		checkFuzzedText(t, entry.Value, most)
		if entry.Name == "" || !got.Has(entry.Name) || !slices.Contains(got.Values(entry.Name), entry.Value) {
			t.Fatalf("entry %q cannot be looked up", entry)
		}
	}
	for _, name := range got.Files {
		checkFuzzedText(t, name, tight.Name)
	}
}

func checkFuzzedText(t *testing.T, text string, limit int) {
	t.Helper()
	if len(text) > limit || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		t.Fatalf("%q has more than %d bytes, is not UTF-8 or contains NUL", text, limit)
	}
}

// literalPercents escapes the percent signs that do not begin an escape.
func literalPercents(body string) string {
	var escaped strings.Builder
	for i, part := range strings.Split(body, "%") {
		if i > 0 {
			escaped.WriteByte('%')
			if !beginsWithHex.MatchString(part) {
				escaped.WriteString("25")
			}
		}
		escaped.WriteString(part)
	}
	return escaped.String()
}

var beginsWithHex = regexp.MustCompile(`^[0-9A-Fa-f]{2}`)

// FuzzURLEncoded compares the values with those of net/url, regardless of order.
func FuzzURLEncoded(f *testing.F) {
	for _, seed := range []string{
		"", "name=Asha+Rao&phone=081234+56789", "a=1;b=2", "&&=&a&a=", "a=%C3%A9&b=%E9", "a=%00", "%", "a=%4", "a=50% off&b=%u0041", "%%41=%zz%", "%F0%9F%98%80=1",
		strings.Repeat("a&", 9), strings.Repeat("n", 17) + "=" + strings.Repeat("v", 65),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got := readFuzzed(t, body, urlencoded)
		if got == nil || got.Charset != "" || bytes.ContainsRune(body, ';') {
			return
		}
		want, err := url.ParseQuery(literalPercents(string(body)))
		if err != nil {
			t.Fatalf("net/url refuses the body: %v", err)
		}
		delete(want, "")
		values := url.Values{}
		for _, entry := range got.Entries {
			values.Add(entry.Name, entry.Value)
		}
		if diff := cmp.Diff(want, values); diff != "" {
			t.Fatalf("values (-net/url +got):\n%s", diff)
		}
	})
}

// FuzzMultipart checks that every form has a final boundary and contains only bytes of the body.
func FuzzMultipart(f *testing.F) {
	for _, seed := range []string{
		"", end, "--b--", part(`name="a"`, "1") + end, part(`name="a"`, "1"), "--b\r\n", "--b\r\nContent-Disposition: form-data; name=\"a\"",
		part(`name="cv"; filename="cv.pdf"`, "%PDF", "Content-Type: application/pdf") + part(`name="a"`, "") + end,
		part(`name="cv"; filename*=UTF-8''%e2%82%ac`, "x") + end, part(`name*0="a"; name*1="b"`, "x") + end,
		part(`name="a"`, "é", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit") + end,
		part(`name="a"`, "1", "A: 1", " 2", "A: 3") + end, strings.ReplaceAll(part(`name="a"`, "1")+end, "\r\n", "\n"),
		strings.Repeat(part(`name="a"`, "1"), 9) + end, part(`name="a"`, strings.Repeat("v", 65)) + end,
	} {
		f.Add("b", []byte(seed))
	}
	f.Add(`"b"; charset=utf-8; odd`, []byte(end))
	f.Add("b; charset=latin1", []byte(end))
	f.Fuzz(func(t *testing.T, boundary string, body []byte) {
		got := readFuzzed(t, body, "multipart/form-data; boundary="+boundary)
		if got == nil {
			return
		}
		if boundary == "b" && !bytes.Contains(body, []byte("--b--")) {
			t.Fatal("got a form without its final boundary")
		}
		for _, entry := range got.Entries {
			if got.Charset == "" && !bytes.Contains(body, []byte(entry.Value)) {
				t.Fatalf("value %q is not in the body", entry.Value)
			}
		}
	})
}

// FuzzJSON compares the values with those of encoding/json.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		"", "{}", `{"name":"Asha Rao","phone":"081234 56789","tags":["a","b"],"agree":true,"age":4.50,"none":null}`, "\uFEFF{}",
		`{"a":{}}`, `{"a":[[]]}`, `{"a":"\ud83d\ude00"}`, `{"a":"\ud83d"}`, `{"a":"\u0000"}`, `{"a":1}{}`, `{"":1,"a":[]}`, `[1]`,
		`{"a":1,"a":2}`, "{\"a\":\"\xe9\"}", `{"a":1E400}`, `{"a":"` + strings.Repeat("v", 65) + `"}`, `{"a":[1,2,3,4,5,6,7,8,9]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got := readFuzzed(t, body, jsonObject)
		if got == nil {
			return
		}
		want := decodeLastMembers(t, bytes.TrimPrefix(body, []byte("\uFEFF")))
		for name, values := range want {
			all := got.Values(name)
			if len(all) < len(values) || !slices.Equal(all[len(all)-len(values):], values) {
				t.Fatalf("values of %q are %q, want them to end with %q", name, all, values)
			}
		}
		for _, entry := range got.Entries {
			if _, ok := want[entry.Name]; !ok {
				t.Fatalf("encoding/json does not find %q", entry.Name)
			}
		}
	})
}

// decodeLastMembers decodes an object with encoding/json, where the last member of a name wins.
func decodeLastMembers(t *testing.T, body []byte) map[string][]string {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var members map[string]any
	if err := decoder.Decode(&members); err != nil {
		t.Fatalf("encoding/json refuses the body: %v", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		t.Fatalf("encoding/json finds more after the object: %v", err)
	}
	delete(members, "")
	texts := map[string][]string{}
	for name, member := range members {
		list, isList := member.([]any)
		if !isList {
			list = []any{member}
		}
		texts[name] = []string{}
		for _, value := range list {
			if value == nil {
				continue
			}
			text, isText := value.(string)
			if !isText {
				text = marshalFuzzed(t, value)
			}
			texts[name] = append(texts[name], text)
		}
	}
	return texts
}

func marshalFuzzed(t *testing.T, value any) string {
	t.Helper()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}
