// Package rehearse runs requests through the handlers of a config that is provisioned, but not
// started: nothing listens, and nothing is sent to TeleCRM.
package rehearse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/internal/trial"
)

// Stage has the handlers of a config.
type Stage struct {
	servers []*caddyhttp.Server
	folder  string // in place of Caddy's storage
}

// Open provisions the handlers of a config. The caller must call [Stage.Close]. It is for a process
// that does not run a config: Caddy's own logger is quiet from then on.
func Open(adapted []byte) (*Stage, error) {
	folder, err := os.MkdirTemp("", "caddy-telecrm-try")
	if err != nil {
		return nil, fmt.Errorf("creating a folder: %w", err)
	}
	s := &Stage{folder: folder}
	if err := s.provision(adapted); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Stage) provision(adapted []byte) error {
	config, err := prepare(adapted, s.folder)
	if err != nil {
		return err
	}
	ctx, err := caddy.ProvisionContext(config)
	if err != nil {
		return fmt.Errorf("config: Caddy refuses it: %w", err)
	}
	app, err := ctx.App("http")
	if err != nil {
		return err
	}
	servers := app.(*caddyhttp.App).Servers
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		s.servers = append(s.servers, servers[name])
	}
	return nil
}

// Close removes what Open created on disk.
func (s *Stage) Close() error { return os.RemoveAll(s.folder) }

// Page returns the page at the address as the site serves it.
func (s *Stage) Page(ctx context.Context, address string) (trial.Page, error) {
	status := 0
	for _, server := range s.servers {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		r.Header = trial.BrowserHeader()
		w := httptest.NewRecorder()
		if err := serve(server, w, r); err != nil {
			status = statusOf(err)
			continue
		}
		body, err := io.ReadAll(io.LimitReader(w.Body, trial.MaxPage))
		if w.Code == http.StatusOK && err == nil {
			return trial.Page{URL: address, Body: body, ContentType: w.Header().Get("Content-Type")}, nil
		}
		status = w.Code
	}
	return trial.Page{}, fmt.Errorf("page: %s answers with status %d; name a path of the site, such as /contact", address, status)
}

// Try runs a post through the handlers up to the form's, which fills in the record.
func (s *Stage) Try(ctx context.Context, post trial.Post, record *trial.Record) error {
	status := http.StatusNotFound
	for _, server := range s.servers {
		r := httptest.NewRequestWithContext(trial.With(ctx, record), http.MethodPost, post.URL, bytes.NewReader(post.Body))
		r.Header = post.Header.Clone()
		w := httptest.NewRecorder()
		err := serve(server, w, r)
		if record.Form != "" {
			return nil
		}
		if err != nil {
			status = statusOf(err)
		} else {
			status = w.Code
		}
	}
	return fmt.Errorf("post: another handler answers %s with status %d before the form gets it", post.URL, status)
}

// serve runs a request through the routes of a server.
func serve(server *caddyhttp.Server, w http.ResponseWriter, r *http.Request) error {
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, server)
	return server.Routes.Compile(notFound).ServeHTTP(w, r)
}

// notFound answers requests that no route answers.
var notFound = caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
	w.WriteHeader(http.StatusNotFound)
	return nil
})

func statusOf(err error) int {
	if failed, ok := errors.AsType[caddyhttp.HandlerError](err); ok {
		return failed.StatusCode
	}
	return http.StatusInternalServerError
}
