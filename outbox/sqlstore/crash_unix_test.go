//go:build unix

package sqlstore_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

func init() { roles["churn"] = churn }

// churn appends, takes and settles entries until it is killed. It prints each acknowledged
// operation.
func churn(path string) error {
	store, err := open(path, sqlstore.Options{})
	if err != nil {
		return err
	}
	ctx := context.Background()
	var out sync.Mutex
	say := func(what, id string) {
		out.Lock()
		defer out.Unlock()
		_, _ = os.Stdout.WriteString(what + " " + id + "\n")
	}
	failed := make(chan error)
	for range 8 {
		go func() {
			for {
				e := newEntry()
				if err := store.Append(ctx, e); err != nil {
					failed <- err
				}
				say("appended", e.ID)
			}
		}()
	}
	go func() {
		for {
			now := time.Now()
			entries, err := store.Take(ctx, "default", now, now, 5, nil)
			if err != nil {
				failed <- err
			}
			for i, e := range entries {
				say("taken", e.ID)
				s := outbox.Settlement{State: outbox.Delivered, At: now, Lazy: i%2 == 0}
				if err := store.Settle(ctx, e.ID, s); err != nil {
					failed <- err
				}
				if !s.Lazy {
					say("settled", e.ID)
				}
			}
		}
	}()
	return <-failed
}

// A process that writes is killed several times. Every operation that it acknowledged must be in
// the store.
func TestKilled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	acknowledged := make(map[string]string) // the last acknowledged operation by id
	lives := 8
	if raced {
		lives = 3
	}
	for range lives {
		c := startChild(t, "churn", path)
		for range 50 + rand.IntN(3000) {
			if !c.lines.Scan() {
				t.Fatal("the process ended before it was killed")
			}
			noteLine(acknowledged, c.lines.Text())
		}
		must(t, c.Process.Kill())
		for c.lines.Scan() { // read the rest of its output
			noteLine(acknowledged, c.lines.Text())
		}
		_ = c.Wait()
		wantAcknowledged(t, path, acknowledged)
	}
	wantFiles(t, filepath.Dir(path), "outbox.db", "outbox.db.lock", "outbox.db.reserve")
}

func noteLine(acknowledged map[string]string, line string) {
	what, id, ok := strings.Cut(line, " ")
	if ok && len(id) == 36 && (what != "appended" || acknowledged[id] == "") {
		acknowledged[id] = what // "appended" may be printed after "taken"
	}
}

func wantAcknowledged(t *testing.T, path string, acknowledged map[string]string) {
	t.Helper()
	store, log := openObserved(t, path)
	for id, what := range acknowledged {
		e, err := store.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case what == "settled" && e.State != outbox.Delivered:
			t.Errorf("entry %s was settled as delivered, but is %s", id, e.State)
		case what == "taken" && e.State == outbox.Waiting && e.AmbiguousSince.IsZero():
			t.Errorf("entry %s was taken, but is not ambiguous", id)
		}
	}
	must(t, store.Close())
	for _, line := range log.All() {
		t.Errorf("log after a crash: %v, want none", line)
	}
}
