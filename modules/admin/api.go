// Package admin registers the plugin's part of Caddy's admin API, including the operators' page.
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
	"reflect"
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

// API is the plugin's part of Caddy's admin API, below `/telecrm`. It shows the state of deliveries
// and the leads in the outbox, and retries, discards and erases leads. It does not need
// configuration, and is protected like the rest of the admin API.
//
// It does not keep any state: when Caddy rejects a config, the rejected config's router stays in
// use and must answer for the running config.
type API struct{}

// CaddyModule returns the Caddy module information.
func (API) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.telecrm",
		New: func() caddy.Module { return new(API) },
	}
}

// Routes implements [caddy.AdminRouter].
func (API) Routes() []caddy.AdminRoute {
	routes := map[string]methods{
		"/status":                 {http.MethodGet: serveStatus},
		"/check":                  {http.MethodGet: serveFindings},
		"/leads":                  {http.MethodGet: serveList},
		"/leads/search":           {http.MethodPost: serveSearch},
		"/leads/retry":            {http.MethodPost: serveRetryAll},
		"/leads/erase":            {http.MethodPost: serveErase},
		"/leads/{id}":             {http.MethodGet: serveLead, http.MethodDelete: serveDiscard},
		"/leads/{id}/retry":       {http.MethodPost: serveRetry},
		"/accounts/{name}/resume": {http.MethodPost: serveResume},
		"/outbox/check":           {http.MethodPost: serveCheck},
		"/outbox/backup":          {http.MethodPost: serveBackup},
	}
	maps.Copy(routes, pageRoutes())
	list := make([]caddy.AdminRoute, 0, len(routes))
	for _, path := range slices.Sorted(maps.Keys(routes)) {
		list = append(list, caddy.AdminRoute{Pattern: adminapi.Prefix + path, Handler: routes[path]})
	}
	return list
}

// methods maps HTTP methods to their handlers.
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
		return refuse(http.StatusMethodNotAllowed, "method %s not allowed; use %s", r.Method, strings.Join(known, " or "))
	}
	ctx, cancel := context.WithTimeout(r.Context(), adminPatience)
	defer cancel()
	w.Header().Set("Cache-Control", "no-store")
	return forClient(handle(w, r.WithContext(ctx)))
}

// errRefused is what Caddy logs of a request that is not valid.
var errRefused = errors.New("the request is not valid; the answer says why")

// forClient keeps what is wrong in a request out of the log. It may be about a person.
func forClient(err error) error {
	refused, is := err.(caddy.APIError) //nolint:errorlint // Caddy does not unwrap errors
	if !is || refused.HTTPStatus != http.StatusBadRequest {
		return err
	}
	if refused.Message == "" {
		refused.Message = refused.Err.Error()
	}
	refused.Err = errRefused
	return refused
}

// refuse returns an error that the client sees.
func refuse(status int, format string, args ...any) error {
	return caddy.APIError{HTTPStatus: status, Err: fmt.Errorf(format, args...)}
}

// someOutbox returns the open outboxes, or an error that explains why there are none.
func someOutbox() ([]*dispatch.Dispatcher, error) {
	open := dispatch.All()
	if len(open) == 0 {
		return nil, refuse(http.StatusServiceUnavailable, "%s", whyNoOutbox())
	}
	return open, nil
}

// whyNoOutbox explains why no outbox is open.
func whyNoOutbox() string {
	app, err := caddy.ActiveContext().AppIfConfigured("telecrm")
	switch {
	case errors.Is(err, caddy.ErrNotConfigured):
		return "the running config does not use telecrm, so no outbox is open"
	case err != nil:
		return "the outbox could not be opened; the log says why"
	case !app.(interface{ KeepsLeads() bool }).KeepsLeads():
		return "the outbox is off: leads are sent while their visitors wait, and are not kept"
	}
	return "the outbox is not open yet; try again in a moment, and check the log if it stays closed"
}

// outboxFailed turns an outbox error into one for the client. It refers to the log for errors that
// the client cannot do anything about.
func outboxFailed(err error, id string) error {
	switch {
	case errors.As(err, new(caddy.APIError)):
		return err
	case errors.Is(err, outbox.ErrNotFound) && errors.Is(err, outbox.ErrAway):
		return refuse(http.StatusServiceUnavailable, "lead %s is not in a spool; it may be in the outbox, which cannot be used at present; caddy telecrm status says why", id)
	case errors.Is(err, outbox.ErrNotFound):
		return refuse(http.StatusNotFound, "lead %s not found", id)
	case errors.Is(err, outbox.ErrAway):
		return refuse(http.StatusServiceUnavailable, "the outbox cannot be used at present; do this again when it can: %w", err)
	case errors.Is(err, outbox.ErrClosed):
		return refuse(http.StatusServiceUnavailable, "the outbox has just been closed; try again")
	case errors.Is(err, context.DeadlineExceeded):
		return refuse(http.StatusServiceUnavailable, "the outbox took too long; try again")
	}
	return caddy.APIError{HTTPStatus: http.StatusInternalServerError, Err: err, Message: "the outbox failed; the log says why"}
}

// readQuery returns the query's parameters. Unknown ones are an error.
func readQuery(r *http.Request, known ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "query: is malformed")
	}
	for name, values := range query {
		if !slices.Contains(known, name) {
			return nil, refuse(http.StatusBadRequest, "unknown parameter %q; known parameters are: %s", name, strings.Join(known, ", "))
		}
		if len(values) > 1 {
			return nil, refuse(http.StatusBadRequest, "%s: is given more than once", name)
		}
	}
	return query, nil
}

// longestBody bounds the body of a request.
const longestBody = 64 << 10

// readJSON decodes the body of a request. Its error names the fields and gives the example.
func readJSON[T any](r *http.Request, example string) (value T, err error) {
	decoder := json.NewDecoder(io.LimitReader(r.Body, longestBody))
	decoder.DisallowUnknownFields()
	if err = decoder.Decode(&value); err == nil && decoder.More() {
		err = errors.New("more than one value")
	}
	if err != nil {
		return value, refuse(http.StatusBadRequest, "body: must be JSON with %s, such as %s", fieldsOf[T](), example)
	}
	return value, nil
}

// fieldsOf lists the JSON names of T's fields.
func fieldsOf[T any]() string {
	fields := reflect.VisibleFields(reflect.TypeFor[T]())
	names := make([]string, 0, len(fields))
	for _, field := range fields {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// answerJSON responds with the value as JSON. It ignores write errors because the client has left.
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
