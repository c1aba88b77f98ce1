package checkconfig

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// matcher reports whether a POST to the path of the host may match. The host is "" if it is not
// known.
type matcher func(host, path string) bool

// compile returns a function that returns the paths that a POST has on its way to a handler, the
// last one being the handler's, or nil if it does not get there.
func compile(at way) func(host, path string) []string {
	matchers := make([]matcher, len(at.steps))
	for i, s := range at.steps {
		matchers[i] = compileSets(s.sets)
	}
	return func(host, path string) []string {
		paths := []string{path}
		for i, s := range at.steps {
			if s.strip != "" {
				if path = strings.TrimPrefix(path, s.strip); !strings.HasPrefix(path, "/") {
					path = "/" + path
				}
				paths = append(paths, path)
				continue
			}
			if !matchers[i](host, path) {
				return nil
			}
		}
		return paths
	}
}

// compileSets returns a matcher that matches any of the sets, or everything if there are none.
func compileSets(sets caddyhttp.RawMatcherSets) matcher {
	compiled := make([][]matcher, 0, len(sets))
	for _, set := range sets {
		all := make([]matcher, 0, len(set))
		for name, raw := range set {
			all = append(all, compileMatcher(name, raw))
		}
		compiled = append(compiled, all)
	}
	return func(host, path string) bool {
		return len(compiled) == 0 || slices.ContainsFunc(compiled, func(all []matcher) bool {
			return !slices.ContainsFunc(all, func(m matcher) bool { return !m(host, path) })
		})
	}
}

func always(string, string) bool { return true }

// compileMatcher returns a matcher for those whose result follows from the host and the path. Any
// other may match.
func compileMatcher(name string, raw json.RawMessage) matcher {
	var list []string
	switch name {
	case "path":
		patterns := caddyhttp.MatchPath{}
		if json.Unmarshal(raw, &patterns) != nil || patterns.Provision(caddy.Context{}) != nil {
			return always
		}
		return func(_, path string) bool {
			matched, err := patterns.MatchWithError(postTo(path))
			return matched || err != nil
		}
	case "path_regexp":
		var expression struct {
			Pattern string `json:"pattern"`
		}
		if json.Unmarshal(raw, &expression) != nil {
			return always
		}
		pattern, err := regexp.Compile(expression.Pattern)
		if err != nil {
			return always
		}
		return func(_, path string) bool { return pattern.MatchString(path) }
	case "host":
		if json.Unmarshal(raw, &list) != nil {
			return always
		}
		return func(host, _ string) bool {
			return host == "" || slices.ContainsFunc(list, func(pattern string) bool {
				return strings.Contains(pattern, "*") || strings.Contains(pattern, "{") || strings.EqualFold(pattern, host)
			})
		}
	case "method":
		if json.Unmarshal(raw, &list) != nil {
			return always
		}
		takesPost := slices.Contains(list, http.MethodPost)
		return func(string, string) bool { return takesPost }
	case "not":
		var sets caddyhttp.RawMatcherSets
		if json.Unmarshal(raw, &sets) != nil || !isDecidable(sets) {
			return always
		}
		inner := compileSets(sets)
		return func(host, path string) bool { return host == "" && namesHost(sets) || !inner(host, path) }
	}
	return always
}

// isDecidable reports whether the result of all matchers follows from the host and the path.
func isDecidable(sets caddyhttp.RawMatcherSets) bool {
	for _, set := range sets {
		for name := range set {
			if !slices.Contains([]string{"path", "path_regexp", "host", "method"}, name) {
				return false
			}
		}
	}
	return true
}

func namesHost(sets caddyhttp.RawMatcherSets) bool {
	return slices.ContainsFunc(sets, func(set caddy.ModuleMap) bool { return set["host"] != nil })
}

// postTo returns a POST to the path.
func postTo(path string) *http.Request {
	r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: path}, Header: make(http.Header)}
	return r.WithContext(context.WithValue(context.Background(), caddy.ReplacerCtxKey, caddy.NewReplacer()))
}
