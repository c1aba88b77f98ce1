package outboxtest

import (
	"slices"
	"sync"
	"testing"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// testConcurrent appends, takes and settles in many goroutines. Each entry must be taken exactly
// once.
func testConcurrent(t *testing.T, f *fixture) {
	const appenders, each, takers = 8, 25, 4
	var work sync.WaitGroup
	var mu sync.Mutex
	var appended, delivered []string
	for range appenders {
		work.Go(func() {
			for range each {
				e := f.append(t)
				mu.Lock()
				appended = append(appended, e.ID)
				mu.Unlock()
			}
		})
	}
	for range takers {
		work.Go(func() {
			for {
				now := f.clock.now()
				entries, err := f.store.Take(t.Context(), "default", now, now, 3, nil)
				if err != nil {
					t.Errorf("Take: %v", err)
					return
				}
				for _, e := range entries {
					if err := f.store.Settle(t.Context(), e.ID, outbox.Settlement{State: outbox.Delivered, At: now}); err != nil {
						t.Errorf("Settle: %v", err)
					}
				}
				mu.Lock()
				delivered = append(delivered, idsOf(entries)...)
				all := len(delivered) >= appenders*each
				mu.Unlock()
				if all || t.Failed() {
					return
				}
				if _, err := f.store.List(t.Context(), outbox.Filter{Limit: 5}); err != nil {
					t.Errorf("List: %v", err)
				}
				if _, _, err := f.store.Recall(t.Context(), "default", "918123456789"); err != nil {
					t.Errorf("Recall: %v", err)
				}
				if _, err := f.store.Counts(t.Context()); err != nil {
					t.Errorf("Counts: %v", err)
				}
				if _, _, err := f.store.NextDue(t.Context(), "default"); err != nil {
					t.Errorf("NextDue: %v", err)
				}
			}
		})
	}
	work.Wait()
	slices.Sort(appended)
	slices.Sort(delivered)
	if !slices.Equal(appended, delivered) {
		t.Errorf("%d appended and %d delivered entries differ", len(appended), len(delivered))
	}
	f.crash(t)
	f.wantCounts(t, outbox.Count{Account: "default", State: outbox.Delivered, Entries: appenders * each})
}
