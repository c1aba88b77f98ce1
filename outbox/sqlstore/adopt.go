package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// Adopt implements [outbox.Store]. An entry whose checksum did not match in its own store stays
// parked as damaged.
func (s *Store) Adopt(ctx context.Context, entries []outbox.Adoption) error {
	rows, size := make([]row, len(entries)), 0
	for i, e := range entries {
		var err error
		if rows[i], err = s.adoptedRow(e.Entry); err != nil {
			return wrap("adopting", rows[i].id, err)
		}
		size += entryBytes + len(e.Payload)
	}
	return s.do(ctx, "adopting entries", uuid.Nil, &operation{
		size:  size,
		grows: true,
		run: func(c *change) error {
			for i := range rows {
				if err := c.adopt(rows[i], entries[i].Recalled); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// adoptedRow returns the row of an entry of another store.
func (s *Store) adoptedRow(entry outbox.Entry) (row, error) {
	id, err := parseID(entry.ID)
	if err != nil {
		return row{}, err
	}
	r := row{id: id, state: rowState(cmp.Or(entry.State, outbox.Waiting)), entry: entry}
	if r.state == 0 {
		return r, fmt.Errorf("state must be one of %v, got %q: %w", outbox.States(), entry.State, outbox.ErrState)
	}
	if err := checkSizes(entry); err != nil {
		return r, err
	}
	if r.state == stateParked && entry.Reason == reasonDamaged {
		r.state = stateDamaged
		if entry.SettledAt.IsZero() {
			r.entry.SettledAt = s.now() // so that it expires
		}
	}
	r.measure(entry.Payload)
	r.seal()
	if r.state == stateDamaged {
		r.crc = ^r.crc // a damaged entry must not look intact
	}
	return r, nil
}

// adopt adds a row of another store, unless the store has a later version of it.
func (c *change) adopt(r row, recalled bool) error {
	found, err := c.find(r.id)
	switch {
	case err == nil && !r.replaces(found):
	case err == nil:
		if err := c.remove(found); err != nil {
			return err
		}
		fallthrough
	case errors.Is(err, outbox.ErrNotFound):
		if err := c.add(&r); err != nil {
			return err
		}
	default:
		return err
	}
	if !recalled {
		return nil
	}
	return c.rememberBy(qRememberLater, &r)
}

// replaces reports whether a row of another store replaces the store's own.
func (r *row) replaces(own *row) bool {
	switch {
	case r.state == stateDamaged:
		return false
	case !own.whole, r.entry.IsLater(own.entry):
		return true
	}
	return own.state == stateTaken && !own.entry.IsLater(r.entry)
}

// Remove closes the store and removes its files while it still holds the lock.
func (s *Store) Remove() error {
	s.removing.Store(true)
	return s.Close()
}

// removeFiles removes the files of the closed database. The lock file is the last.
func (w *writer) removeFiles() {
	remove := func(suffix string) error {
		if err := os.Remove(w.path + suffix); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := cmp.Or(remove(suffixReserve), removeDatabase(w.path), remove(suffixLock)); err != nil {
		w.log.Warn("an outbox file that is no longer needed could not be removed", zap.String("file", w.path), zap.Error(err))
	}
}
