package sqlstore

import (
	"context"
	"errors"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// Checkpoint writes the log to the file.
func (s *Store) Checkpoint() error {
	return s.await(context.Background(), &operation{alone: func() error {
		if !s.writer.checkpointNow("PASSIVE") {
			return errors.New("some of the log was not written to the file")
		}
		return nil
	}})
}

// Commits returns the number of commits so far.
func (s *Store) Commits() (n int64) {
	_ = s.await(context.Background(), &operation{alone: func() error {
		n = s.handle.ledger.commits
		return nil
	}})
	return n
}

// AppendAgain appends an entry in two commits, as if the first had failed but turned out to be
// durable. If damaged is true, the file is found damaged in between.
func (s *Store) AppendAgain(ctx context.Context, entry outbox.Entry, damaged bool) error {
	r, err := newRow(entry)
	if err != nil {
		return err
	}
	add := func(c *change) error { return c.add(&r) }
	fail := func() error {
		delete(s.writer.attempts, r.id)
		if !damaged {
			return nil
		}
		return s.writer.repair(errDamaged)
	}
	return errors.Join(s.await(ctx, &operation{run: add}), s.await(ctx, &operation{alone: fail}), s.await(ctx, &operation{run: add}))
}

// Inspect runs the periodic check of the file's structure now.
func (s *Store) Inspect(ctx context.Context) error { return s.inspectNow(ctx) }

// RowPages returns the page on which each entry's row begins.
func RowPages(path string) map[string]uint32 {
	l, err := openLeftovers(path)
	if err != nil {
		panic(err)
	}
	defer l.close()
	pages := make(map[string]uint32)
	for page := uint32(1); int64(page-1)*pageSize < l.size; page++ {
		_ = l.leaf(l.page(page), page, func(values []any) error {
			if r := decodeRow(values); r.whole {
				pages[r.entry.ID] = page
			}
			return nil
		})
	}
	return pages
}
