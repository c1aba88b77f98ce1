package route

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
)

// Form is a handler that takes posts.
type Form interface {
	caddyhttp.MiddlewareHandler
	// Posts returns the form's name, and its matchers as configured.
	Posts() (form string, sets caddyhttp.RawMatcherSets)
}

// Overlap is a form that takes more posts than are meant for it, or that does not get any.
type Overlap struct {
	Form string
	// Before is the form that takes all posts before Form does. If it is empty, Form takes every post
	// of its site.
	Before string
}

// Overlaps finds the forms of a server that take every post of their site, and those that an
// earlier form leaves nothing for.
func Overlaps(server *caddyhttp.Server) []Overlap {
	w := walk{server: server, ways: make(map[Form]*ways)}
	w.routes(server.Routes, nil, false, 0)
	var found []Overlap
	for _, form := range w.order {
		name, _ := form.Posts()
		if w.ways[form].takesAll {
			found = append(found, Overlap{Form: name})
		}
		if at := w.ways[form]; at.before != nil && at.covered == at.total {
			before, _ := at.before.Posts()
			found = append(found, Overlap{Form: name, Before: before})
		}
	}
	return found
}

// walk goes through the routes of a server as a request would that every matcher lets pass.
type walk struct {
	server *caddyhttp.Server
	order  []Form
	ways   map[Form]*ways
}

// ways counts the ways to a form. Named routes can lead there several times.
type ways struct {
	total, covered int
	before         Form
	takesAll       bool
}

// routes goes through the routes, and returns the forms that each request has passed when it comes
// out, in addition to the given ones. A branch is a place that only some requests of a site reach.
func (w *walk) routes(routes caddyhttp.RouteList, passed []Form, isBranch bool, depth int) []Form {
	groups := make(map[string][]Form) // the forms before a group, of which a request takes one route
	for _, route := range routes {
		before, isAlternative := passed, false
		if route.Group != "" {
			if before, isAlternative = groups[route.Group]; !isAlternative {
				before, groups[route.Group] = passed, passed
			}
		}
		after := w.handlers(route, before, isBranch || isAlternative || !onlyHosts(route.MatcherSets), depth)
		if route.Group == "" && len(route.MatcherSets) == 0 {
			passed = after
			continue
		}
		passed = slices.DeleteFunc(slices.Clone(passed), func(form Form) bool { return !slices.Contains(after, form) })
	}
	return passed
}

// handlers goes through the handlers of a route.
func (w *walk) handlers(route caddyhttp.Route, passed []Form, isBranch bool, depth int) []Form {
	if depth > maxNesting {
		return passed
	}
	for _, handler := range route.Handlers {
		switch h := handler.(type) {
		case *caddyhttp.Subroute:
			passed = w.routes(h.Routes, passed, isBranch, depth+1)
		case *caddyhttp.Invoke:
			if named := w.server.NamedRoutes[h.Name]; named != nil {
				passed = w.routes(caddyhttp.RouteList{*named}, passed, isBranch, depth+1)
			}
		case *rewrite.Rewrite: // from here on, the same matcher matches other posts
			passed = slices.DeleteFunc(slices.Clone(passed), func(form Form) bool { return !takesAll(form) })
		case Form:
			w.arrive(h, passed, isBranch)
			passed = append(slices.Clip(passed), h)
		}
	}
	return passed
}

// arrive notes a way to the form.
func (w *walk) arrive(form Form, passed []Form, isBranch bool) {
	at := w.ways[form]
	if at == nil {
		at = new(ways)
		w.ways[form], w.order = at, append(w.order, form)
	}
	_, sets := form.Posts()
	at.total++
	at.takesAll = at.takesAll || !isBranch && takesAll(form)
	if first := slices.IndexFunc(passed, func(earlier Form) bool {
		_, wider := earlier.Posts()
		return earlier != form && covers(wider, sets)
	}); first >= 0 {
		at.covered++
		at.before = passed[first]
	}
}

// takesAll reports whether the form's own matchers let every post pass.
func takesAll(form Form) bool {
	_, sets := form.Posts()
	return covers(sets, nil)
}

// onlyHosts reports whether the matchers ask for nothing but a host, as those of a site do.
func onlyHosts(sets caddyhttp.MatcherSets) bool {
	return !slices.ContainsFunc(sets, func(set caddyhttp.MatcherSet) bool {
		return slices.ContainsFunc(set, func(matcher any) bool {
			_, isHost := matcher.(*caddyhttp.MatchHost)
			return !isHost
		})
	})
}

// covers reports whether every post that matches one of the narrow sets certainly matches one of the
// wide ones. No sets match everything.
func covers(wide, narrow caddyhttp.RawMatcherSets) bool {
	if len(wide) == 0 {
		return true
	}
	if len(narrow) == 0 {
		narrow = caddyhttp.RawMatcherSets{nil}
	}
	for _, set := range narrow {
		if !slices.ContainsFunc(wide, func(wider caddy.ModuleMap) bool { return implies(set, wider) }) {
			return false
		}
	}
	return true
}

// implies reports whether each matcher of the wider set has a counterpart in the set that is as
// narrow.
func implies(set, wider caddy.ModuleMap) bool {
	for name, raw := range wider {
		if !narrows(name, set[name], raw) {
			return false
		}
	}
	return true
}

// narrows reports whether a POST that matches the first matcher of a kind, if there is one, also
// matches the second.
func narrows(kind string, raw, wider json.RawMessage) bool {
	if raw != nil && string(raw) == string(wider) {
		return true
	}
	var list, wide []string
	if json.Unmarshal(wider, &wide) != nil || raw != nil && json.Unmarshal(raw, &list) != nil {
		return false
	}
	switch kind {
	case "method":
		return slices.Contains(wide, "POST")
	case "host":
		return len(list) > 0 && each(list, wide, strings.EqualFold)
	case "path":
		if len(list) == 0 {
			list = []string{"*"}
		}
		return each(list, wide, isPartOf)
	}
	return false
}

// each reports whether each word fits one of the wide ones.
func each(words, wide []string, fits func(word, wide string) bool) bool {
	return !slices.ContainsFunc(words, func(word string) bool {
		return !slices.ContainsFunc(wide, func(w string) bool { return fits(word, w) })
	})
}

// isPartOf reports whether the wide pattern matches every path that the pattern does.
func isPartOf(pattern, wide string) bool {
	pattern, wide = strings.ToLower(pattern), strings.ToLower(wide)
	if wide == "*" || wide == "/*" || wide == pattern {
		return true
	}
	prefix, isPrefix := strings.CutSuffix(wide, "*")
	return isPrefix && !strings.ContainsAny(prefix, "*?[%{") && strings.HasPrefix(pattern, prefix)
}
