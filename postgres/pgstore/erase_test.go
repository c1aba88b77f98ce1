package pgstore_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/postgres/pgstore"
)

func adopt(t *testing.T, s *pgstore.Store, entries ...outbox.Entry) {
	t.Helper()
	list := make([]outbox.Adoption, 0, len(entries))
	for _, e := range entries {
		list = append(list, outbox.Adoption{Entry: e, Recalled: true})
	}
	must(t, s.Adopt(t.Context(), list))
}

func has(t *testing.T, s outbox.Store, id string) bool {
	t.Helper()
	_, err := s.Get(t.Context(), id)
	if err != nil && !errors.Is(err, outbox.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

// An entry that was erased on one node does not come back from a spool of another one, whether the
// database had it or not. Others of the batch do.
func TestEraseEverywhere(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.join(t, "a"), f.join(t, "b")
	stored, spooled, kept := lead(), lead(), lead()
	must(t, a.Append(t.Context(), stored))
	must(t, a.EraseEverywhere(t.Context(), stored.ID))
	wantError(t, "erasing what is in a spool", a.EraseEverywhere(t.Context(), spooled.ID), outbox.ErrNotFound)
	wantError(t, "erasing it again", a.EraseEverywhere(t.Context(), spooled.ID), outbox.ErrNotFound)
	adopt(t, b, stored, kept, spooled)
	if has(t, b, stored.ID) || has(t, b, spooled.ID) || !has(t, b, kept.ID) {
		t.Errorf("adopted: %v, %v; another one: %v", has(t, b, stored.ID), has(t, b, spooled.ID), has(t, b, kept.ID))
	}
	// An entry that only moves away may come back.
	must(t, a.Erase(t.Context(), kept.ID))
	adopt(t, b, kept)
	if !has(t, a, kept.ID) {
		t.Error("an entry that had moved away was not adopted")
	}
	// A refusal changes nothing.
	flying := lead(begun)
	must(t, a.Append(t.Context(), flying))
	wantError(t, "erasing in flight", b.EraseEverywhere(t.Context(), flying.ID), outbox.ErrState)
	must(t, a.Settle(t.Context(), flying.ID, outbox.Settlement{State: outbox.Parked, At: time.Now()}))
	must(t, a.Erase(t.Context(), flying.ID))
	adopt(t, b, flying)
	if !has(t, b, flying.ID) {
		t.Error("an entry whose erasure was refused was not adopted")
	}
}

// A person who was erased does not come back from a spool, in any account, and neither does the id of
// their lead. Later posts of theirs, and other people, are kept.
func TestErasePerson(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.join(t, "a"), f.join(t, "b")
	of := func(identifier, account string, created time.Time) outbox.Entry {
		return lead(func(e *outbox.Entry) { e.Identifier, e.Account, e.CreatedAt = identifier, account, created })
	}
	before := time.Now().Add(-time.Minute)
	first, other, another := of("918123456789", "default", before), of("918123456789", "north", before), of("918123456780", "default", before)
	nobody := of("", "default", before)
	first.State, first.LeadID, first.SettledAt = outbox.Delivered, "lead-1", before
	must(t, a.ErasePerson(t.Context(), "918123456789"))
	adopt(t, b, first, other, another, nobody)
	if has(t, b, first.ID) || has(t, b, other.ID) || !has(t, b, another.ID) || !has(t, b, nobody.ID) {
		t.Error("the wrong leads were adopted")
	}
	if _, known, err := b.Recall(t.Context(), "default", "918123456789"); err != nil || known {
		t.Errorf("the id of the person's lead is known: %v, error %v", known, err)
	}
	again := of("918123456789", "default", time.Now().Add(time.Minute))
	adopt(t, b, again)
	if !has(t, b, again.ID) {
		t.Error("a later post was not adopted")
	}
	// The table does not tell who was erased.
	must(t, f.server.Exec(t.Context(), fmt.Sprintf("DO $$ BEGIN ASSERT (SELECT count(*) FROM %[1]s.erased WHERE position('918123456789' IN encode(key, 'escape')) > 0) = 0 AND (SELECT count(*) FROM %[1]s.erased) = 1; END $$",
		pgx.Identifier{f.schema}.Sanitize())))
}

// What was erased is forgotten after a while.
func TestErasedIsForgotten(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a := f.join(t, "a")
	old, young := lead(), lead()
	for _, e := range []outbox.Entry{old, young} {
		wantError(t, "erasing", a.EraseEverywhere(t.Context(), e.ID), outbox.ErrNotFound)
		if e.ID == old.ID {
			must(t, f.server.Exec(t.Context(), fmt.Sprintf("UPDATE %s.erased SET at = at - 31 * 86400000::bigint", pgx.Identifier{f.schema}.Sanitize())))
		}
	}
	must(t, a.Keep(t.Context()))
	adopt(t, a, old, young)
	if !has(t, a, old.ID) || has(t, a, young.ID) {
		t.Errorf("adopted after a month: %v, before: %v", has(t, a, old.ID), has(t, a, young.ID))
	}
}

// An erasure and an adoption at the same time leave nothing, whichever is first.
func TestEraseWhileAdopting(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.join(t, "a"), f.join(t, "b")
	for range 100 {
		e := lead()
		var work sync.WaitGroup
		work.Go(func() {
			if err := a.EraseEverywhere(t.Context(), e.ID); err != nil && !errors.Is(err, outbox.ErrNotFound) {
				t.Error(err)
			}
		})
		work.Go(func() {
			if err := b.Adopt(t.Context(), []outbox.Adoption{{Entry: e}}); err != nil {
				t.Error(err)
			}
		})
		work.Wait()
		if has(t, a, e.ID) {
			t.Fatal("an erased lead was adopted")
		}
	}
}
