// Package sandboxhandler registers the handler `http.handlers.telecrm_sandbox`, a stand-in for
// TeleCRM for trying out forms.
package sandboxhandler

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/internal/grammar"
	"github.com/leadwire/caddy-telecrm/internal/placeholder"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

func init() {
	caddy.RegisterModule(Handler{})
	httpcaddyfile.RegisterHandlerDirective("telecrm_sandbox", parseSandbox)
	httpcaddyfile.RegisterDirectiveOrder("telecrm_sandbox", httpcaddyfile.Before, "respond")
}

// Handler is a stand-in for TeleCRM for trying out forms. It serves the Sync API under
// `/autoupdate/v2` and the Async API under `/enterprise`, both as strict as TeleCRM's. At its root
// it serves a page that shows leads as they arrive. It keeps leads in memory, also over a reload,
// and answers every request that reaches it. Do not send it real leads: anyone who can open its page can read them.
type Handler struct {
	// The token to expect from requests to the Sync API. Placeholders such as `{env.NAME}` are
	// resolved when the config is loaded. Required.
	Token string `json:"token,omitempty"`

	// The token to expect from requests to the Async API. It must differ from `token`, and may
	// contain the same placeholders. Default: none, so the Async API refuses every request
	AsyncToken string `json:"async_token,omitempty"`

	// The workspace's id to expect. Required.
	EnterpriseID string `json:"enterprise_id,omitempty"`

	// A file that describes the workspace's fields, statuses and actions. Default: a workspace with
	// a field of every type
	Schema string `json:"schema,omitempty"`

	// How long to wait before each answer of the API. Default: 0
	Latency caddy.Duration `json:"latency,omitempty"`

	// The HTTP status of answers that fail. Default: none fail
	FailStatus int `json:"fail_status,omitempty"`

	// The fraction of answers that fail, from 0 to 1. Default: 0
	FailShare float64 `json:"fail_share,omitempty"`

	sandbox   *sandbox.Sandbox
	memoryKey string // empty until the stand-in has a memory
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.telecrm_sandbox",
		New: func() caddy.Module { return new(Handler) },
	}
}

// memories holds the leads of each workspace across reloads.
var memories = caddy.NewUsagePool()

// memory is the first stand-in of a workspace. Later ones share its leads.
type memory struct{ *sandbox.Sandbox }

// Destruct implements [caddy.Destructor]. There is nothing to release.
func (memory) Destruct() error { return nil }

// Provision reads the schema and sets up the stand-in. It has the leads of the one with the same
// enterprise id in the config before, if any.
func (s *Handler) Provision(ctx caddy.Context) error {
	config := sandbox.Config{
		Token:        s.Token,
		AsyncToken:   s.AsyncToken,
		EnterpriseID: s.EnterpriseID,
		Latency:      time.Duration(s.Latency),
		FailStatus:   s.FailStatus,
		FailShare:    s.FailShare,
	}
	schema := s.Schema
	if err := placeholder.Expand(caddy.NewReplacer(),
		placeholder.Setting{Name: "token", Value: &config.Token},
		placeholder.Setting{Name: "async_token", Value: &config.AsyncToken},
		placeholder.Setting{Name: "enterprise_id", Value: &config.EnterpriseID},
		placeholder.Setting{Name: "schema", Value: &schema},
	); err != nil {
		return err
	}
	if schema != "" {
		var err error
		if config.Schema, err = sandbox.LoadSchema(schema); err != nil {
			return fmt.Errorf("schema: %w", placeholder.ExplainPath(schema, err))
		}
	}
	first, _, err := memories.LoadOrNew(config.EnterpriseID, func() (caddy.Destructor, error) {
		created, err := sandbox.New(config)
		return memory{created}, err
	})
	if err != nil {
		return err
	}
	s.memoryKey = config.EnterpriseID
	config.Continue = first.(memory).Sandbox
	if s.sandbox, err = sandbox.New(config); err != nil {
		return err
	}
	// The page's event streams never end by themselves, and a stopping server waits for its
	// requests.
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		server.RegisterOnShutdown(s.sandbox.Close)
	}
	return nil
}

// Cleanup ends the page's event streams.
func (s *Handler) Cleanup() error {
	if s.sandbox != nil {
		s.sandbox.Close()
	}
	if s.memoryKey == "" {
		return nil
	}
	_, err := memories.Delete(s.memoryKey)
	return err
}

// ServeHTTP answers as TeleCRM would.
func (s *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	s.sandbox.ServeHTTP(w, r)
	return nil
}

func parseSandbox(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	s := new(Handler)
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
func (s *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if d.NextArg() {
		return d.Errf("telecrm_sandbox takes one matcher and a block, got %q too", d.Val())
	}
	return grammar.Block(d, "telecrm_sandbox", []grammar.Word{
		grammar.Secret("token", &s.Token),
		grammar.Secret("async_token", &s.AsyncToken),
		grammar.Text("enterprise_id", &s.EnterpriseID),
		grammar.Text("schema", &s.Schema),
		grammar.Duration("latency", &s.Latency),
		{Name: "fail", Read: s.readFail},
	})
}

func (s *Handler) readFail(d *caddyfile.Dispenser) error {
	var status, share string
	if !d.AllArgs(&status, &share) {
		return d.Errf("fail takes: <status> <share>, such as 500 0.1")
	}
	var err error
	if s.FailStatus, err = strconv.Atoi(status); err != nil {
		return d.Errf("fail: must begin with an HTTP status, got %q", status)
	}
	if s.FailShare, err = strconv.ParseFloat(share, 64); err != nil {
		return d.Errf("fail: must end with a share from 0 to 1, got %q", share)
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
	_ caddyfile.Unmarshaler       = (*Handler)(nil)
)
