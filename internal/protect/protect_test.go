package protect

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/route"
	"github.com/leadwire/caddy-telecrm/internal/signing"
	"github.com/leadwire/caddy-telecrm/page"
)

// put is what a protected form gets.
var put = regexp.MustCompile(`<div hidden aria-hidden="true"[^>]*><label lang="en">Leave this empty <input type="text" name="([a-z]+_2)" value="" tabindex="-1" autocomplete="off"[^>]*></label></div><input type="hidden" name="_stamp" value="([\w.-]+)">`)

// protected is a Protector, and the matcher of the form's handler.
type protected struct {
	*Protector

	form    string
	matcher *route.Matcher
}

// newProtected returns a Protector of a form that posts to the paths; without one, anywhere.
func newProtected(t testing.TB, form string, paths ...string) protected {
	t.Helper()
	p := protected{form: form, matcher: new(route.Matcher)}
	for _, path := range paths {
		p.matcher.Sets = append(p.matcher.Sets, caddyhttp.MatcherSet{caddyhttp.MatchPath{path}})
	}
	var err error
	p.Protector, err = New(config(form, p.matcher))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func config(form string, matcher *route.Matcher, inputs ...string) Config {
	return Config{
		Form: form, Keys: signing.Key([]byte("a key")), Catalog: page.Shipped(), Now: time.Now,
		Takes:       func(r *http.Request, f page.PostForm) bool { return matcher.WouldTake(r, f) },
		IsInput:     func(name string) bool { return slices.Contains(inputs, name) },
		NoteRebuilt: func(string) {},
	}
}

// ServeHTTP serves as a handler whose form is not posted to.
func (p protected) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return p.Serve(w, r, next)
}

// get asks for a page that next serves.
func (p protected) get(r *http.Request, next caddyhttp.HandlerFunc) (*httptest.ResponseRecorder, error) {
	w := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
	return w, p.Serve(w, r, next)
}

func getRequest(target string, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// writing is a handler that answers with the header and the pieces.
func writing(header http.Header, pieces ...string) caddyhttp.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) error {
		maps.Copy(w.Header(), header)
		for _, piece := range pieces {
			if _, err := io.WriteString(w, piece); err != nil {
				return err
			}
		}
		return nil
	}
}

var asHTML = http.Header{"Content-Type": {"text/html; charset=utf-8"}, "Etag": {`"abc"`}, "Accept-Ranges": {"bytes"}, "Last-Modified": {"Sun, 01 Mar 2026 09:30:00 GMT"}, "Cache-Control": {"max-age=60"}}

func TestProtectedForms(t *testing.T) {
	h := newProtected(t, "", "/enquire", "/kontakt", "/inner")
	for _, test := range []struct {
		at, source string
		want       bool
	}{
		{"/", `<form method=post action=/enquire>`, true},
		{"/", `<form method=post action=enquire?x=1#y>`, true},
		{"/a/b", `<form method=post action=../enquire>`, true},
		{"/a/b", `<form method=post action=enquire>`, false},
		{"/a/b", `<base href=/><form method=post action=enquire>`, true},
		{"/", `<base href=/x/><form method=post action=enquire>`, false},
		{"/", `<form method=post action=http://www.example.com/enquire>`, true},
		{"/", `<form method=post action=HTTPS://WWW.example.com:443/enquire>`, true},
		{"/", `<form method=post action=//www.example.com/enquire>`, true},
		{"/", `<form method=post action=//example.com/enquire>`, false},
		{"/", `<form method=post action=https://example.com/enquire>`, false},
		{"/", `<base href=https://example.com/><form method=post action=/enquire>`, false},
		{"/", `<form method=post action="javascript:send()">`, false},
		{"/", `<form method=post action="mailto:a@example.com">`, false},
		{"/", `<form method=post action="/%zz">`, false},
		{"/", `<form method=post action="/k%6fntakt">`, true},
		{"/", `<form method=get action=/enquire>`, false},
		{"/", `<form method=post action=/other>`, false},
		{"/enquire", `<form method=post>`, true},
		{"/enquire?x=1", `<base href=/other><form method=post action="">`, true},
		{"/other", `<form method=post>`, false},
	} {
		t.Run(test.at+" "+test.source, func(t *testing.T) {
			w, err := h.get(getRequest("http://www.example.com"+test.at), writing(asHTML, test.source))
			if err != nil {
				t.Fatal(err)
			}
			page := w.Body.String()
			if got := put.MatchString(page); got != test.want || put.ReplaceAllString(page, "") != test.source {
				t.Errorf("protected is %v, want %v:\n%s", got, test.want, page)
			}
		})
	}
}

