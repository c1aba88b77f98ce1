// Package route says which requests a form's handler takes, whatever other handlers made of their
// URI.
package route

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/internal/hostname"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/page"
)

// Matcher matches requests by any of its sets. Without a set it matches every request.
type Matcher struct {
	Sets caddyhttp.MatcherSets
	Site *Site
}

// Matches reports whether the request matches as it is, as the visitor asked for it, or as earlier
// handlers rewrote it on the way.
func (m Matcher) Matches(r *http.Request) (bool, error) {
	if len(m.Sets) == 0 {
		return true, nil
	}
	matched, err := m.Sets.AnyMatchWithError(r)
	if matched || err != nil {
		return matched, err
	}
	original := httpx.OriginalURL(r)
	if original.Path == r.URL.Path {
		return false, nil
	}
	asked := r.WithContext(r.Context())
	asked.URL, asked.RequestURI = original, original.RequestURI()
	if matched, err = m.Sets.AnyMatchWithError(asked); matched || err != nil {
		return matched, err
	}
	for _, at := range m.Site.urlsOnWay(asked) {
		asked.URL, asked.RequestURI = at, at.RequestURI()
		if matched, err = m.Sets.AnyMatchWithError(asked); matched || err != nil {
			return matched, err
		}
	}
	return false, nil
}

// WouldTake reports whether a post of the form would match, where the form is on a page that
// answers r.
func (m Matcher) WouldTake(r *http.Request, f page.PostForm) bool {
	shown := httpx.OriginalURL(r) // as the visitor's browser has it
	target, ok := m.targetOf(r, f, &url.URL{Scheme: "http", Host: r.Host, Path: shown.Path, RawPath: shown.RawPath, RawQuery: shown.RawQuery})
	if !ok {
		return false
	}
	if len(m.Sets) == 0 || m.matchesPost(r, target) {
		return true
	}
	// Earlier handlers would rewrite the post, as they may have rewritten r.
	return slices.ContainsFunc(m.Site.urlsOnWay(postOf(r, target)), func(at *url.URL) bool {
		return m.matchesPost(r, &url.URL{Host: target.Host, Path: at.Path, RawPath: at.RawPath, RawQuery: at.RawQuery})
	})
}

// targetOf returns the address that the form on the page at posts to. It reports false if that is
// another site.
func (m Matcher) targetOf(r *http.Request, f page.PostForm, at *url.URL) (*url.URL, bool) {
	if f.Action == "" {
		return at, true
	}
	base, err := url.Parse(f.Base)
	if err != nil {
		return nil, false
	}
	action, err := url.Parse(f.Action)
	if err != nil {
		return nil, false
	}
	target := at.ResolveReference(base).ResolveReference(action)
	if target.Scheme != "http" && target.Scheme != "https" {
		return nil, false
	}
	name, port := hostname.Split(target.Host)
	ownName, ownPort := hostname.Split(at.Host)
	if port != ownPort || name != ownName && !m.Site.Has(r, name) {
		return nil, false
	}
	if target.Path == "" {
		target.Path = "/"
	}
	return target, true
}

// matchesPost reports whether a post to target matches, sent by the visitor who asked for r. It
// gives the matchers a request of their own to write variables to.
func (m Matcher) matchesPost(r *http.Request, target *url.URL) bool {
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	matched, err := m.Sets.AnyMatchWithError(prepared(postOf(r, target), caddy.NewReplacer(), server))
	return matched && err == nil
}

// postOf returns a post to target by the visitor who asked for r.
func postOf(r *http.Request, target *url.URL) *http.Request {
	post := r.WithContext(r.Context())
	post.Method = http.MethodPost
	if target.Host != "" {
		post.Host = target.Host
	}
	post.URL = &url.URL{Path: target.Path, RawPath: target.RawPath, RawQuery: target.RawQuery}
	post.RequestURI = post.URL.RequestURI()
	post.Header = r.Header.Clone()
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return post
}

// Path returns the first path that the configured matchers name; empty if there is none. It can
// name a form, unlike the requested path, which visitors choose.
func Path(sets caddyhttp.RawMatcherSets) string {
	for _, set := range sets {
		var paths []string
		if raw, ok := set["path"]; ok && json.Unmarshal(raw, &paths) == nil && len(paths) > 0 {
			return paths[0]
		}
	}
	return ""
}
