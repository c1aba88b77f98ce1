package sqlstore

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// Each query finds its rows with an index, in order.
func TestQueryPlans(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "outbox.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 200 {
		if err := s.Append(t.Context(), outbox.Entry{ID: uuid.Must(uuid.NewV7()).String(), Account: "default"}); err != nil {
			t.Fatal(err)
		}
	}
	want := map[query]string{
		qByID: "entries_id", qBySeq: "PRIMARY KEY", qDue: "entries_due", qNextDue: "entries_due", qHidden: "entries_list", qAhead: "entries_due", qSearch: "entries_id",
		qInState: "entries_list", qSettled: "entries_settled", qRecall: "known_1", qForget: "known_1", qForgetOld: "known_at",
		qUpdate: "PRIMARY KEY", qSetAside: "PRIMARY KEY", qPostpone: "PRIMARY KEY", qRetryFailed: "entries_due", qDelete: "PRIMARY KEY",
		qLedger: "PRIMARY KEY", qSetClock: "PRIMARY KEY", qClock: "PRIMARY KEY",
		qCountIDs: "COVERING INDEX entries_id", qCountSettled: "COVERING INDEX entries_settled",
		qInsert: "", qRemember: "", qRememberLater: "", qInsertKnown: "",
	}
	for _, q := range append(writerQueries, readerQueries...) {
		index, ok := want[q]
		if !ok {
			t.Errorf("no index is listed for this query: %s", q)
		}
		plan := planOf(t, s.handle, q)
		if strings.Contains(plan, "SCAN") || strings.Contains(plan, "TEMP B-TREE") || !strings.Contains(plan, index) {
			t.Errorf("want %q for\n%s\ngot\n%s", index, q, plan)
		}
	}
}

func planOf(t *testing.T, h *handle, q query) string {
	t.Helper()
	args := make([]any, strings.Count(string(q), "?"))
	rows, err := h.conn.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+string(q), args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(detail + "\n")
	}
	return plan.String()
}
