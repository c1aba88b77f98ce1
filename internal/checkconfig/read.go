// Package checkconfig reads a Caddy config for package check. It reads the JSON that the config is
// adapted to, without provisioning it, so that a config that Caddy would refuse can be checked too.
package checkconfig

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/internal/account"
	"github.com/leadwire/caddy-telecrm/internal/hostname"
	"github.com/leadwire/caddy-telecrm/internal/route"
	"github.com/leadwire/caddy-telecrm/mapping"
)

// config is the part of Caddy's JSON that matters.
type config struct {
	Apps struct {
		HTTP struct {
			Servers map[string]*server `json:"servers"`
		} `json:"http"`
		TeleCRM struct {
			Accounts map[string]*account.Settings `json:"accounts"`
			Outbox   *struct {
				Store string `json:"store"`
				File  string `json:"file"`
			} `json:"outbox"`
		} `json:"telecrm"`
	} `json:"apps"`
}

type server struct {
	Routes         []httpRoute           `json:"routes"`
	NamedRoutes    map[string]*httpRoute `json:"named_routes"`
	TrustedProxies json.RawMessage       `json:"trusted_proxies"`
	Listen         []string              `json:"listen"`
	Policies       []json.RawMessage     `json:"tls_connection_policies"`
	AutoHTTPS      struct {
		Disabled bool     `json:"disable"`
		Skip     []string `json:"skip"`
	} `json:"automatic_https"`

	proxyHeader string
}

// UnmarshalJSON also looks for headers of proxies.
func (s *server) UnmarshalJSON(data []byte) error {
	type plain server
	if err := json.Unmarshal(data, (*plain)(s)); err != nil {
		return err
	}
	if found := proxyHeaders.FindSubmatch(data); found != nil {
		s.proxyHeader = string(found[1])
	}
	return nil
}

// proxyHeaders matches placeholders for headers with the visitor's address.
var proxyHeaders = regexp.MustCompile(`(?i)\{(?:http\.request\.)?header\.(X-Forwarded-For|X-Real-IP|CF-Connecting-IP|True-Client-IP|Fastly-Client-IP|X-Client-IP)\}`)

type httpRoute struct {
	Match  caddyhttp.RawMatcherSets `json:"match"`
	Handle []json.RawMessage        `json:"handle"`
}

// handler is the part of a handler's JSON that matters. Its fields belong to different handlers.
type handler struct {
	Handler string `json:"handler"`

	Routes          []httpRoute `json:"routes"` // subroute
	Name            string      `json:"name"`   // invoke
	Root            string      `json:"root"`   // vars, file_server
	IndexNames      []string    `json:"index_names"`
	URI             string      `json:"uri"` // rewrite
	StripPathPrefix string      `json:"strip_path_prefix"`

	HandleResponse []json.RawMessage `json:"handle_response"` // reverse_proxy
}

// telecrmHandler is a handler of this module.
type telecrmHandler struct {
	Match       caddyhttp.RawMatcherSets `json:"match"`
	AccountName string                   `json:"account"`
	account.Settings
	Form         string            `json:"form"`
	Fields       []mapping.Field   `json:"fields"`
	Set          []mapping.Setting `json:"set"`
	Actions      []mapping.Action  `json:"actions"`
	Unmapped     string            `json:"unmapped"`
	OnDuplicate  string            `json:"on_duplicate"`
	UpdateFields []string          `json:"update_fields"`
	ThankYou     string            `json:"thank_you"`
	Errors       string            `json:"errors"`
	Redirect     string            `json:"errors_redirect"`
	FormPage     string            `json:"form_page"`
	Honeypot     []string          `json:"honeypot"`
	Protect      bool              `json:"protect"`
}

// ErrNoForms says that the config does not have a telecrm handler.
var ErrNoForms = errors.New("config: does not have a telecrm handler")

// Read reads the JSON of a config. File is where it comes from, and source its text if it is a
// Caddyfile.
func Read(adapted []byte, file string, source []byte) (*check.Config, error) {
	var c config
	if err := json.Unmarshal(adapted, &c); err != nil {
		return nil, fmt.Errorf("reading the config: %w", err)
	}
	r := newReader(c, readBlocks(file, source))
	r.file, r.open = file, open
	if err := r.read(); err != nil {
		return nil, err
	}
	r.readFolder()
	r.result.State = stateFile(file)
	return r.result, nil
}

func newReader(c config, b *blocks) *reader {
	return &reader{config: c, blocks: b, accounts: make(map[string]*check.Account), result: new(check.Config)}
}

