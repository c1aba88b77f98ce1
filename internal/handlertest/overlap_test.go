package handlertest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// A form that never gets a post, and one that gets all of its site, are named when the config
// starts.
func TestFormsThatOverlap(t *testing.T) {
	for name, test := range map[string]struct {
		blocks string
		want   []string // "form", or "form after another"
	}{
		"one form":                  {":80 {\n<one /contact>\n}", nil},
		"two paths":                 {":80 {\n<one /contact>\n<two /callback>\n}", nil},
		"the same path":             {":80 {\n<one /contact>\n<two /contact>\n}", []string{"two after one"}},
		"the same path, other case": {":80 {\n<one /contact>\n<two /Contact>\n}", []string{"two after one"}},
		"wider first":               {":80 {\n<one /forms/*>\n<two /forms/contact>\n}", []string{"two after one"}},
		"wider and wider":           {":80 {\n<one /f*>\n<two /forms/*>\n<three /forms/a/*>\n}", []string{"three after one", "two after one"}},
		"narrower first":            {":80 {\n<one /forms/contact>\n<two /forms/*>\n}", nil},
		"some paths of several":     {":80 {\n@one path /a /b\n<one @one>\n@two path /b /c\n<two @two>\n}", nil},
		"paths of several":          {":80 {\n@one path /a /b /c\n<one @one>\n@two path /b /c\n<two @two>\n}", []string{"two after one"}},
		"method":                    {":80 {\n@one {\nmethod POST\npath /contact\n}\n<one @one>\n<two /contact>\n}", []string{"two after one"}},
		"another condition":         {":80 {\n@one {\nheader X-Form one\npath /contact\n}\n<one @one>\n<two /contact>\n}", nil},
		"condition of the second":   {":80 {\n<one /contact>\n@two {\nheader X-Form two\npath /contact\n}\n<two @two>\n}", []string{"two after one"}},
		"two conditions":            {":80 {\n@one query form=one\n<one @one>\n@two query form=two\n<two @two>\n}", nil},
		"the same condition":        {":80 {\n@one query form=one\n<one @one>\n@two query form=one\n<two @two>\n}", []string{"two after one"}},
		"no matcher":                {":80 {\n<one>\n}", []string{"one"}},
		"star":                      {":80 {\n<one *>\n}", []string{"one"}},
		"only the method":           {":80 {\n@one method POST\n<one @one>\n}", []string{"one"}},
		"no matcher and a second":   {":80 {\n<one>\n<two /contact>\n}", []string{"one", "two after one"}},
		"no matcher last":           {":80 {\n<one /contact>\n<two>\n}", []string{"two"}},
		"no matcher of a host":      {"http://example.com {\n<one>\n}\nhttp://example.org {\n<two /contact>\n}", []string{"one"}},
		"no matcher in a handle":    {":80 {\nhandle /contact {\n<one>\n}\n}", nil},
		"in the only handle":        {":80 {\nhandle {\n<one>\n}\n}", []string{"one"}},
		"in the last handle":        {":80 {\nhandle /a {\nrespond a\n}\nhandle {\n<one>\n}\n}", nil},
		"in two handles":            {":80 {\nhandle /a {\n<one /contact>\n}\nhandle /b {\n<two /contact>\n}\n}", nil},
		"no matcher in two handles": {":80 {\nhandle /a {\n<one>\n}\nhandle /b {\n<two>\n}\n}", nil},
		"twice in a handle":         {":80 {\nhandle /a/* {\n<one /a/contact>\n<two /a/contact>\n}\n}", []string{"two after one"}},
		"before a handle":           {":80 {\n<one /contact>\nhandle /contact {\n<two /contact>\n}\n}", []string{"two after one"}},
		"before a handle_path":      {":80 {\n<one /contact>\nhandle_path /in/* {\n<two /contact>\n}\n}", nil},
		"two handle_paths":          {":80 {\nhandle_path /a/* {\n<one /contact>\n}\nhandle_path /b/* {\n<two /contact>\n}\n}", nil},
		"in a route":                {":80 {\nroute {\n<one /contact>\nrewrite /old /contact\n<two /contact>\n}\n}", nil},
		"in a route, no rewrite":    {":80 {\nroute {\n<one /contact>\n<two /contact>\n}\n}", []string{"two after one"}},
		"in a route with a matcher": {":80 {\nroute /a {\n<one>\n}\nroute {\n<two /contact>\n}\n}", nil},
		"two hosts":                 {"http://example.com {\n<one /contact>\n}\nhttp://example.org {\n<two /contact>\n}", nil},
		"a host of its own":         {"http://example.com {\n<one /contact>\n}\n:80 {\n<two /contact>\n}", nil},
		"named route, one way":      {"&(form) {\n<one /contact>\n}\n:80 {\ninvoke form\n<two /contact>\n}", []string{"one after two"}},
		"named route, two ways":     {"&(form) {\n<one /contact>\n}\nhttp://example.com {\n<two /contact>\ninvoke form\n}\nhttp://example.org {\ninvoke form\n}", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var blocks strings.Builder
			for i, part := range strings.Split(test.blocks, "<") {
				form, rest, isForm := strings.Cut(part, ">")
				if i == 0 || !isForm {
					blocks.WriteString(part)
					continue
				}
				form, matcher, _ := strings.Cut(form, " ")
				fmt.Fprintf(&blocks, "telecrm %s {\nform %s\nfield phone\naction 1042\nthank_you /thanks\n}%s", matcher, form, rest)
			}
			s := newSite(t, newCRM(t), blocks.String())
			var got []string
			for _, entry := range s.app.All() {
				fields := entry.ContextMap()
				switch {
				case strings.Contains(entry.Message, "never gets a post"):
					got = append(got, fmt.Sprintf("%v after %v", fields["form"], fields["before"]))
				case strings.Contains(entry.Message, "takes every POST"):
					got = append(got, fmt.Sprint(fields["form"]))
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, test.want) {
				t.Errorf("warnings %q, want %q", got, test.want)
			}
		})
	}
}

// Forms of one name and other matchers each have their own rate limit.
func TestFormsOfOneNameAreLimitedAlone(t *testing.T) {
	r := newRig(newCRM(t).url, "form contact\nfield phone\nrate_limit 1 1m\nthank_you /thanks")
	r.paths = []string{"/enquire"}
	first := r.handler(t)
	r.paths = []string{"/enquire", "/callback"}
	second, err := r.provisionIn(t, r.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.app.Start(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		h     testHandler
		phone string
		want  int
	}{
		{first, "08123456789", http.StatusSeeOther},
		{second, "08123456780", http.StatusSeeOther},
		{first, "08123456781", http.StatusTooManyRequests},
		{second, "08123456782", http.StatusTooManyRequests},
	} {
		if w := test.h.serveFrom(t, "192.0.2.7", postForm(url.Values{"phone": {test.phone}})); w.Code != test.want {
			t.Errorf("%s: status %d, want %d", test.phone, w.Code, test.want)
		}
	}
}
