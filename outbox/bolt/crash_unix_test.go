//go:build unix

package bolt_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/bolt"
)

func init() { roles["churn"] = churn }

// churn appends, takes and settles, and says what has been acknowledged, until
// it is killed.
func churn(path string) error {
	store, err := bolt.Open(path, bolt.Options{})
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
			for _, e := range entries {
				say("taken", e.ID)
				if err := store.Settle(ctx, e.ID, outbox.Settlement{State: outbox.Delivered, At: now}); err != nil {
					failed <- err
				}
				say("settled", e.ID)
			}
		}
	}()
	go func() { // so that some are killed in the midst of one
		for range time.Tick(5 * time.Millisecond) {
			if err := store.Checkpoint(); err != nil {
				failed <- err
			}
		}
	}()
	return <-failed
}

// TestKilled kills a process that writes, again and again. Everything that it
// had acknowledged must be there.
func TestKilled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	acknowledged := make(map[string]string) // id to the last thing said of it
	for range 5 {
		c := startChild(t, "churn", path)
		for range 50 + rand.IntN(400) {
			if !c.lines.Scan() {
				t.Fatal("the process ended before it was killed")
			}
			noteLine(acknowledged, c.lines.Text())
		}
		must(t, c.Process.Kill())
		for c.lines.Scan() { // what it had said already
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
		acknowledged[id] = what // "appended" may be said after "taken"
	}
}

func wantAcknowledged(t *testing.T, path string, acknowledged map[string]string) {
	t.Helper()
	store := openAt(t, path)
	for id, what := range acknowledged {
		e, err := store.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case what == "settled" && e.State != outbox.Delivered:
			t.Errorf("entry %s was settled, and is %s", id, e.State)
		case what == "taken" && e.State == outbox.Waiting && e.AmbiguousSince.IsZero():
			t.Errorf("entry %s was taken, and does not say so", id)
		}
	}
	must(t, store.Close())
}

// TestPowerLost loses what a checkpoint had written but not yet synced: any
// part of its pages may be on disk, but not yet its meta page. With the journal
// the file must then hold all that it did.
func TestPowerLost(t *testing.T) {
	t.Parallel()
	const pageSize = 4096
	dir := t.TempDir()
	path := filepath.Join(dir, "outbox.db")
	store := openAt(t, path)
	random := rand.New(rand.NewPCG(1, 2))
	appendMany(t, store, 200)
	must(t, store.Checkpoint())
	var taken []outbox.Entry
	for round := range 60 {
		now := time.Now()
		var err error
		switch round % 4 {
		case 0:
			e := newEntry()
			e.Payload = make([]byte, random.IntN(20_000))
			err = store.Append(t.Context(), e)
		case 1:
			taken, err = store.Take(t.Context(), "default", now, now, 8, nil)
		case 2:
			err = store.Settle(t.Context(), taken[0].ID, outbox.Settlement{State: outbox.Delivered, At: now})
		case 3:
			_, err = store.Expire(t.Context(), outbox.Delivered, now.Add(time.Hour), 5)
		}
		must(t, err)
		if random.IntN(3) == 0 {
			continue // the checkpoint is of several
		}
		want := dump(t, store)
		before, err := os.ReadFile(path)
		must(t, err)
		must(t, store.Checkpoint())
		journal, err := os.ReadFile(path + ".journal")
		must(t, err)
		after, err := os.ReadFile(path)
		must(t, err)
		image := bytes.Clone(after)
		for at := 0; at < len(before); at += pageSize {
			if at < 2*pageSize || random.IntN(2) == 0 {
				copy(image[at:], before[at:min(at+pageSize, len(before))])
			}
		}
		copyPath := filepath.Join(dir, fmt.Sprintf("image-%d.db", round))
		must(t, os.WriteFile(copyPath, image, 0o600))
		must(t, os.WriteFile(copyPath+".journal", journal, 0o600))
		lost := openAt(t, copyPath)
		if got := dump(t, lost); !maps.Equal(want, got) {
			t.Fatalf("round %d: %d entries before the checkpoint, %d after power was lost in it",
				round, len(want), len(got))
		}
		must(t, lost.Close())
	}
	corrupt, err := filepath.Glob(filepath.Join(dir, "*.corrupt-*"))
	must(t, err)
	if len(corrupt) > 0 {
		t.Errorf("a crash was taken for damage: %q", corrupt)
	}
}
