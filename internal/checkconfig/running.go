package checkconfig

import (
	"encoding/json"
	"reflect"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/internal/account"
	"github.com/leadwire/caddy-telecrm/internal/route"
)

// Running is a config that runs. Caddy does not keep its JSON.
type Running struct {
	Servers  map[string]*caddyhttp.Server
	Accounts map[string]*account.Settings
	// Open makes an account reachable, with its settings as written.
	Open func(a *check.Account, written account.Settings)
}

// Read reads the config from the modules that Caddy has loaded. Findings do not have places in a
// Caddyfile, and the folder of the outbox is not checked: it is in use.
func (r Running) Read() (*check.Config, error) {
	var c config
	c.Apps.HTTP.Servers = make(map[string]*server)
	for name, srv := range r.Servers {
		c.Apps.HTTP.Servers[name] = loadedServer(srv)
	}
	c.Apps.TeleCRM.Accounts = r.Accounts
	reader := newReader(c, readBlocks("", nil))
	reader.open = func(a *check.Account, written, _ account.Settings) { r.Open(a, written) }
	if err := reader.read(); err != nil {
		return nil, err
	}
	return reader.result, nil
}

func loadedServer(srv *caddyhttp.Server) *server {
	s := &server{NamedRoutes: make(map[string]*httpRoute)}
	s.Routes = s.loadedRoutes(srv.Routes, 0)
	for name, named := range srv.NamedRoutes {
		if named != nil {
			s.NamedRoutes[name] = &s.loadedRoutes(caddyhttp.RouteList{*named}, 0)[0]
		}
	}
	// The ranges are loaded into a private field. If it is not there, nothing is reported.
	if ranges := reflect.ValueOf(srv).Elem().FieldByName("trustedProxies"); !ranges.IsValid() || !ranges.IsNil() {
		s.TrustedProxies = json.RawMessage("{}")
	}
	return s
}

// loadedRoutes returns the routes as they are in JSON, as far as they matter.
func (s *server) loadedRoutes(routes caddyhttp.RouteList, depth int) []httpRoute {
	list := make([]httpRoute, 0, len(routes))
	for _, r := range routes {
		if isRedirect(r) {
			continue
		}
		loaded := httpRoute{Match: loadedSets(r.MatcherSets)}
		for _, h := range r.Handlers {
			if raw := s.loadedHandler(h, depth); raw != nil {
				loaded.Handle = append(loaded.Handle, raw)
			}
		}
		list = append(list, loaded)
	}
	return list
}

// isRedirect reports whether Caddy itself has added the route, to redirect to HTTPS: loaded matchers
// are pointers.
func isRedirect(r caddyhttp.Route) bool {
	return slices.ContainsFunc(r.MatcherSets, func(set caddyhttp.MatcherSet) bool {
		return slices.ContainsFunc(set, func(matcher any) bool {
			_, isOwn := matcher.(caddyhttp.MatchProtocol)
			return isOwn
		})
	})
}

// loadedHandler returns a handler as it is in JSON. Of handlers that do not matter, or that may change
// while they are in use, it is the name.
func (s *server) loadedHandler(h caddyhttp.MiddlewareHandler, depth int) json.RawMessage {
	module, ok := h.(caddy.Module)
	if !ok || depth > maxNesting {
		return nil
	}
	parts := make(map[string]any)
	switch h := h.(type) {
	case *caddyhttp.Subroute:
		parts["routes"] = s.loadedRoutes(h.Routes, depth+1)
	case *reverseproxy.Handler:
		parts["handle_response"] = make([]struct{}, len(h.HandleResponse))
	case route.Form:
		if json.Unmarshal(s.encode(h), &parts) != nil {
			return nil
		}
		_, parts["match"] = h.Posts()
	case *caddyhttp.Invoke, *caddyhttp.VarsMiddleware, caddyhttp.VarsMiddleware, *rewrite.Rewrite, *fileserver.FileServer, *headers.Handler:
		if json.Unmarshal(s.encode(h), &parts) != nil {
			return nil
		}
	}
	parts["handler"] = module.CaddyModule().ID.Name()
	raw, err := json.Marshal(parts)
	if err != nil {
		return nil
	}
	return raw
}

// encode returns the handler's own JSON, and notes a header of a proxy in it.
func (s *server) encode(h any) json.RawMessage {
	raw, err := json.Marshal(h)
	if err != nil {
		return nil
	}
	if found := proxyHeaders.FindSubmatch(raw); found != nil && s.proxyHeader == "" {
		s.proxyHeader = string(found[1])
	}
	return raw
}

// loadedSets returns matchers as they are in JSON. Those that do not follow from a host or a path are
// empty, and count as matching.
func loadedSets(sets caddyhttp.MatcherSets) caddyhttp.RawMatcherSets {
	list := make(caddyhttp.RawMatcherSets, 0, len(sets))
	for _, set := range sets {
		loaded := make(caddy.ModuleMap)
		for _, matcher := range set {
			module, ok := matcher.(caddy.Module)
			if !ok {
				continue
			}
			loaded[module.CaddyModule().ID.Name()] = loadedMatcher(matcher)
		}
		list = append(list, loaded)
	}
	return list
}

func loadedMatcher(matcher any) json.RawMessage {
	var raw []byte
	err := error(nil)
	switch m := matcher.(type) {
	case *caddyhttp.MatchNot:
		raw, err = json.Marshal(loadedSets(m.MatcherSets))
	case *caddyhttp.MatchHost, *caddyhttp.MatchPath, *caddyhttp.MatchPathRE, *caddyhttp.MatchMethod, *fileserver.MatchFile:
		raw, err = json.Marshal(m)
	}
	if err != nil || raw == nil {
		return json.RawMessage("null")
	}
	return raw
}