// read reads the sites of all servers.
func (r *reader) read() error {
	c := r.config
	for _, name := range slices.Sorted(maps.Keys(c.Apps.HTTP.Servers)) {
		srv := c.Apps.HTTP.Servers[name]
		if srv == nil {
			continue
		}
		w := &walker{reader: r, server: srv, sites: make(map[string]*siteParts)}
		w.routes(srv.Routes, way{}, 0)
		w.finish()
	}
	if len(r.result.Sites) == 0 {
		return ErrNoForms
	}
	return nil
}

// reader builds the config to check.
type reader struct {
	config   config
	blocks   *blocks
	file     string
	accounts map[string]*check.Account
	result   *check.Config
	// open makes the account reachable, with settings as written and without placeholders.
	open func(a *check.Account, written, expanded account.Settings)
}

// walker goes through the routes of a server.
type walker struct {
	*reader
	server *server
	sites  map[string]*siteParts
}

// siteParts collects the parts of a site from its routes.
type siteParts struct {
	site    *check.Site
	answers []way // to handlers that answer by themselves
}

// way is how a request gets to a handler.
type way struct {
	steps []step
	hosts []string
	root  string
}

// step is a matcher or a rewrite on the way.
type step struct {
	sets  caddyhttp.RawMatcherSets
	strip string
}

func (w way) then(s step) way {
	w.steps = append(slices.Clip(w.steps), s)
	return w
}

// maxNesting bounds how deep routes are searched. Named routes can invoke themselves.
const maxNesting = 32

// routes reads routes in their order. What a route without a matcher sets counts for the next ones.
func (w *walker) routes(routes []httpRoute, at way, depth int) {
	if depth > maxNesting {
		return
	}
	for _, r := range routes {
		within := at
		if len(r.Match) > 0 {
			within = at.then(step{sets: r.Match})
			if hosts := hostsOf(r.Match); len(hosts) > 0 {
				within.hosts = hosts
			}
		}
		for _, raw := range r.Handle {
			var h handler
			if json.Unmarshal(raw, &h) != nil {
				continue
			}
			w.handle(h, raw, r, &within, depth)
		}
		if len(r.Match) == 0 {
			at.root, at.steps = within.root, within.steps
		} else if within.root != at.root && at.root == "" {
			at.root = within.root
		}
	}
}

func (w *walker) handle(h handler, raw json.RawMessage, r httpRoute, at *way, depth int) {
	switch h.Handler {
	case "subroute":
		w.routes(h.Routes, *at, depth+1)
	case "invoke":
		if named := w.server.NamedRoutes[h.Name]; named != nil {
			w.routes([]httpRoute{*named}, *at, depth+1)
		}
	case "vars":
		at.root = cmp.Or(h.Root, at.root)
	case "rewrite":
		if h.StripPathPrefix != "" {
			*at = at.then(step{strip: h.StripPathPrefix})
		}
		if strings.Contains(h.URI, "{http.matchers.file.relative}") {
			w.parts(*at).site.Try = append(w.parts(*at).site.Try, triesOf(r.Match)...)
		}
	case "file_server":
		p := w.parts(*at)
		if h.Root != "" && !strings.Contains(h.Root, "{http.vars.root}") {
			p.site.Root = h.Root
		}
		p.site.Root = cmp.Or(p.site.Root, at.root)
		p.site.Index = append(p.site.Index, h.IndexNames...)
	case "telecrm":
		w.addForm(raw, *at)
	default:
		if h.answers(*at) {
			p := w.parts(*at)
			p.answers = append(p.answers, *at)
		}
	}
}

// answers reports whether the handler may answer by itself. Of handlers that are not known, it counts
// those for certain paths; one for all paths is more likely to pass requests on.
func (h handler) answers(at way) bool {
	switch h.Handler {
	case "reverse_proxy":
		return len(h.HandleResponse) == 0 // forward_auth passes on what it lets through
	case "static_response":
		return true
	case "authentication", "copy_response", "copy_response_headers", "encode", "headers", "intercept", "invoke", "log_append", "map",
		"metrics", "push", "request_body", "telecrm_attribution", "templates", "tracing":
		return false
	}
	return slices.ContainsFunc(at.steps, func(s step) bool {
		return slices.ContainsFunc(s.sets, func(set caddy.ModuleMap) bool { return set["path"] != nil || set["path_regexp"] != nil })
	})
}

