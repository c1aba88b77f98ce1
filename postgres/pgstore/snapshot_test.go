package pgstore_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leadwire/caddy-telecrm/postgres/pgstore"
)

// A transaction that stays open keeps the dead versions of many entries. Taking leads must not become
// much slower by that.
func TestOldSnapshot(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	s := f.join(t, "a")
	before := claims(t, s)
	analyst, err := pgx.Connect(t.Context(), f.server.DSN())
	must(t, err)
	defer analyst.Close(t.Context())
	_, err = analyst.Exec(t.Context(), "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM "+f.schema+".entries")
	must(t, err)
	must(t, f.server.Exec(t.Context(), fmt.Sprintf(`INSERT INTO %[1]s.entries SELECT decode(lpad(to_hex(n), 32, '0'), 'hex'), 'default', '', '', 1, 1, n,
		0, '', 0, 0, 0, '', '', 0, NULL FROM generate_series(1, 50000) n; UPDATE %[1]s.entries SET state = 2, due_at = 0, settled_at = 1 WHERE id < '\x01'`, f.schema)))
	during := claims(t, s)
	state, err := s.Fleet(t.Context())
	must(t, err)
	if state.OpenFor == 0 {
		t.Error("the state of the fleet does not have the open transaction")
	}
	if during > 3*before {
		t.Errorf("taking a lead took %v, and %v with an old snapshot", before, during)
	}
}

// claims takes leads one after another and returns the median time of a take. Other programs on a
// busy machine decide the 99th percentile.
func claims(t *testing.T, s *pgstore.Store) time.Duration {
	t.Helper()
	var took []time.Duration
	for range 200 {
		must(t, s.Append(t.Context(), lead()))
		_, _, err := s.NextDue(t.Context(), "default")
		must(t, err)
		begun := time.Now()
		if len(take(t, s, 1)) != 1 {
			t.Fatal("no lead was taken")
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	t.Logf("taking a lead took %v, p99 %v", took[len(took)/2], took[len(took)*99/100])
	return took[len(took)/2]
}