// To find out whether a form posts here, matchers are asked; what they note down must not show in
// the page's own request.
func TestProtectedFormsLeaveNoTrace(t *testing.T) {
	h := newProtected(t, "")
	re := caddyhttp.MatchPathRE{MatchRegexp: caddyhttp.MatchRegexp{Pattern: "^/(enquire)", Name: "trace"}}
	if err := re.Provision(caddy.Context{Context: context.Background()}); err != nil {
		t.Fatal(err)
	}
	h.matcher.Sets = caddyhttp.MatcherSets{{re, caddyhttp.VarsMatcher{"kind": {"site"}}}}
	w := httptest.NewRecorder()
	repl := caddy.NewReplacer()
	r := caddyhttp.PrepareRequest(getRequest("http://example.com/"), repl, w, nil)
	caddyhttp.SetVar(r.Context(), "kind", "site")
	if err := h.ServeHTTP(w, r, writing(asHTML, `<form method=post action="/enquire">`)); err != nil {
		t.Fatal(err)
	}
	if _, noted := repl.Get("http.regexp.trace.1"); noted || !put.MatchString(w.Body.String()) {
		t.Errorf("noted is %v, in\n%s", noted, w.Body)
	}
}

func TestServedPageHeaders(t *testing.T) {
	const (
		ours   = `<form method=post action=/enquire>`
		others = `<form method=post action=/other>`
	)
	h := newProtected(t, "", "/enquire")
	large := strings.Repeat("words ", maxBuffered/5)
	with := func(changes ...string) http.Header {
		header := asHTML.Clone()
		for i := 0; i < len(changes); i += 2 {
			if changes[i+1] == "" {
				header.Del(changes[i])
				continue
			}
			header.Set(changes[i], changes[i+1])
		}
		return header
	}
	for _, test := range []struct {
		name      string
		header    http.Header
		pieces    []string
		protected bool
		want      map[string]string // changes to the header
	}{
		{"small", with(), []string{"<p>", ours}, true, map[string]string{"Etag": `W/"abc"`, "Accept-Ranges": "", "Content-Length": "exact"}},
		{"with a length", with("Content-Length", strconv.Itoa(len(ours))), []string{ours}, true, map[string]string{"Etag": `W/"abc"`, "Accept-Ranges": "", "Content-Length": "exact"}},
		{"large", with("Content-Length", strconv.Itoa(len(large+ours))), []string{large, ours}, true, map[string]string{"Etag": `W/"abc"`, "Accept-Ranges": "", "Content-Length": ""}},
		{"without our form", with("Content-Length", strconv.Itoa(len(others)), "Repr-Digest", "x"), []string{others}, false, map[string]string{"Etag": `W/"abc"`, "Accept-Ranges": ""}},
		{"with a digest", with("Repr-Digest", "x", "Content-Digest", "x"), []string{ours}, true, map[string]string{"Etag": `W/"abc"`, "Accept-Ranges": "", "Content-Length": "exact", "Repr-Digest": "", "Content-Digest": ""}},
		{"with a weak tag", with("Etag", `W/"abc"`), []string{ours}, true, map[string]string{"Accept-Ranges": "", "Content-Length": "exact"}},
		{"not changed for the operator", with("Cache-Control", "public, No-Transform"), []string{ours}, false, nil},
		{"compressed", with("Content-Encoding", "gzip"), []string{ours}, false, nil},
		{"identity", with("Content-Encoding", "identity"), []string{ours}, true, map[string]string{"Etag": `W/"abc"`, "Accept-Ranges": "", "Content-Length": "exact"}},
		{"a download", with("Content-Disposition", "attachment"), []string{ours}, false, nil},
		{"XHTML", with("Content-Type", "application/xhtml+xml"), []string{ours}, false, nil},
		{"no type", with("Content-Type", ""), []string{ours}, false, nil},
		{"UTF-16", with("Content-Type", "text/html; charset=utf-16"), []string{ours}, false, map[string]string{"Etag": `W/"abc"`, "Accept-Ranges": "", "Content-Length": "exact"}},
		{"empty", with(), nil, false, map[string]string{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, err := h.get(getRequest("http://example.com/"), writing(test.header, test.pieces...))
			if err != nil {
				t.Fatal(err)
			}
			got := w.Body.String()
			if put.MatchString(got) != test.protected || put.ReplaceAllString(got, "") != strings.Join(test.pieces, "") {
				t.Errorf("not what it should be:\n%.2000s", got)
			}
			want := test.header.Clone()
			for name, value := range test.want {
				want.Del(name)
				if value == "exact" {
					value = strconv.Itoa(len(got))
				}
				if value != "" {
					want.Set(name, value)
				}
			}
			gotHeader := w.Result().Header
			if test.header.Get("Content-Type") == "" {
				delete(gotHeader, "Content-Type") // the recorder guesses it
			}
			if diff := cmp.Diff(want, gotHeader); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
		})
	}
}

