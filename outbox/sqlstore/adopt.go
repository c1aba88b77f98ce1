package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/record"
)

// Adopt implements [outbox.Store]. An entry whose checksum did not match in its own store stays
// parked as damaged.
func (s *Store) Adopt(ctx context.Context, entries []outbox.Adoption) error {
	rows, size := make([]row, len(entries)), 0
	for i, e := range entries {
		var err error
		if rows[i], err = s.adoptedRow(e.Entry); err != nil {
			return record.Wrap("adopting", rows[i].id, err)
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
	of, err := record.Adopted(entry)
	if err != nil {
		return row{id: of.ID}, err
	}
	damaged := of.State == record.Parked && entry.Reason == reasonDamaged
	if damaged {
		of.State = record.Damaged
		if entry.SettledAt.IsZero() {
			of.Entry.SettledAt = s.now() // so that it expires
		}
	}
	r := rowOf(of)
	if damaged {
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
	case r.state == record.Damaged:
		return false
	case !own.whole, r.entry.IsLater(own.entry):
		return true
	}
	return own.state == record.Taken && !own.entry.IsLater(r.entry)
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
