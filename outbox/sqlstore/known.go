package sqlstore

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox/record"
)

const knownColumns = 4

// hash returns the keyed hash under which a lead's id is remembered.
func (h *handle) hash(account, identifier string) []byte {
	return record.Hash(h.secret, account, identifier)
}

// knownSum returns the checksum of a remembered id.
func knownSum(hash []byte, at int64, leadID string) int64 {
	b := append([]byte(nil), hash...)
	b = binary.BigEndian.AppendUint64(b, uint64(at)) //nolint:gosec // only its bits matter
	return int64(crc32.Checksum(append(b, leadID...), castagnoli))
}

// remember stores the lead's id of a delivered row.
func (c *change) remember(r *row) error { return c.rememberBy(qRemember, r) }

// rememberBy stores the lead's id of a delivered row with the given query.
func (c *change) rememberBy(q query, r *row) error {
	e := &r.entry
	if of := (record.Record{State: r.state, Entry: *e}); !of.IsRecalled() {
		return nil
	}
	hash, at := c.hash(e.Account, e.Identifier), record.Millis(e.SettledAt)
	_, err := c.exec(q, hash, at, e.LeadID, knownSum(hash, at, e.LeadID))
	return err
}

// Recall implements [outbox.Store].
func (s *Store) Recall(ctx context.Context, account, identifier string) (leadID string, known bool, err error) {
	err = s.read(ctx, func(h *handle) error {
		var at, crc int64
		hash := h.hash(account, identifier)
		err := h.reads[qRecall].QueryRowContext(ctx, hash).Scan(&at, &leadID, &crc)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		// An id whose checksum does not match is unknown.
		known = err == nil && crc == knownSum(hash, at, leadID)
		return explainScan(err)
	})
	if err != nil || !known {
		return "", false, record.Wrap("recalling a lead's id", uuid.Nil, err)
	}
	return leadID, true, nil
}

// Forget implements [outbox.Store].
func (s *Store) Forget(ctx context.Context, account, identifier string) error {
	return s.do(ctx, "forgetting a lead's id", uuid.Nil, &operation{run: func(c *change) error {
		affected, err := c.exec(qForget, c.hash(account, identifier))
		c.erased = c.erased || affected > 0
		return err
	}})
}

// ForgetBefore implements [outbox.Store].
func (s *Store) ForgetBefore(ctx context.Context, before time.Time, limit int) (forgotten int, err error) {
	err = s.do(ctx, "forgetting old lead ids", uuid.Nil, &operation{run: func(c *change) error {
		affected, err := c.exec(qForgetOld, record.Millis(before), limit)
		forgotten = int(affected)
		c.erased = c.erased || affected > 0
		return err
	}})
	if err != nil {
		return 0, err
	}
	return forgotten, nil
}