// What comes out does not depend on how it was written, but for the length.
func TestServedPageInPieces(t *testing.T) {
	h := newProtected(t, "", "/enquire")
	for _, size := range []int{100, maxBuffered - 10, maxBuffered + 10, 5 * maxBuffered} {
		const form = `<form method=post action=/enquire></form>`
		source := strings.Repeat(strings.Repeat("words ", 500)+form, size/3000+1)
		for name, next := range map[string]caddyhttp.HandlerFunc{
			"whole": writing(asHTML, source),
			"bytes": writing(asHTML, strings.Split(source, "")...),
			"read": func(w http.ResponseWriter, _ *http.Request) error {
				w.Header()["Content-Type"] = asHTML["Content-Type"]
				_, err := io.Copy(w, struct{ io.Reader }{iotest.HalfReader(strings.NewReader(source))})
				return err
			},
			"flushed": func(w http.ResponseWriter, _ *http.Request) error {
				w.Header()["Content-Type"] = asHTML["Content-Type"]
				for piece := range slices.Chunk([]byte(source), 1000) {
					w.Write(piece)
					if err := http.NewResponseController(w).Flush(); err != nil { //nolint:bodyclose // there is none
						return err
					}
				}
				return nil
			},
		} {
			w, err := h.get(getRequest("http://example.com/"), next)
			if err != nil {
				t.Fatal(err)
			}
			got := w.Body.String()
			if count := len(put.FindAllString(got, -1)); count != strings.Count(source, form) || put.ReplaceAllString(got, "") != source {
				t.Errorf("%s of %d: %d forms are protected, or the page has changed", name, len(source), count)
			}
			if length := w.Result().Header.Get("Content-Length"); length != "" && length != strconv.Itoa(len(got)) {
				t.Errorf("%s of %d: Content-Length is %s, for %d", name, len(source), length, len(got))
			}
			if name == "flushed" && !w.Flushed {
				t.Error("nothing was flushed")
			}
		}
	}
}

// A page is sent in pieces if its handler flushes.
func TestServedPageIsFlushed(t *testing.T) {
	h := newProtected(t, "", "/enquire")
	var early string
	w := httptest.NewRecorder()
	r := caddyhttp.PrepareRequest(getRequest("http://example.com/"), caddy.NewReplacer(), w, nil)
	err := h.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(p http.ResponseWriter, r *http.Request) error {
		p.Header().Set("Content-Type", "text/html")
		io.WriteString(p, "<form method=post action=/enq")
		http.NewResponseController(p).Flush() //nolint:bodyclose // there is none
		early = w.Body.String()
		io.WriteString(p, "uire>")
		return nil
	}))
	if err != nil || early != "<form method=post action=/enq" || !put.MatchString(w.Body.String()) {
		t.Errorf("error %v, early %q, and at last\n%s", err, early, w.Body)
	}
}

