package pgstore

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// minSkew is the difference of clocks that is not worth a change. It is longer than a statement
// usually takes, during which the database tells its time.
const minSkew = time.Second

// Skew implements [outbox.Shared].
func (s *Store) Skew() time.Duration { return time.Duration(s.skew.Load()) }

// now returns the current time by the database's clock.
func (s *Store) now() time.Time { return s.opts.Now().Add(s.Skew()) }

// askTime carries out a statement that changes one row and returns the database's time. It compares
// the clocks, and reports whether the row was changed.
func (s *Store) askTime(ctx context.Context, q query, args ...any) (changed bool, err error) {
	var theirs time.Time
	asked := s.opts.clock()
	err = s.pool.QueryRowContext(ctx, s.text(q), args...).Scan(&theirs)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	took := s.opts.clock().Sub(asked)
	skew := theirs.Sub(asked.Add(took / 2))
	if took < minSkew && (skew-s.Skew()).Abs() >= minSkew {
		s.skew.Store(int64(skew))
	}
	return true, nil
}
