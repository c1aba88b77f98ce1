package route

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/publicsuffix"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/internal/hostname"
)

// maxNesting bounds how deep routes are searched. Named routes can invoke themselves.
const maxNesting = 32

// Site knows the hosts of the site that a handler is in: those that one host matcher of a route
// above it lists, as a site block's addresses become one. A nil Site knows none.
type Site struct {
	handler caddyhttp.MiddlewareHandler

	mu     sync.Mutex
	server *caddyhttp.Server // that hosts were found in
	hosts  [][]string
}

// NewSite returns the Site of the handler.
func NewSite(handler caddyhttp.MiddlewareHandler) *Site { return &Site{handler: handler} }

// Has reports whether the site that the request is for also has the other host, a name without a
// port.
func (s *Site) Has(r *http.Request, other string) bool {
	if s == nil {
		return false
	}
	own, _ := hostname.Split(r.Host)
	other = hostname.Name(other)
	return slices.ContainsFunc(s.hostsIn(r), func(list []string) bool { return lists(list, own) && lists(list, other) })
}

// hostsIn returns the lists of hosts that lead to the handler. It searches the routes of the server
// once: they do not change while the config runs.
func (s *Site) hostsIn(r *http.Request) [][]string {
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if server == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != server {
		found := search{handler: s.handler, server: server}
		found.routes(server.Routes, nil, 0)
		s.server, s.hosts = server, found.hosts
	}
	return s.hosts
}

// search finds the host matchers on the ways to a handler.
type search struct {
	handler caddyhttp.MiddlewareHandler
	server  *caddyhttp.Server
	hosts   [][]string
}

func (s *search) routes(routes caddyhttp.RouteList, above [][]string, depth int) {
	for _, route := range routes {
		s.route(route, above, depth)
	}
}

func (s *search) route(route caddyhttp.Route, above [][]string, depth int) {
	if depth > maxNesting {
		return
	}
	above = append(slices.Clip(above), hostsOf(route.MatcherSets)...)
	for _, handler := range route.Handlers {
		switch h := handler.(type) {
		case *caddyhttp.Subroute:
			s.routes(h.Routes, above, depth+1)
		case *caddyhttp.Invoke:
			if named := s.server.NamedRoutes[h.Name]; named != nil {
				s.route(*named, above, depth+1)
			}
		default:
			if handler == s.handler {
				s.hosts = append(s.hosts, above...)
			}
		}
	}
}

// hostsOf returns the list of each host matcher, without hosts that are not known before a request
// and wildcards for the domains of others.
func hostsOf(sets caddyhttp.MatcherSets) [][]string {
	var found [][]string
	for _, set := range sets {
		for _, matcher := range set {
			hosts, ok := matcher.(*caddyhttp.MatchHost)
			if !ok {
				continue
			}
			repl := caddy.NewReplacer()
			var list []string
			for _, host := range *hosts {
				if name := hostname.Name(repl.ReplaceKnown(host, "")); isOneSite(name) {
					list = append(list, name)
				}
			}
			found = append(found, list)
		}
	}
	return found
}

// isOneSite reports whether all hosts of a host matcher's pattern can be the same site. The
// subdomains of a public suffix, such as *.com or *.github.io, belong to different people.
func isOneSite(pattern string) bool {
	if pattern == "" || strings.Contains(pattern, "{") {
		return false
	}
	last := strings.LastIndexByte(pattern, '*')
	if last < 0 {
		return true
	}
	domain := strings.TrimPrefix(pattern[last+1:], ".")
	suffix, managed := publicsuffix.PublicSuffix(domain)
	isPublic := domain == suffix && (managed || strings.Contains(suffix, "."))
	return domain != "" && !isPublic
}

// lists reports whether a host matcher with the list matches the name.
func lists(list []string, name string) bool {
	return slices.ContainsFunc(list, func(pattern string) bool {
		if !strings.Contains(pattern, "*") {
			return pattern == name
		}
		labels := strings.Split(name, ".")
		return slices.EqualFunc(strings.Split(pattern, "."), labels, func(want, label string) bool {
			return want == "*" && label != "" || want == label
		})
	})
}