func TestServedPageOfNoPage(t *testing.T) {
	const ours = `<form method=post action=/enquire>`
	h := newProtected(t, "", "/enquire")
	for name, r := range map[string]*http.Request{
		"an image's request":  getRequest("http://example.com/", "Sec-Fetch-Dest", "image"),
		"one for JSON":        getRequest("http://example.com/", "Accept", "application/json"),
		"a file of styles":    getRequest("http://example.com/a.css", "Accept", "*/*"),
		"a picture, opened":   getRequest("http://example.com/a.jpg", "Accept", "text/html,*/*"),
		"OPTIONS":             httptest.NewRequest(http.MethodOptions, "http://example.com/", nil),
		"a post to elsewhere": httptest.NewRequest(http.MethodPost, "http://example.com/", nil),
	} {
		t.Run(name, func(t *testing.T) {
			r.Header.Set("Accept-Encoding", "br")
			r.Header.Set("Range", "bytes=0-1")
			w, err := h.get(r, func(w http.ResponseWriter, r *http.Request) error {
				if r.Header.Get("Accept-Encoding") != "br" || r.Header.Get("Range") == "" {
					t.Errorf("the request has changed: %v", r.Header)
				}
				return writing(asHTML, ours)(w, r)
			})
			if err != nil || w.Body.String() != ours || w.Header().Get("ETag") != `"abc"` {
				t.Errorf("error %v, header %v, body %s", err, w.Header(), w.Body)
			}
		})
	}
	t.Run("other statuses", func(t *testing.T) {
		for _, status := range []int{http.StatusPartialContent, http.StatusFound, http.StatusNotFound} {
			w, err := h.get(getRequest("http://example.com/"), func(w http.ResponseWriter, r *http.Request) error {
				w.WriteHeader(status)
				return writing(asHTML, ours)(w, r)
			})
			if err != nil || w.Code != status || w.Body.String() != ours {
				t.Errorf("error %v, status %d, body %s", err, w.Code, w.Body)
			}
		}
	})
	t.Run("without protect", func(t *testing.T) {
		var plain protected // of a nil Protector
		if w, err := plain.get(getRequest("http://example.com/"), writing(asHTML, ours)); err != nil || w.Body.String() != ours {
			t.Errorf("error %v, body %s", err, w.Body)
		}
	})
}

