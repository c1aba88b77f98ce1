package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/record"
)

// Report is the result of [Store.Check].
type Report struct {
	// Entries is the number of entries that were checked.
	Entries int
	// Damaged lists the ids of entries whose checksum does not match.
	Damaged []string
	// Missing is the number of entries that were lost.
	Missing int
	// Problems lists SQLite's messages about the file's structure.
	Problems []string
}

// Check looks for damage while the store is in use. It checks the file's structure and, if thorough
// is true, also the indices and the checksum of each entry. It changes nothing.
func (s *Store) Check(ctx context.Context, thorough bool) (Report, error) {
	var report Report
	err := s.read(ctx, func(h *handle) (err error) {
		if report, err = h.check(ctx, thorough); err != nil || !thorough {
			return err
		}
		return h.checkEntries(ctx, &report)
	})
	return report, record.Wrap("checking the outbox", uuid.Nil, err)
}

const (
	// inspectAfter is the time from the start to the first check of the file and its indices.
	// inspectEvery is the time between later checks.
	inspectAfter = time.Minute
	inspectEvery = 24 * time.Hour
)

// inspect checks the file and its indices at intervals, until the context ends. It replaces a damaged
// file.
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
		report, err := h.check(ctx, true)
		if err == nil && len(report.Problems) > 0 {
			err = fmt.Errorf("%w: %s", errDamaged, report.Problems[0])
		}
		return err
	})
}

// maxProblems is the maximum number of problems in a report.
const maxProblems = 100

// check checks the file's structure and, if withIndices is true, whether all indices have all entries.
func (h *handle) check(ctx context.Context, withIndices bool) (report Report, err error) {
	pragma := "quick_check"
	if withIndices {
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
	err = conn.QueryRowContext(ctx, string(qMissing)).Scan(&report.Missing)
	return report, err
}

// checkEntries verifies the checksum of each entry.
func (h *handle) checkEntries(ctx context.Context, report *Report) error {
	var after uuid.UUID
	for {
		found, err := h.search(ctx, outbox.Filter{Limit: record.MaxPage}, after)
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
		if len(found) < record.MaxPage {
			return nil
		}
	}
}