// parts returns the parts of the site with the hosts.
func (w *walker) parts(at way) *siteParts {
	key := strings.Join(at.hosts, " ")
	if w.sites[key] == nil {
		w.sites[key] = &siteParts{site: &check.Site{Hosts: at.hosts, Address: w.server.address(at.hosts), ProxyHeader: w.server.proxyHeader, HasTrustedProxies: len(w.server.TrustedProxies) > 0}}
	}
	return w.sites[key]
}

// addForm reads a telecrm handler.
func (w *walker) addForm(raw json.RawMessage, at way) {
	var h telecrmHandler
	if json.Unmarshal(raw, &h) != nil {
		return
	}
	p := w.parts(at)
	p.site.Root = cmp.Or(p.site.Root, at.root)
	name := cmp.Or(h.Form, route.Path(h.Match), "form")
	block := w.blocks.form(name, route.Path(h.Match))
	acct, settings := w.accountOf(h, name, block)
	w.notePlaceholders(h, block)
	f := &check.Form{
		Name: name, Account: acct, Place: block.place, Lines: block.lines, Path: route.Path(h.Match),
		Fields: h.Fields, Set: h.Set, Actions: h.Actions, Unmapped: h.Unmapped,
		OnDuplicate: h.OnDuplicate, UpdateFields: h.UpdateFields, ThankYou: h.ThankYou, FormPage: h.FormPage, Errors: h.Errors, ErrorsRedirect: h.Redirect,
		Honeypot: h.Honeypot, Protect: h.Protect,
		Country: cmp.Or(w.expandQuietly(h.Country), settings.Country), TimeZone: cmp.Or(w.expandQuietly(h.TimeZone), settings.TimeZone), DateOrder: cmp.Or(h.DateOrder, settings.DateOrder),
	}
	reaches := compile(at)
	matches := compileSets(h.Match)
	f.Takes = func(host, path string) bool {
		paths := reaches(host, path)
		if paths == nil {
			return false
		}
		for _, try := range p.site.Try {
			if asked := strings.ReplaceAll(try, "{path}", path); asked != path && hasFile(p.site.Files, asked) {
				paths = append(paths, asked)
			}
		}
		return slices.ContainsFunc(paths, func(path string) bool { return matches(host, path) })
	}
	p.site.Forms = append(p.site.Forms, f)
}

// finish adds the sites that have forms.
func (w *walker) finish() {
	for _, key := range slices.Sorted(maps.Keys(w.sites)) {
		p := w.sites[key]
		if len(p.site.Forms) == 0 {
			continue
		}
		p.site.ProxyPlace = check.Place{File: w.file}
		w.openRoot(p.site)
		ways := make([]func(host, path string) []string, 0, len(p.answers))
		for _, at := range p.answers {
			ways = append(ways, compile(at))
		}
		p.site.Answers = func(path string) bool {
			return slices.ContainsFunc(ways, func(reaches func(host, path string) []string) bool { return reaches("", path) != nil })
		}
		w.result.Sites = append(w.result.Sites, p.site)
	}
}

// openRoot opens the site's folder. A root that depends on the request is not known.
func (w *walker) openRoot(site *check.Site) {
	w.noteEmpty("root", site.Root, check.Place{File: w.file})
	site.Root = w.expandQuietly(site.Root)
	if site.Root == "" || strings.Contains(site.Root, "{") {
		site.Root = ""
		return
	}
	site.Files = os.DirFS(site.Root)
}

// hasFile reports whether there is a file for the path.
func hasFile(files fs.FS, path string) bool {
	name := strings.Trim(path, "/")
	if files == nil || !fs.ValidPath(name) {
		return false
	}
	info, err := fs.Stat(files, name)
	return err == nil && !info.IsDir()
}

// triesOf returns what the file matchers try, with {path} for the path.
func triesOf(sets caddyhttp.RawMatcherSets) []string {
	var tries []string
	for _, set := range sets {
		var matcher struct {
			TryFiles []string `json:"try_files"`
		}
		if json.Unmarshal(set["file"], &matcher) != nil {
			continue
		}
		for _, try := range matcher.TryFiles {
			if try = strings.ReplaceAll(try, "{http.request.uri.path}", "{path}"); !strings.HasPrefix(try, "=") {
				tries = append(tries, try)
			}
		}
	}
	return tries
}

// hostsOf returns the hosts that the sets name.
func hostsOf(sets caddyhttp.RawMatcherSets) []string {
	var hosts []string
	for _, set := range sets {
		var list []string
		if json.Unmarshal(set["host"], &list) == nil {
			for _, host := range list {
				hosts = append(hosts, hostname.Name(host))
			}
		}
	}
	return hosts
}