// What the site is asked for a page.
func TestServedPageRequest(t *testing.T) {
	h := newProtected(t, "", "/enquire")
	all := map[string]string{
		"Accept-Encoding": "gzip", "Range": "bytes=0-1", "If-Range": `"abc"`, "If-None-Match": `"abc"`, "If-Modified-Since": "Sun, 01 Mar 2026 09:30:00 GMT",
	}
	for _, test := range []struct {
		name   string
		header []string
		gone   []string
	}{
		{"a browser", []string{"Accept", "text/html,*/*;q=0.8", "Sec-Fetch-Mode", "navigate"}, []string{"Accept-Encoding", "Range", "If-Range", "If-None-Match", "If-Modified-Since"}},
		{"a browser that knows the page", []string{"Accept", "text/html,*/*;q=0.8", "Sec-Fetch-Mode", "navigate", "If-None-Match", `W/"abc"`}, []string{"Accept-Encoding", "Range", "If-Range"}},
		{"an old browser", []string{"Accept", "text/html"}, []string{"Accept-Encoding", "Range", "If-Range"}},
		{"a browser that looks ahead", []string{"Accept", "*/*", "Sec-Purpose", "prefetch;anonymous-client-ip"}, []string{"Accept-Encoding", "Range", "If-Range"}},
		{"any client", nil, nil},
		{"a download", []string{"Accept", "*/*"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := getRequest("http://example.com/")
			for name, value := range all {
				r.Header.Set(name, value)
			}
			for i := 0; i < len(test.header); i += 2 {
				r.Header.Set(test.header[i], test.header[i+1])
			}
			want := r.Header.Clone()
			for _, name := range test.gone {
				want.Del(name)
			}
			_, err := h.get(r, func(_ http.ResponseWriter, r *http.Request) error {
				if diff := cmp.Diff(want, r.Header); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if r.Header.Get("Accept-Encoding") == "" {
				t.Error("the visitor's own request has changed")
			}
		})
	}
}

// A page that breaks off does not look whole, and an error before anything was sent leaves the
// answer to the site's error routes.
func TestServedPageThatBreaksOff(t *testing.T) {
	h := newProtected(t, "", "/enquire")
	const piece = `<form method=post action=/enquire>`
	promising := asHTML.Clone()
	promising.Set("Content-Length", strconv.Itoa(1<<20))

	w, err := h.get(getRequest("http://example.com/"), writing(promising, piece))
	if length, _ := strconv.Atoi(w.Header().Get("Content-Length")); err != nil || length != w.Body.Len()+1<<20-len(piece) {
		t.Errorf("error %v, length %d of a body of %d", err, length, w.Body.Len())
	}
	failed := errors.New("failed")
	w, err = h.get(getRequest("http://example.com/"), func(w http.ResponseWriter, r *http.Request) error {
		writing(promising, piece)(w, r)
		return failed
	})
	if !errors.Is(err, failed) || w.Body.Len() > 0 || w.Header().Get("Content-Length") != "" {
		t.Errorf("error %v, header %v, body %s", err, w.Header(), w.Body)
	}
	for name, next := range map[string]caddyhttp.HandlerFunc{
		"stream": writing(promising, strings.Repeat(piece, maxBuffered)[:2*maxBuffered]),
		"panic": func(w http.ResponseWriter, r *http.Request) error {
			writing(promising, piece)(w, r)
			panic(http.ErrAbortHandler)
		},
	} {
		func() {
			defer func() {
				if broken := recover(); broken != http.ErrAbortHandler { //nolint:errorlint // it is a panic's value
					t.Errorf("%s: no abort but %v", name, broken)
				}
			}()
			h.get(getRequest("http://example.com/"), next)
		}()
	}
}

// When the visitor leaves, the page's handler gets an error.
func TestServedPageWhoseVisitorLeaves(t *testing.T) {
	h := newProtected(t, "", "/enquire")
	gone := errors.New("gone")
	r := caddyhttp.PrepareRequest(getRequest("http://example.com/"), caddy.NewReplacer(), httptest.NewRecorder(), nil)
	err := h.ServeHTTP(leaver{httptest.NewRecorder(), gone}, r, writing(asHTML, strings.Repeat("x", 2*maxBuffered)))
	if !errors.Is(err, gone) {
		t.Errorf("error %v", err)
	}
}

type leaver struct {
	http.ResponseWriter
	err error
}

func (l leaver) Write([]byte) (int, error) { return 0, l.err }

// Each of several handlers protects its own forms, and of two that would take a post the first.
func TestServedPageOfSeveralHandlers(t *testing.T) {
	outer, inner := newProtected(t, "outer", "/a", "/both"), newProtected(t, "inner", "/b", "/both")
	w, err := outer.get(getRequest("http://example.com/"), func(w http.ResponseWriter, r *http.Request) error {
		return inner.ServeHTTP(w, r, writing(asHTML, `<form method=post action=/a></form><form method=post action=/b></form><form method=post action=/both></form><form method=post action=/c>`))
	})
	if err != nil {
		t.Fatal(err)
	}
	var of []string
	for _, match := range put.FindAllStringSubmatch(w.Body.String(), -1) {
		for _, h := range []protected{outer, inner} {
			if _, ok := h.stamps.Read(match[2], time.Now()); ok {
				of = append(of, h.form)
			}
		}
	}
	if want := []string{"outer", "inner", "outer"}; !slices.Equal(of, want) {
		t.Errorf("the forms are protected for %q, want %q", of, want)
	}
}

// The trap has a name that is neither on the page nor an input of the form.
func TestTrapNames(t *testing.T) {
	for _, test := range []struct{ input, source, want string }{
		{"", "", "subject_2"},
		{"subject_2", "", "topic_2"},
		{"", "<input name=subject_2>", "topic_2"},
		{"topic_2", "<input name=subject_2>", "reason_2"},
	} {
		p, err := New(config("form", new(route.Matcher), test.input))
		if err != nil {
			t.Fatal(err)
		}
		w, err := protected{Protector: p}.get(getRequest("http://example.com/"), writing(asHTML, `<form method=post>`+test.source))
		if err != nil {
			t.Fatal(err)
		}
		match := put.FindStringSubmatch(w.Body.String())
		if match == nil || match[1] != test.want {
			t.Errorf("with %q and %q: %q", test.input, test.source, match)
		}
	}
	if _, err := New(config("form", new(route.Matcher), "subject_2", "topic_2", "reason_2")); err == nil {
		t.Error("got no error without a free name")
	}
}

func TestTakeSeal(t *testing.T) {
	h := newProtected(t, "")
	genuine := h.stamps.Stamp(time.Now(), "topic_2")
	post := httptest.NewRequest(http.MethodPost, "/", nil)
	for _, test := range []struct {
		name    string
		entries []form.Entry
		want    guard.Seal
		left    []string
	}{
		{"all", []form.Entry{{Name: "topic_2"}, {Name: "_stamp", Value: genuine}, {Name: "phone", Value: "1"}}, guard.Seal{Stamps: []string{genuine}, TrapSent: true}, []string{"phone"}},
		{"filled in", []form.Entry{{Name: "topic_2", Value: "x"}, {Name: "_stamp", Value: genuine}}, guard.Seal{Stamps: []string{genuine}, TrapSent: true, TrapFilled: true}, nil},
		{"blank", []form.Entry{{Name: "topic_2", Value: " "}}, guard.Seal{TrapSent: true}, nil},
		{"another page's trap", []form.Entry{{Name: "subject_2", Value: "x"}, {Name: "_stamp", Value: genuine}}, guard.Seal{Stamps: []string{genuine}}, []string{"subject_2"}},
		{"any trap, without a stamp", []form.Entry{{Name: "reason_2", Value: "x"}}, guard.Seal{TrapSent: true, TrapFilled: true}, nil},
		{"nothing", []form.Entry{{Name: "phone"}}, guard.Seal{}, []string{"phone"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			posted := &form.Form{Entries: test.entries}
			test.want.Sender = guard.SenderOf(post)
			if diff := cmp.Diff(test.want, h.TakeSeal(post, posted)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			var left []string
			for _, entry := range posted.Entries {
				left = append(left, entry.Name)
			}
			if !slices.Equal(left, test.left) {
				t.Errorf("%q is left, want %q", left, test.left)
			}
		})
	}
	post.Header.Set("X-Requested-With", "XMLHttpRequest")
	if seal := h.TakeSeal(post, &form.Form{}); !seal.ByScript {
		t.Error("a script's post is not known as one")
	}
}

func BenchmarkServedPage(b *testing.B) {
	for name, size := range map[string]int{"30KB": 30 << 10, "1MB": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			h := newProtected(b, "", "/enquire")
			source := []byte(`<!DOCTYPE html><title>T</title><form method=post action=/enquire>` + strings.Repeat(`<p class="a">Words of a page, <a href="/more">more</a>.</p>`+"\n", size/60))
			r := caddyhttp.PrepareRequest(getRequest("http://example.com/", "Accept", "text/html"), caddy.NewReplacer(), httptest.NewRecorder(), nil)
			next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Content-Type", "text/html")
				for piece := range slices.Chunk(source, 32<<10) {
					w.Write(piece)
				}
				return nil
			})
			b.ReportAllocs()
			b.SetBytes(int64(len(source)))
			for b.Loop() {
				if err := h.ServeHTTP(&discard{header: make(http.Header)}, r, next); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// discard is a ResponseWriter that drops the answer.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
