package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
)

// Report is what [Store.Check] found.
type Report struct {
	// Entries is how many entries were looked at.
	Entries int
	// Damaged are the ids of those whose checksum does not match.
	Damaged []string
	// Missing is how many more there should be.
	Missing int
	// Problems are SQLite's own words on the file's structure.
	Problems []string
}

// Check looks for damage, while the store goes on: of the file's structure, and if it is thorough,
// also of indices and of each entry. It changes nothing.
func (s *Store) Check(ctx context.Context, thorough bool) (Report, error) {
	var report Report
	err := s.read(ctx, func(h *handle) (err error) {
		report, err = h.check(ctx, thorough)
		return err
	})
	return report, wrap("checking the outbox", uuid.Nil, err)
}

const (
	// inspectAfter is how long after the start the file's structure is checked, and inspectEvery
	// how often from then on.
	inspectAfter = time.Minute
	inspectEvery = 24 * time.Hour
)

// inspect checks the file's structure now and then, and has it replaced if it is damaged, until the
// context ends.
func (s *Store) inspect(ctx context.Context) {
	timer := time.NewTimer(inspectAfter)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if err := s.inspectNow(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("outbox could not be checked for damage", zap.String("file", s.path), zap.Error(err))
		}
		timer.Reset(inspectEvery)
	}
}

func (s *Store) inspectNow(ctx context.Context) error {
	return s.readNow(ctx, func(h *handle) error {
		report, err := h.check(ctx, false)
		if err == nil && len(report.Problems) > 0 {
			err = fmt.Errorf("%w: %s", errDamaged, report.Problems[0])
		}
		return err
	})
}

// maxProblems is how many problems a check lists.
const maxProblems = 100

func (h *handle) check(ctx context.Context, thorough bool) (report Report, err error) {
	pragma := "quick_check"
	if thorough {
		pragma = "integrity_check"
	}
	conn, err := h.readers.Conn(ctx)
	if err != nil {
		return report, err
	}
	defer conn.Close()
	rows, err := conn.QueryContext(ctx, fmt.Sprintf("PRAGMA %s(%d)", pragma, maxProblems))
	if err != nil {
		return report, err
	}
	defer rows.Close()
	for rows.Next() {
		var problem string
		if err := rows.Scan(&problem); err != nil {
			return report, err
		}
		if problem != "ok" {
			report.Problems = append(report.Problems, problem)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return report, err
	}
	if err := conn.QueryRowContext(ctx, h.dialect.bind(qMissing)).Scan(&report.Missing); err != nil || !thorough {
		return report, err
	}
	return report, h.checkEntries(ctx, &report)
}

// checkEntries looks at each entry.
func (h *handle) checkEntries(ctx context.Context, report *Report) error {
	var after uuid.UUID
	for {
		found, err := queryRows(ctx, h.reads[qList], after[:], maxPage)
		if err != nil {
			return err
		}
		for _, r := range found {
			after = r.id
			report.Entries++
			if !r.whole {
				report.Damaged = append(report.Damaged, r.entry.ID)
			}
		}
		if len(found) < maxPage {
			return nil
		}
	}
}
