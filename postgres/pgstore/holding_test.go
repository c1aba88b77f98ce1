package pgstore_test

import (
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// Any node knows which one has a lead in flight.
func TestHolders(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.join(t, "a"), f.join(t, "b")
	byA, byB, waiting, settled := lead(begun), lead(begun), lead(), lead(begun)
	must(t, a.Append(t.Context(), byA))
	must(t, b.Append(t.Context(), byB))
	must(t, b.Append(t.Context(), waiting)) // reserved for b
	must(t, b.Append(t.Context(), settled))
	must(t, b.Settle(t.Context(), settled.ID, outbox.Settlement{State: outbox.Delivered, At: time.Now()}))
	names, err := a.Holders(t.Context(), []string{byA.ID, byB.ID, waiting.ID, settled.ID, lead().ID, "nonsense"})
	if err != nil || len(names) != 2 || names[byA.ID] != "a" || names[byB.ID] != "b" {
		t.Errorf("the nodes are %v, error %v", names, err)
	}
	if names, err = a.Holders(t.Context(), nil); err != nil || len(names) > 0 {
		t.Errorf("without ids, the nodes are %v, error %v", names, err)
	}
}
