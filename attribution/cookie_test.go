package attribution

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/internal/signing"
)

var testNow = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func testCookie() Cookie {
	return Cookie{Name: DefaultCookie, Keep: 90 * 24 * time.Hour, Keys: signing.Key([]byte("a key"))}
}

// header returns the header with which a browser sends a cookie back.
func header(line string) http.Header {
	pair, _, _ := strings.Cut(line, ";")
	return http.Header{"Cookie": {"other=1; " + pair + "; last=x"}}
}

func anyTouch() *rapid.Generator[Touch] {
	return rapid.Custom(func(t *rapid.T) Touch {
		touch := Touch{
			At:       testNow.Add(-time.Duration(rapid.IntRange(0, 80*24*3600).Draw(t, "age")) * time.Second),
			Landing:  cutPath("/"+rapid.StringMatching(`[a-z/%0-9-]{0,300}`).Draw(t, "landing"), maxLanding),
			Referrer: referrerOf("https://" + rapid.StringMatching(`[a-z]{1,20}\.example/[a-z/]{0,300}`).Draw(t, "referrer")),
		}
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(append(paramNames()[1:], "ref", "utm_x")), 0, maxParams, rapid.ID).Draw(t, "names") {
			value := clean(rapid.String().Draw(t, "value"), maxText)
			if isClickID(name) {
				value = rapid.StringMatching(`[A-Za-z0-9_-]{1,255}`).Draw(t, "id")
			}
			touch.Params = append(touch.Params, Param{name, value})
		}
		return touch
	})
}

// A record survives the cookie as it is if it fits, and is cut to fit if it does not.
func TestCookieKeepsRecord(t *testing.T) {
	same := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
	rapid.Check(t, func(t *rapid.T) {
		r := Record{First: anyTouch().Draw(t, "first"), Visits: rapid.IntRange(1, maxVisits).Draw(t, "visits"), Seen: testNow}
		if r.Last = r.First; rapid.Bool().Draw(t, "another") {
			r.Last = anyTouch().Draw(t, "last")
		}
		c := testCookie()
		line := c.line(r, "www.example.com", true)
		if len(line) > MaxCookie {
			t.Fatalf("got %d bytes", len(line))
		}
		got, ok := c.read(header(line), testNow)
		if !ok {
			t.Fatalf("the cookie is not read: %s", line)
		}
		if len(version+encode(r))+len("; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax; Secure")+len(DefaultCookie)+18 > MaxCookie {
			if got.Visits != r.Visits || !got.First.At.Equal(r.First.At) || !got.Last.At.Equal(r.Last.At) {
				t.Fatalf("got %+v of %+v", got, r)
			}
			return
		}
		if diff := cmp.Diff(r, got, same); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestCookieAttributes(t *testing.T) {
	r := Record{First: Touch{At: testNow, Referrer: "https://a.example/"}, Visits: 1, Seen: testNow}
	c := testCookie()
	for _, test := range []struct {
		domain, host string
		isSecure     bool
		want         string
	}{
		{"", "www.example.com", true, "; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax; Secure"},
		{"", "localhost:8080", false, "; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax"},
		{"example.com", "www.example.com", true, "; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax; Secure; Domain=example.com"},
		{"example.com", "Example.com:443", true, "; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax; Secure; Domain=example.com"},
		{"example.com", "notexample.com", true, "; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax; Secure"},
	} {
		c.Domain = test.domain
		line := c.line(r, test.host, test.isSecure)
		if _, got, _ := strings.Cut(line, ";"); ";"+got != test.want {
			t.Errorf("%+v: got %q", test, got)
		}
	}
}

// Only a cookie as this site set it counts.
func TestForgedCookie(t *testing.T) {
	r := Record{First: Touch{At: testNow, Referrer: "https://a.example/"}, Visits: 1, Seen: testNow}
	c := testCookie()
	pair, _, _ := strings.Cut(c.line(r, "example.com", true), ";")
	_, value, _ := strings.Cut(pair, "=")
	keyless := c
	keyless.Keys = func() [][]byte { return nil }
	if line := keyless.line(r, "example.com", true); line != "" {
		t.Errorf("signed without a key: %q", line)
	}
	payload := strings.Split(value, ".")[1]
	for name, forged := range map[string]string{
		"no signature":      "1." + payload,
		"empty signature":   "1." + payload + ".",
		"another version":   "2" + value[1:],
		"another payload":   "1." + encode(Record{First: Touch{At: testNow, Referrer: "https://b.example/"}, Seen: testNow}) + "." + strings.Split(value, ".")[2],
		"longer than any":   value + strings.Repeat(".x", MaxCookie),
		"a character added": value + "A",
		"empty":             "",
	} {
		if got, ok := c.read(header(DefaultCookie+"="+forged), testNow); ok {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	other := c
	other.Keys = signing.Key([]byte("another key"))
	renamed := c
	renamed.Name = "x"
	for name, read := range map[string]bool{
		"another key":  second(other.read(header(pair), testNow)),
		"no key":       second(keyless.read(header(pair), testNow)),
		"another name": second(renamed.read(header("x="+value), testNow)),
		"too old":      second(c.read(header(pair), testNow.Add(c.Keep))),
		"the future":   second(c.read(header(pair), testNow.Add(-2*maxSkew))),
	} {
		if read {
			t.Errorf("%s: the cookie counts", name)
		}
	}
	twice := http.Header{"Cookie": {DefaultCookie + "=1.forged.x; " + pair}}
	if !second(c.read(twice, testNow)) {
		t.Error("a forged cookie beside the genuine one hides it")
	}
}

func second(_ Record, ok bool) bool { return ok }

// No text of a cookie breaks the decoder, none counts without a signature, and records that are read
// stay within the bounds.
func FuzzCookie(f *testing.F) {
	f.Add(encode(Record{First: Touch{At: testNow, Landing: "/", Params: []Param{{"utm_source", "a"}, {"ref", "b"}}}, Visits: 3, Seen: testNow}))
	f.Add("")
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, text string) {
		c := testCookie()
		for _, cookies := range []string{text, c.Name + "=" + text, c.Name + "=" + version + text + "." + text} {
			if r, ok := c.read(http.Header{"Cookie": {cookies}}, testNow); ok {
				t.Fatalf("an unsigned record counts: %+v", r)
			}
		}
		r, err := decode(text)
		if err != nil {
			return
		}
		again, err := decode(encode(r))
		if err != nil {
			t.Fatalf("decoding %+v again: %v", r, err)
		}
		if diff := cmp.Diff(r, again); diff != "" {
			t.Error(diff)
		}
		if line := c.line(r, "example.com", true); line == "" || len(line) > MaxCookie {
			t.Errorf("got a line of %d bytes", len(line))
		}
	})
}
