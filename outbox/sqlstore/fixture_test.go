package sqlstore_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

// payload is as long as the payload of a typical lead.
var payload = []byte(strings.Repeat(`{"fields":{"name":"Asha Example","phone":"918123456789"}}`, 7)[:350])

func newEntry() outbox.Entry {
	now := time.Now()
	return outbox.Entry{
		ID:         uuid.Must(uuid.NewV7()).String(),
		Account:    "default",
		Form:       "/enquire",
		Identifier: "918123456789",
		Payload:    payload,
		CreatedAt:  now,
		DueAt:      now,
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openAt(tb testing.TB, path string) *sqlstore.Store {
	tb.Helper()
	store, err := sqlstore.Open(context.Background(), path, sqlstore.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = store.Close() })
	return store
}

func mustAppend(tb testing.TB, store *sqlstore.Store) { mustAppendSized(tb, store, len(payload)) }

// mustAppendSized appends an entry whose payload has the given size.
func mustAppendSized(tb testing.TB, store *sqlstore.Store, size int) {
	e := newEntry()
	e.Payload = bytes.Repeat(payload, size/len(payload)+1)[:size]
	if err := store.Append(context.Background(), e); err != nil {
		tb.Error(err)
	}
}

func appendMany(tb testing.TB, store *sqlstore.Store, n int) {
	tb.Helper()
	appendSized(tb, store, n, len(payload))
}

// appendSized appends n entries at once, whose payloads have the given size.
func appendSized(tb testing.TB, store *sqlstore.Store, n, size int) {
	tb.Helper()
	const writers = 500
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			for i := w; i < n; i += writers {
				mustAppendSized(tb, store, size)
			}
		})
	}
	work.Wait()
}

// dump returns the state of each entry.
func dump(t *testing.T, store *sqlstore.Store) map[string]outbox.State {
	t.Helper()
	states := make(map[string]outbox.State)
	for _, e := range listAll(t, store) {
		states[e.ID] = e.State
	}
	return states
}

func listAll(t *testing.T, store *sqlstore.Store) []outbox.Entry {
	t.Helper()
	var all []outbox.Entry
	f := outbox.Filter{}
	for {
		page, err := store.List(t.Context(), f)
		must(t, err)
		if len(page) == 0 {
			return all
		}
		all = slices.Concat(all, page)
		f.After = page[len(page)-1].ID
	}
}

// wantFiles checks the names of the files in a folder against patterns.
func wantFiles(t *testing.T, dir string, patterns ...string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	must(t, err)
	names := make([]string, 0, len(files))
	for _, f := range files {
		names = append(names, f.Name())
	}
	ok := len(names) == len(patterns)
	for i := 0; ok && i < len(names); i++ {
		ok, _ = filepath.Match(patterns[i], names[i])
	}
	if !ok {
		t.Errorf("files %q, want %q", names, patterns)
	}
}
