package attribution

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"

// browserOf is a visitor with a browser that keeps the cookie.
type browserOf struct {
	*Tracker

	now     time.Time
	headers map[string]string // of every request
	cookie  string
}

func newBrowser(change func(*Tracker)) *browserOf {
	b := &browserOf{now: testNow}
	b.Tracker = &Tracker{Params: NewParams(DefaultParams()), Keep: BothTouch, Cookie: testCookie(), Now: func() time.Time { return b.now }}
	if change != nil {
		change(b.Tracker)
	}
	return b
}

func (b *browserOf) request(method, address string, headers map[string]string) Request {
	r := httptest.NewRequest(method, address, nil)
	for _, set := range []map[string]string{{"User-Agent": chrome, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html,*/*"}, b.headers, headers} {
		for name, value := range set {
			r.Header.Set(name, value)
			if value == "" {
				r.Header.Del(name)
			}
		}
	}
	if b.cookie != "" {
		r.Header.Add("Cookie", b.cookie)
	}
	return Request{Request: r, URL: r.URL, IsSecure: true}
}

// get navigates to a page and reports whether the answer sets the cookie.
func (b *browserOf) get(address string, headers map[string]string) bool {
	r := b.request(http.MethodGet, address, headers)
	if !b.MayTouch(r.Request, r.URL.RawQuery) {
		return false
	}
	visit := b.Touch(r)
	if visit.SetCookie != "" {
		b.cookie, _, _ = strings.Cut(visit.SetCookie, ";")
	}
	return visit.SetCookie != ""
}

// post returns what is known when the visitor posts the form of a page.
func (b *browserOf) post(page string) Record {
	return b.Known(b.request(http.MethodPost, "https://www.example.com/enquire", map[string]string{"Referer": page}))
}

func value(r Record, name string) string {
	v, _ := r.Value(name)
	return v
}

func TestJourney(t *testing.T) {
	b := newBrowser(nil)
	if !b.get("https://www.example.com/offer?utm_source=google&utm_medium=cpc&gclid=abc", map[string]string{"Referer": "https://www.google.com/"}) {
		t.Fatal("the landing is not a touch")
	}
	for _, page := range []string{"/a", "/b", "/c"} {
		if b.get("https://www.example.com"+page, map[string]string{"Referer": "https://www.example.com/offer?gclid=abc"}) {
			t.Errorf("%s is a touch", page)
		}
	}
	b.now = b.now.Add(3 * 24 * time.Hour)
	if !b.get("https://www.example.com/blog", map[string]string{"Referer": "https://news.example.org/story?id=7"}) {
		t.Error("a link on another site is not a touch")
	}
	b.now = b.now.Add(24 * time.Hour)
	if b.get("https://www.example.com/", nil) {
		t.Error("a direct visit is a touch")
	}
	r := b.post("https://www.example.com/contact")
	for name, want := range map[string]string{
		"telecrm.first.utm_source": "google", "telecrm.first.gclid": "abc", "telecrm.first.landing": "/offer",
		"telecrm.first.referrer": "https://www.google.com/", "telecrm.first.channel": "Paid Search", "telecrm.first.time": "2026-03-04T05:06:07Z",
		"telecrm.last.utm_source": "", "telecrm.last.referrer": "https://news.example.org/story", "telecrm.last.landing": "/blog",
		"telecrm.last.channel": "Referral", "telecrm.last.time": "2026-03-07T05:06:07Z", "telecrm.visits": "2", "telecrm.first.nothing": "",
	} {
		if got := value(r, name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	b.now = testNow.Add(91 * 24 * time.Hour)
	if r := b.post("https://www.example.com/contact"); value(r, "telecrm.first.channel") != "Referral" {
		t.Errorf("after the first touch has expired: got %+v", r)
	}
	b.now = testNow.Add(94 * 24 * time.Hour)
	if r := b.post("https://www.example.com/contact"); value(r, "telecrm.first.channel") != "Direct" || value(r, "telecrm.visits") != "0" {
		t.Errorf("after all touches have expired: got %+v", r)
	}
}

// Only a person's navigation to a page from elsewhere is a touch.
func TestWhatIsATouch(t *testing.T) {
	const tagged = "https://www.example.com/?utm_source=a"
	for name, test := range map[string]struct {
		address string
		headers map[string]string
		want    bool
	}{
		"a parameter":                     {tagged, nil, true},
		"an old browser":                  {tagged, map[string]string{"Sec-Fetch-Mode": "", "Sec-Fetch-Dest": ""}, true},
		"a phone whose name ends in bot":  {tagged, map[string]string{"User-Agent": "Mozilla/5.0 (Linux; Android 9; CUBOT X19) Mobile Safari/537.36"}, true},
		"Facebook's own browser":          {tagged, map[string]string{"User-Agent": "Mozilla/5.0 (iPhone) AppleWebKit/605 Mobile/15E148 [FBAN/FBIOS;FBAV/400]"}, true},
		"a headless browser":              {tagged, map[string]string{"User-Agent": strings.Replace(chrome, "Chrome", "HeadlessChrome", 1)}, true},
		"a referrer":                      {"https://www.example.com/", map[string]string{"Referer": "https://a.example/"}, true},
		"a referrer of an app":            {"https://www.example.com/", map[string]string{"Referer": "android-app://com.linkedin.android/"}, true},
		"nothing":                         {"https://www.example.com/", nil, false},
		"an unknown parameter":            {"https://www.example.com/?page=2", nil, false},
		"an empty parameter":              {"https://www.example.com/?utm_source=", nil, false},
		"a parameter of spaces":           {"https://www.example.com/?utm_source=%20", nil, false},
		"a click's id that is not one":    {"https://www.example.com/?gclid=%3Cscript%3E", nil, false},
		"the site itself":                 {"https://www.example.com/", map[string]string{"Referer": "https://www.example.com/a"}, false},
		"its apex":                        {"https://www.example.com/", map[string]string{"Referer": "https://example.com/"}, false},
		"another subdomain":               {"https://www.example.com/", map[string]string{"Referer": "https://blog.example.com/"}, false},
		"the site, behind a proxy":        {"http://backend:8080/", map[string]string{"Referer": "https://www.example.com/a", "Sec-Fetch-Site": "same-origin"}, false},
		"its page, behind a proxy":        {"http://backend:8080/", map[string]string{"Referer": "https://www.example.com/?gclid=1", "Sec-Fetch-Site": "same-origin"}, true},
		"another site, behind a proxy":    {"http://backend:8080/", map[string]string{"Referer": "https://a.example/", "Sec-Fetch-Site": "cross-site"}, true},
		"another port":                    {"http://localhost:8080/", map[string]string{"Referer": "http://localhost:3000/"}, false},
		"another user of a shared suffix": {"https://a.github.io/", map[string]string{"Referer": "https://b.github.io/"}, true},
		"another address":                 {"http://192.0.2.1/", map[string]string{"Referer": "http://198.51.2.1/"}, true},
		"an ignored referrer":             {"https://www.example.com/", map[string]string{"Referer": "https://api.pay.example/done"}, false},
		"a referrer that is not a page":   {"https://www.example.com/", map[string]string{"Referer": "data:text/html,x"}, false},
		"a referrer with odd characters":  {"https://www.example.com/", map[string]string{"Referer": "https://a<b>.example/"}, false},
		"an image":                        {tagged, map[string]string{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, false},
		"a frame":                         {tagged, map[string]string{"Sec-Fetch-Dest": "iframe"}, false},
		"a script's request":              {tagged, map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, false},
		"an old script's request":         {tagged, map[string]string{"Sec-Fetch-Mode": "", "Sec-Fetch-Dest": "", "Accept": "application/json"}, false},
		"a prefetch":                      {tagged, map[string]string{"Sec-Purpose": "prefetch"}, false},
		"a prerendering":                  {tagged, map[string]string{"Sec-Purpose": "prefetch;prerender"}, false},
		"an old prefetch":                 {tagged, map[string]string{"Purpose": "prefetch"}, false},
		"a crawler":                       {tagged, map[string]string{"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}, false},
		"a crawler of a phone":            {tagged, map[string]string{"User-Agent": "Mozilla/5.0 (Linux; Android 6) Mobile (compatible; bingbot/2.0)"}, false},
		"a link's preview":                {tagged, map[string]string{"User-Agent": "facebookexternalhit/1.1"}, false},
		"a program":                       {tagged, map[string]string{"User-Agent": "curl/8.5"}, false},
		"no user agent":                   {tagged, map[string]string{"User-Agent": ""}, false},
		"Global Privacy Control":          {tagged, map[string]string{"Sec-GPC": "1"}, false},
		"Do Not Track":                    {tagged, map[string]string{"DNT": "1"}, false},
		"no wish about tracking":          {tagged, map[string]string{"DNT": "0"}, true},
	} {
		b := newBrowser(func(t *Tracker) { t.IgnoreReferrers = []string{"pay.example"} })
		if got := b.get(test.address, test.headers); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
	b := newBrowser(nil)
	for _, method := range []string{http.MethodHead, http.MethodPost, http.MethodOptions} {
		if r := b.request(method, tagged, nil); b.MayTouch(r.Request, r.URL.RawQuery) {
			t.Errorf("%s is a touch", method)
		}
	}
}

// A reload is not another touch. A visit ends after half an hour.
func TestVisits(t *testing.T) {
	b := newBrowser(nil)
	const ad, post = "https://www.example.com/?utm_source=ad", "https://www.example.com/?utm_source=post"
	for i, step := range []struct {
		after   time.Duration
		address string
		sets    bool
		visits  string
		last    string
	}{
		{0, ad, true, "1", "ad"},
		{time.Minute, ad, false, "1", "ad"},
		{time.Minute, post, true, "1", "post"},
		{sameVisit, post, true, "2", "post"},
		{24 * time.Hour, ad, true, "3", "ad"},
	} {
		b.now = b.now.Add(step.after)
		if got := b.get(step.address, nil); got != step.sets {
			t.Errorf("step %d: sets the cookie: %v", i, got)
		}
		r := b.post("https://www.example.com/")
		if value(r, "telecrm.visits") != step.visits || value(r, "telecrm.last.utm_source") != step.last || value(r, "telecrm.first.utm_source") != "ad" {
			t.Errorf("step %d: got %+v", i, r)
		}
	}
}

func TestWhichTouches(t *testing.T) {
	for keep, want := range map[Which][2]string{FirstTouch: {"a", ""}, LastTouch: {"", "b"}, BothTouch: {"a", "b"}} {
		b := newBrowser(func(t *Tracker) { t.Keep = keep })
		b.get("https://www.example.com/?utm_source=a", nil)
		b.get("https://www.example.com/?utm_source=b", nil)
		r := b.post("https://www.example.com/")
		if got := [2]string{value(r, "telecrm.first.utm_source"), value(r, "telecrm.last.utm_source")}; got != want {
			t.Errorf("%s: got %q", keep, got)
		}
	}
}

// Nothing is kept without consent. Once it is given, the page that the visitor still comes from
// counts. When it is withdrawn, the cookie is removed.
func TestConsent(t *testing.T) {
	b := newBrowser(func(t *Tracker) { t.Consent = &Consent{Cookie: "agreed", Value: "*marketing:true*"} })
	const landing = "https://www.example.com/?utm_source=ad"
	for _, choice := range []string{"", "agreed=marketing:false", "agreed=", "other=marketing:true"} {
		b.headers = map[string]string{"Cookie": choice}
		if b.get(landing, nil) {
			t.Fatalf("%q: kept without consent", choice)
		}
	}
	if r := b.post(landing); value(r, "telecrm.first.utm_source") != "ad" {
		t.Errorf("without consent the page of the form does not count: %+v", r)
	}
	if r := b.post("https://www.example.com/contact"); value(r, "telecrm.first.channel") != "" {
		t.Errorf("without consent and parameters: got %+v", r)
	}
	b.headers = map[string]string{"Cookie": "agreed=%7Bmarketing%3Atrue%7D"}
	if !b.get("https://www.example.com/b", map[string]string{"Referer": landing}) {
		t.Error("the page before does not count once consent is given")
	}
	if r := b.post("https://www.example.com/contact"); value(r, "telecrm.last.utm_source") != "ad" || value(r, "telecrm.last.landing") != "/" {
		t.Errorf("with consent: got %+v", r)
	}
	b.headers = map[string]string{"Cookie": "agreed=no"}
	if r := b.post("https://www.example.com/contact"); value(r, "telecrm.last.utm_source") != "" {
		t.Errorf("the cookie counts after consent was withdrawn: %+v", r)
	}
	if !b.get("https://www.example.com/c", nil) || b.cookie != DefaultCookie+"=" {
		t.Errorf("the cookie is not removed: %q", b.cookie)
	}
}

func TestConsentCookie(t *testing.T) {
	for _, test := range []struct {
		pattern, sent string
		want          bool
	}{
		{"", "c=yes", true},
		{"", "c=2026-01-01", true},
		{"", `c="yes"`, true},
		{"", "c=No", false},
		{"", "c=denied", false},
		{"", "c=", false},
		{"", "c", false},
		{"", "cc=yes", false},
		{"", "x=c=yes", false},
		{"allow", "c=allow", true},
		{"allow", "c=allowed", false},
		{"allow", "a=1;c=allow;b=2", true},
		{"*,analytics:yes*", "c=consent:yes,analytics:yes,ads:no", true},
		{"*,analytics:yes*", "c=consent:yes,analytics:no", false},
		{`*"ads":true*`, "c=%7B%22ads%22%3Atrue%7D", true},
		{"a*c", "c=abc", true},
		{"a*a", "c=a", false},
		{"*", "c=", true},
	} {
		c := &Consent{Cookie: "c", Value: test.pattern}
		if got := c.IsGiven(http.Header{"Cookie": {test.sent}}); got != test.want {
			t.Errorf("%q in %q: got %v", test.pattern, test.sent, got)
		}
	}
}

// Without a cookie, the URL of the post and that of the page with the form count, unless they must
// not.
func TestWithoutCookie(t *testing.T) {
	for _, test := range []struct {
		post, referer          string
		source, landing, where string
	}{
		{"https://www.example.com/enquire", "https://www.example.com/offer?utm_source=a", "a", "/offer", ""},
		{"https://www.example.com/enquire?utm_source=b", "https://www.example.com/offer?utm_source=a", "b", "/offer", ""},
		{"https://www.example.com/enquire", "https://partner.example/page?utm_source=a", "", "", "https://partner.example/page"},
		{"https://www.example.com/enquire", "", "", "", ""},
		{"https://www.example.com/enquire", "https://www.example.com/offer", "", "", ""},
	} {
		for _, ignore := range []bool{false, true} {
			b := newBrowser(func(t *Tracker) { t.IgnoreURL = ignore })
			r := b.Known(b.request(http.MethodPost, test.post, map[string]string{"Referer": test.referer}))
			want := [3]string{test.source, test.landing, test.where}
			if ignore {
				want = [3]string{}
			}
			got := [3]string{value(r, "telecrm.last.utm_source"), value(r, "telecrm.last.landing"), value(r, "telecrm.last.referrer")}
			if got != want {
				t.Errorf("%+v, ignored %v: got %q", test, ignore, got)
			}
		}
	}
}

// The page with the form may be another one than the Referer's, after a correction.
func TestFormPage(t *testing.T) {
	b := newBrowser(nil)
	r := b.request(http.MethodPost, "https://www.example.com/enquire", map[string]string{"Referer": "https://www.example.com/enquire"})
	for page, want := range map[string][2]string{"/offer?utm_source=a": {"a", "/offer"}, "offer?utm_source=a": {"a", "/offer"}, "/offer": {"", ""}} {
		var err error
		if r.FormPage, err = url.Parse(page); err != nil {
			t.Fatal(err)
		}
		known := b.Known(r)
		if got := [2]string{value(known, "telecrm.last.utm_source"), value(known, "telecrm.last.landing")}; got != want {
			t.Errorf("%s: got %q, want %q", page, got, want)
		}
	}
}

// Values are bounded and in one visible line, whatever a link contains.
func TestValuesAreClean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		query := url.Values{
			"utm_source": {rapid.String().Draw(t, "source")},
			"gclid":      {rapid.String().Draw(t, "id")},
			"utm_" + rapid.StringN(0, 60, 200).Draw(t, "name"): {rapid.StringN(0, 500, 4000).Draw(t, "long")},
		}.Encode()
		referer := "https://a.example/" + rapid.String().Draw(t, "path")
		b := newBrowser(nil)
		r := b.request(http.MethodGet, "https://www.example.com/"+url.PathEscape(rapid.String().Draw(t, "landing"))+"?"+query, map[string]string{"Referer": referer})
		visit := b.Touch(r)
		if len(visit.SetCookie) > MaxCookie || strings.ContainsAny(visit.SetCookie, "\r\n\x00") {
			t.Fatalf("got the cookie %q", visit.SetCookie)
		}
		touch := visit.Record.First
		texts := []string{touch.Landing, touch.Referrer}
		for _, p := range touch.Params {
			texts = append(texts, p.Value)
			if len(p.Name) > maxName {
				t.Fatalf("got the name %q", p.Name)
			}
		}
		for _, text := range texts {
			if len(text) > maxClickID || !utf8.ValidString(text) || text != clean(text, maxClickID) {
				t.Fatalf("got the value %q", text)
			}
		}
	})
}

// The quick look at a navigation never misses a touch, or a cookie to be removed.
func TestQuickLook(t *testing.T) {
	oneOf := func(t *rapid.T, name string, list ...string) string { return rapid.SampledFrom(list).Draw(t, name) }
	rapid.Check(t, func(t *rapid.T) {
		b := newBrowser(func(tracker *Tracker) {
			tracker.IgnoreURL = rapid.Bool().Draw(t, "url off")
			if rapid.Bool().Draw(t, "consent") {
				tracker.Consent = &Consent{Cookie: "agreed"}
			}
		})
		if rapid.Bool().Draw(t, "known") {
			b.headers = map[string]string{"Cookie": "agreed=yes"}
			b.get("https://www.example.com/?utm_source=before", nil)
		}
		host := oneOf(t, "host", "www.example.com", "EXAMPLE.com", "example.com:8443")
		query := oneOf(t, "query", "", "?a=b", "?utm_source=x", "?x&utm_source=&gclid=1&", "?UTM_SOURCE=x", "?utm_source", "?&&=&utm_=1", "?utm_a%5Bb=1")
		r := b.request(http.MethodGet, "https://"+host+"/"+query, map[string]string{
			"Referer": oneOf(t, "referer", "", "https://www.example.com/", "https://www.example.com/a?utm_source=y", "https://WWW.EXAMPLE.COM/?gclid=2", "https://example.com/?x=1",
				"https://www.example.com.evil.example/", "https://a.example/?utm_source=z", "https://www.example.com", "https://www.example.com?utm_source=q", "nonsense"),
			"Sec-GPC": oneOf(t, "privacy", "", "1"),
			"Cookie":  oneOf(t, "choice", "", "agreed=yes", "agreed=no"),
		})
		if visit := b.Touch(r); visit.SetCookie != "" && !b.MayTouch(r.Request, r.URL.RawQuery) {
			t.Fatalf("missed: %v", r.Request)
		}
	})
}

func BenchmarkMayTouch(b *testing.B) {
	browser := newBrowser(func(t *Tracker) { t.Consent = &Consent{Cookie: "agreed", Value: "yes"} })
	r := browser.request(http.MethodGet, "https://www.example.com/page?page=2&sort=price", map[string]string{"Referer": "https://www.example.com/list?page=1"})
	for name, cookies := range map[string]string{"new": "session=0123456789abcdef", "known": "session=0123456789abcdef; agreed=yes; telecrm_attribution=1.x.y"} {
		b.Run(name, func(b *testing.B) {
			r.Header.Set("Cookie", cookies)
			b.ReportAllocs()
			for b.Loop() {
				if browser.MayTouch(r.Request, r.URL.RawQuery) {
					b.Fatal("it is a touch")
				}
			}
		})
	}
}
