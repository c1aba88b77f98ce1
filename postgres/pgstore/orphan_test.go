package pgstore_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/postgres/pgstore"
)

// A standby that lacks the result of an attempt is promoted. The lead is in flight there, though no
// attempt is, and the node is alive.
func TestLostResult(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	s, err := pgstore.Open(t.Context(), address(t, f.server.DSN()), pgstore.Options{Schema: f.schema, PoolSize: 4, CommitTimeout: time.Second})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	lost, running := lead(begun), lead(begun)
	must(t, s.Append(t.Context(), lost))
	must(t, s.Append(t.Context(), running))
	must(t, s.Settle(t.Context(), lost.ID, outbox.Settlement{State: outbox.Delivered, At: time.Now(), LeadID: "lead-1"}))
	schema := pgx.Identifier{f.schema}.Sanitize()
	must(t, f.server.Exec(t.Context(), fmt.Sprintf("UPDATE %s.entries SET state = 4, settled_at = 0, lead_id = '', node = (SELECT id FROM %[1]s.nodes) WHERE id = '\\x%s'",
		schema, hexID(lost.ID))))
	var taken []outbox.Entry
	for deadline := time.Now().Add(time.Minute); len(taken) == 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the lead stays in flight")
		}
		must(t, s.Keep(t.Context()))
		taken = take(t, s, 10)
	}
	if len(taken) != 1 || taken[0].ID != lost.ID || taken[0].AmbiguousSince.IsZero() {
		t.Errorf("taken %+v", taken)
	}
	must(t, s.Settle(t.Context(), running.ID, outbox.Settlement{State: outbox.Delivered, At: time.Now(), LeadID: "lead-2"}))
}

func hexID(id string) string { return strings.ReplaceAll(id, "-", "") }
