package outboxtest

import (
	"errors"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// A store that several processes share has one entry with a mark. Other stores ignore marks. A mark
// is not part of the stored entry.
func testMark(t *testing.T, f *fixture) {
	mark := outbox.Mark{Key: "the same lead", For: time.Hour}
	first := f.append(t, func(e *outbox.Entry) { e.Mark = mark })
	second := first
	second.ID = newID()
	err := f.store.Append(t.Context(), second)
	if _, shared := f.backend.(Sharer); !shared {
		must(t, err)
		second.Mark = outbox.Mark{}
		f.wantEntry(t, second)
	} else if repeat, is := errors.AsType[*outbox.RepeatError](err); !is || repeat.ID != first.ID {
		t.Errorf("appending a second entry with a mark: error %v", err)
	}
	f.reopen(t)
	first.Mark = outbox.Mark{}
	f.wantEntry(t, first)

	must(t, f.store.Erase(t.Context(), first.ID))
	third := f.append(t, func(e *outbox.Entry) { e.Mark = mark })
	third.Mark = outbox.Mark{}
	f.wantEntry(t, third)
	f.append(t, func(e *outbox.Entry) { e.Mark = outbox.Mark{Key: "another lead", For: time.Hour} })
}
