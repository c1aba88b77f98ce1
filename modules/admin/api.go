// Package admin registers the plugin's part of Caddy's admin API, and the operators' page there.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/outbox"
)

func init() {
	caddy.RegisterModule(API{})
}

// API is the plugin's part of Caddy's admin API, below `/telecrm`: how deliveries fare, the leads
// in the outbox, and what can be done about them. It needs no configuration, and is protected as
// the rest of the admin API is.
//
// It keeps nothing: when Caddy refuses a config, that config's router is the one that goes on
// answering, and must answer for the config that runs.
type API struct{}

// CaddyModule returns the Caddy module information.
func (API) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.telecrm",
		New: func() caddy.Module { return new(API) },
	}
}

// Routes returns what the admin endpoint is to route here.
func (API) Routes() []caddy.AdminRoute {
	routes := map[string]methods{
		"/status":                 {http.MethodGet: serveStatus},
		"/leads":                  {http.MethodGet: serveList},
		"/leads/retry":            {http.MethodPost: serveRetryAll},
		"/leads/erase":            {http.MethodPost: serveErase},
		"/leads/{id}":             {http.MethodGet: serveLead, http.MethodDelete: serveDiscard},
		"/leads/{id}/retry":       {http.MethodPost: serveRetry},
		"/accounts/{name}/resume": {http.MethodPost: serveResume},
	}
	maps.Copy(routes, pageRoutes())
	list := make([]caddy.AdminRoute, 0, len(routes))
	for _, path := range slices.Sorted(maps.Keys(routes)) {
		list = append(list, caddy.AdminRoute{Pattern: adminapi.Prefix + path, Handler: routes[path]})
	}
	return list
}

// methods answers each method in its own way.
type methods map[string]caddy.AdminHandlerFunc

// adminPatience is how long one call may take.
const adminPatience = 30 * time.Second

// ServeHTTP implements [caddy.AdminHandler].
func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	handle, allowed := m[method]
	if !allowed {
		known := slices.Sorted(maps.Keys(m))
		w.Header().Set("Allow", strings.Join(known, ", "))
		return refuse(http.StatusMethodNotAllowed, "%s is not for this; use %s", r.Method, strings.Join(known, " or "))
	}
	ctx, cancel := context.WithTimeout(r.Context(), adminPatience)
	defer cancel()
	w.Header().Set("Cache-Control", "no-store")
	return handle(w, r.WithContext(ctx))
}

// refuse returns an error that is told to the client.
func refuse(status int, format string, args ...any) error {
	return caddy.APIError{HTTPStatus: status, Err: fmt.Errorf(format, args...)}
}

// someOutbox returns the outboxes that are open, or an error that says why there are none.
func someOutbox() ([]*dispatch.Dispatcher, error) {
	open := dispatch.All()
	if len(open) == 0 {
		return nil, refuse(http.StatusServiceUnavailable, "%s", whyNoOutbox())
	}
	return open, nil
}

// whyNoOutbox says why no outbox is open.
func whyNoOutbox() string {
	app, err := caddy.ActiveContext().AppIfConfigured("telecrm")
	switch {
	case errors.Is(err, caddy.ErrNotConfigured):
		return "the running config has no telecrm in it, so there is no outbox"
	case err != nil:
		return "the outbox could not be opened; the log says why"
	case !app.(interface{ KeepsLeads() bool }).KeepsLeads():
		return "the outbox is off: each lead is sent while its visitor waits, and none is kept"
	}
	return "the outbox is not open; try again in a moment, and look into the log if it stays so"
}

// outboxFailed turns the error of an outbox into one for the client: what they can do something
// about, else that the log knows more.
func outboxFailed(err error, id string) error {
	switch {
	case errors.Is(err, outbox.ErrNotFound):
		return refuse(http.StatusNotFound, "there is no lead with the id %s", id)
	case errors.Is(err, outbox.ErrClosed):
		return refuse(http.StatusServiceUnavailable, "the outbox has just been closed; try again")
	case errors.Is(err, context.DeadlineExceeded):
		return refuse(http.StatusServiceUnavailable, "the outbox took too long; try again")
	}
	return caddy.APIError{HTTPStatus: http.StatusInternalServerError, Err: err, Message: "the outbox does not work; the log says why"}
}

// readQuery returns the query's parameters if all are known.
func readQuery(r *http.Request, known ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "the query is malformed")
	}
	for name, values := range query {
		if !slices.Contains(known, name) {
			return nil, refuse(http.StatusBadRequest, "unknown parameter %q; known ones are: %s", name, strings.Join(known, ", "))
		}
		if len(values) > 1 {
			return nil, refuse(http.StatusBadRequest, "%s is given more than once", name)
		}
	}
	return query, nil
}

// answerJSON answers with the value. An answer that cannot be written has nobody to read it.
func answerJSON(w http.ResponseWriter, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, adminapi.Plain(string(body))+"\n")
	return nil
}

// Interface guards
var _ caddy.AdminRouter = (*API)(nil)
