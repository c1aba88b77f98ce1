package route

import (
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"

	"github.com/leadwire/caddy-telecrm/internal/httpx"
)

// way follows a request through a server's routes to a handler. It runs only rewrites. So it finds
// the URLs that the request had on its way, such as /contact with `handle_path /landing/*` and
// `try_files {path}.html`: the handler itself gets /contact.html, and the visitor asked for
// /landing/contact.
type way struct {
	handler caddyhttp.MiddlewareHandler
	server  *caddyhttp.Server
	repl    *caddy.Replacer
	r       *http.Request
	seen    []*url.URL
}

// urlsOnWay returns the URLs that a request has between the server and the handler, the last one
// being the handler's. It returns nil if the request does not get there.
func (s *Site) urlsOnWay(r *http.Request) []*url.URL {
	if s == nil {
		return nil
	}
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if server == nil {
		return nil
	}
	repl := caddy.NewReplacer()
	w := way{handler: s.handler, server: server, repl: repl, r: prepared(r, repl, server)}
	w.note()
	if !w.follow(server.Routes, 0) {
		return nil
	}
	return w.seen
}

// prepared returns a copy of the request for matchers and rewrites to write to.
func prepared(r *http.Request, repl *caddy.Replacer, server *caddyhttp.Server) *http.Request {
	asked := r.WithContext(r.Context())
	at := *r.URL
	asked.URL, asked.Header = &at, r.Header.Clone()
	asked = caddyhttp.PrepareRequest(asked, repl, httpx.NewRecorder(), server)
	if vars, ok := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any); ok {
		for name, value := range vars {
			caddyhttp.SetVar(asked.Context(), name, value)
		}
	}
	return asked
}

func (w *way) note() {
	at := *w.r.URL
	w.seen = append(w.seen, &at)
}

// follow goes through the routes as Caddy does. It reports whether the request arrives at the
// handler.
func (w *way) follow(routes caddyhttp.RouteList, depth int) (arrived bool) {
	groups := make(map[string]bool)
	for _, route := range routes {
		if route.Group != "" && groups[route.Group] {
			continue
		}
		matched, err := route.MatcherSets.AnyMatchWithError(w.r)
		if err != nil {
			return false
		}
		if !matched {
			continue
		}
		groups[route.Group] = true
		if w.pass(route, depth) {
			return true
		}
		if route.Terminal {
			return false
		}
	}
	return false
}

// pass goes through the handlers of a route that matches.
func (w *way) pass(route caddyhttp.Route, depth int) (arrived bool) {
	if depth > maxNesting {
		return false
	}
	for _, handler := range route.Handlers {
		switch h := handler.(type) {
		case *rewrite.Rewrite:
			if h.Rewrite(w.r, w.repl) {
				w.note()
			}
		case *caddyhttp.Subroute:
			if w.follow(h.Routes, depth+1) {
				return true
			}
		case *caddyhttp.Invoke:
			if named := w.server.NamedRoutes[h.Name]; named != nil && w.pass(*named, depth+1) {
				return true
			}
		default:
			if handler == w.handler {
				return true
			}
		}
	}
	return false
}
