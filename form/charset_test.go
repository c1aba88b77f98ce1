package form_test

import (
	"net/url"
	"strings"
	"testing"

	"golang.org/x/text/encoding/htmlindex"

	"github.com/leadwire/caddy-telecrm/form"
)

// in encodes text.
func in(t *testing.T, label, text string) string {
	t.Helper()
	encoding, err := htmlindex.Get(label)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := encoding.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func TestReadOtherEncodings(t *testing.T) {
	for _, test := range []struct{ label, text string }{
		{"windows-1252", "José – 5 €"},
		{"iso-8859-1", "José"},
		{"iso-8859-2", "Łukasz Żółć"},
		{"iso-8859-15", "Ça 5 €"},
		{"windows-1251", "Её"}, // its bytes are also valid UTF-8
		{"koi8-r", "Анна"},
		{"shift_jis", "表示ソフト"}, // some of its bytes are backslashes
		{"euc-jp", "山田"},
		{"iso-2022-jp", "山田"}, // all of its bytes are ASCII
		{"gbk", "联通"},         // its bytes are also valid UTF-8
		{"gb18030", "张三"},
		{"big5", "功蓋"},
		{"euc-kr", "홍길동"},
	} {
		t.Run(test.label, func(t *testing.T) {
			raw := in(t, test.label, test.text)
			pair := "a=" + url.QueryEscape(raw)
			for name, sent := range map[string]struct{ contentType, body string }{
				"Content-Type":            {urlencoded + "; charset=" + test.label, pair},
				"_charset_":               {urlencoded, "_charset_=" + test.label + "&" + pair},
				"_charset_ of multipart":  {formData, part(`name="a"`, raw) + part(`name="_charset_"`, test.label) + end},
				"the part's Content-Type": {formData, part(`name="a"`, raw, "Content-Type: text/plain; charset="+test.label) + end},
				"Content-Type of JSON":    {jsonObject + "; charset=" + test.label, `{"a":"` + raw + `"}`},
			} {
				if name == "Content-Type of JSON" && strings.Contains(raw, `\`) {
					continue // JSON that escapes bytes instead of characters cannot be decoded
				}
				got, err := form.Read(strings.NewReader(sent.body), sent.contentType, form.Limits{}, nil)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				} else if got.First("a") != test.text {
					t.Errorf("%s: got %q", name, got.First("a"))
				}
			}
		})
	}
}

func TestReadCharsetOfThePage(t *testing.T) {
	raw := in(t, "shift_jis", "表示")
	for _, test := range []struct{ name, label, body, want, charset string }{
		{"another", "Shift_JIS", raw, "表示", "shift_jis"},
		{"nothing", "", "Jos\xe9", "José", "windows-1252"},
		{"UTF-8", "utf-8", "Jos\xe9", "José", "windows-1252"},
		{"UTF-16", "utf-16", "Jos\xe9", "José", "windows-1252"},
		{"an unknown one", "unheard-of", "Jos\xe9", "José", "windows-1252"},
		{"one that does not fit", "euc-kr", "Jos\xe9", "José", "windows-1252"},
		{"another, but it is UTF-8", "Shift_JIS", "José", "José", ""},
		{"characters it lacks", "windows-1252", "5 &#8377; &#50; &amp; \x80", "5 ₹ &#50; &amp; €", "windows-1252"},
		{"bytes without a meaning", "", "\x81\x8d\xff", "\uFFFD\uFFFDÿ", "windows-1252"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var asked bool
			ask := func(posted *form.Form) string {
				asked = posted.First("_form_page") == "/contact"
				return test.label
			}
			for contentType, body := range map[string]string{
				urlencoded: "_form_page=/contact&a=" + url.QueryEscape(test.body),
				formData:   part(`name="a"`, test.body) + part(`name="_form_page"`, "/contact") + end,
			} {
				got, err := form.Read(strings.NewReader(body), contentType, form.Limits{}, ask)
				if err != nil {
					t.Fatal(err)
				}
				if got.First("a") != test.want || got.Charset != test.charset || asked != (test.charset != "") {
					t.Errorf("%s: got %q, charset %q, page asked: %v", contentType, got.First("a"), got.Charset, asked)
				}
			}
		})
	}
}

func TestReadNamesInOtherEncodings(t *testing.T) {
	body := part("name=\"pr\xe9nom\"", "Jos\xe9") + part("name=\"pi\xe8ce\"; filename=\"x\"", "\xff\x00") + end
	got, err := form.Read(strings.NewReader(body), formData, form.Limits{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantEntries(t, got, entries("prénom", "José"))
	if len(got.Files) != 1 || got.Files[0] != "pièce" {
		t.Errorf("files %q, want pièce", got.Files)
	}
}

// Limits apply to the decoded text.
func TestReadLimitsOfOtherEncodings(t *testing.T) {
	limits := form.Limits{Name: 5, Value: 5}
	got, err := form.Read(strings.NewReader("a=%E9%E9%E9&b=%E9%E9"), urlencoded, limits, nil)
	wantRefused(t, got, err, form.ErrTooLarge)
	wantEntries(t, got, entries("a", "ééé", "b", "éé"))
	if len(got.TooLong) != 1 || got.TooLong[0] != "a" {
		t.Errorf("too long: %q, want a", got.TooLong)
	}
	got, err = form.Read(strings.NewReader("a=1&%E9%E9%E9=1&b=1"), urlencoded, limits, nil)
	wantRefused(t, got, err, form.ErrTooLarge)
	wantEntries(t, got, entries("a", "1"))
	if !got.Cut {
		t.Error("Cut is not set")
	}
}
