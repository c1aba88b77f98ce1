package caddytelecrm

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

func init() {
	caddy.RegisterModule(Sandbox{})
	httpcaddyfile.RegisterHandlerDirective("telecrm_sandbox", parseSandbox)
	httpcaddyfile.RegisterDirectiveOrder("telecrm_sandbox", httpcaddyfile.Before, "respond")
}

// Sandbox is a stand-in for TeleCRM, to try forms with: the same Sync API with
// the same strictness, under `/autoupdate/v2`, the same Async API, under
// `/enterprise`, and at its root a page that shows the leads as they arrive. It
// keeps leads in memory only and answers every request that reaches it. It is
// no place for real leads: whoever can open its page can read them.
type Sandbox struct {
	// The token to expect from requests to the Sync API. Placeholders such as
	// `{env.NAME}` are resolved when the config is loaded. Required.
	Token string `json:"token,omitempty"`

	// The token to expect from requests to the Async API; another one than
	// `token`, with the same placeholders. Default: none, so that the Async API
	// refuses every request
	AsyncToken string `json:"async_token,omitempty"`

	// The workspace's id to expect. Required.
	EnterpriseID string `json:"enterprise_id,omitempty"`

	// A file that describes the workspace's fields, statuses and actions.
	// Default: a workspace with a field of every type.
	Schema string `json:"schema,omitempty"`

	// How long to wait before each answer of the API. Default: 0
	Latency caddy.Duration `json:"latency,omitempty"`

	// The HTTP status of answers that fail. Default: none fail
	FailStatus int `json:"fail_status,omitempty"`

	// The share of answers that fail, from 0 to 1. Default: 0
	FailShare float64 `json:"fail_share,omitempty"`

	sandbox *sandbox.Sandbox
}

// CaddyModule returns the Caddy module information.
func (Sandbox) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.telecrm_sandbox",
		New: func() caddy.Module { return new(Sandbox) },
	}
}

// Provision reads the schema and sets the stand-in up, with no leads in it.
func (s *Sandbox) Provision(ctx caddy.Context) error {
	repl := caddy.NewReplacer()
	config := sandbox.Config{
		Token:        strings.TrimSpace(repl.ReplaceAll(s.Token, "")),
		AsyncToken:   strings.TrimSpace(repl.ReplaceAll(s.AsyncToken, "")),
		EnterpriseID: strings.TrimSpace(repl.ReplaceAll(s.EnterpriseID, "")),
		Latency:      time.Duration(s.Latency),
		FailStatus:   s.FailStatus,
		FailShare:    s.FailShare,
	}
	if s.Schema != "" {
		schema, err := sandbox.LoadSchema(repl.ReplaceAll(s.Schema, ""))
		if err != nil {
			return fmt.Errorf("schema: %w", err)
		}
		config.Schema = schema
	}
	var err error
	s.sandbox, err = sandbox.New(config)
	if err != nil {
		return err
	}
	// The page's event streams never end by themselves, and a server that
	// stops waits for its requests.
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		server.RegisterOnShutdown(s.sandbox.Close)
	}
	return nil
}

// Cleanup ends the page's event streams.
func (s *Sandbox) Cleanup() error {
	if s.sandbox != nil {
		s.sandbox.Close()
	}
	return nil
}

// ServeHTTP answers as TeleCRM would.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	s.sandbox.ServeHTTP(w, r)
	return nil
}

func parseSandbox(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	s := new(Sandbox)
	return s, s.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile sets up the stand-in from Caddyfile tokens. Syntax:
//
//	telecrm_sandbox [<matcher>] {
//	    token         <secret>
//	    async_token   <secret>
//	    enterprise_id <id>
//	    schema        <file>
//	    latency       <duration>
//	    fail          <status> <share>
//	}
func (s *Sandbox) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if d.NextArg() {
		return d.Errf("telecrm_sandbox takes one matcher and a block; %q is too much", d.Val())
	}
	return readBlock(d, "telecrm_sandbox", []word{
		text("token", &s.Token),
		text("async_token", &s.AsyncToken),
		text("enterprise_id", &s.EnterpriseID),
		text("schema", &s.Schema),
		duration("latency", &s.Latency),
		{name: "fail", read: s.readFail},
	})
}

func (s *Sandbox) readFail(d *caddyfile.Dispenser) error {
	var status, share string
	if !d.AllArgs(&status, &share) {
		return d.Errf("fail takes: <status> <share>, such as 500 0.1")
	}
	var err error
	if s.FailStatus, err = strconv.Atoi(status); err != nil {
		return d.Errf("fail: %q is not an HTTP status", status)
	}
	if s.FailShare, err = strconv.ParseFloat(share, 64); err != nil {
		return d.Errf("fail: %q is not a share from 0 to 1", share)
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Sandbox)(nil)
	_ caddy.CleanerUpper          = (*Sandbox)(nil)
	_ caddyhttp.MiddlewareHandler = (*Sandbox)(nil)
	_ caddyfile.Unmarshaler       = (*Sandbox)(nil)
)
