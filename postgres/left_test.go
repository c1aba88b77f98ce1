package postgres_test

import (
	"errors"
	"path/filepath"
	"testing"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/modules/outboxes"
	"github.com/leadwire/caddy-telecrm/postgres"
)

// Leads in the spools of a database that no config names any more are found by later processes.
func TestSpoolIsLeft(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	spooled := func(prefix string) (resource string) {
		t.Helper()
		o := &postgres.Outbox{DSN: "postgres://app@127.0.0.1:1/leads", Spool: prefix}
		if err := o.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
		store, err := o.Open(zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(store.Append(t.Context(), lead()), store.Close()); err != nil {
			t.Fatal(err)
		}
		resource, err = o.Resource()
		if err != nil {
			t.Fatal(err)
		}
		return resource
	}
	spooled("")
	resource := spooled(filepath.Join(t.TempDir(), "another"))
	outboxes.FindLeft(t.Context(), "", zap.NewNop())
	left := dispatch.LeftOutboxes()
	if len(left) != 1 || left[0].Resource != resource || left[0].Waiting != 2 || len(left[0].Spools) != 2 {
		t.Errorf("left %+v, want the 2 leads in the spools of %s", left, resource)
	}
	dispatch.ReportLeft(adminapi.Left{Resource: resource}, zap.NewNop())
}
