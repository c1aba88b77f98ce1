package spool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// Append implements [outbox.Store]. If the primary does not accept the entry, it goes to a spool.
func (s *Store) Append(ctx context.Context, entry outbox.Entry) error {
	v, leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err := s.checkNew(ctx, v, entry.ID); err != nil {
		return err
	}
	if s.isDoubtful(entry.ID) {
		return s.appendUnsure(ctx, v, entry)
	}
	if v.primary == nil {
		err := s.appendToSpool(ctx, v, entry)
		if err == nil && v.away != nil {
			s.refuse(v.away)
		}
		return err
	}
	if v.refused && s.appendToSpool(ctx, v, entry) == nil {
		return nil
	}
	err = s.appendToPrimary(ctx, v.primary, entry)
	if err == nil && !entry.BegunAt.IsZero() {
		v.primary.begun(entry)
	}
	switch {
	case errors.Is(err, outbox.ErrUnsure):
		s.doubt(entry.ID)
		if !entry.BegunAt.IsZero() {
			return fmt.Errorf("appending entry %s: %w: %w", entry.ID, outbox.ErrBusy, err)
		}
		return s.appendUnsure(ctx, v, entry)
	case err == nil, !refuses(v.primary, err):
		return err
	}
	return s.appendRefused(ctx, v, entry, err)
}

// checkNew returns an error wrapping [outbox.ErrExists] if a spool contains the entry.
func (s *Store) checkNew(ctx context.Context, v view, id string) error {
	others := v.spools
	if v.primary == nil && len(others) > 0 {
		others = others[1:] // the first looks when the entry is appended
	}
	for _, m := range others {
		if _, err := m.Get(ctx, id); err == nil {
			return fmt.Errorf("appending entry %s: %w", id, outbox.ErrExists)
		}
	}
	return nil
}

// refuses reports whether a store that returned the error for an entry does not accept others
// either.
func refuses(m *member, err error) bool {
	for _, answer := range []error{context.Canceled, context.DeadlineExceeded, outbox.ErrExists, outbox.ErrState, outbox.ErrBusy, outbox.ErrRepeat, outbox.ErrClosed} {
		if errors.Is(err, answer) {
			return false
		}
	}
	return m.Health() != nil || errors.Is(err, outbox.ErrInUse) || errors.Is(err, outbox.ErrFull)
}

// appendRefused appends an entry to a spool because the primary has refused it. A commit that failed
// may have stored the entry nevertheless, which only reading it can tell. If that fails too, nothing
// is taken from the primary until the spool has been compared with it.
func (s *Store) appendRefused(ctx context.Context, v view, entry outbox.Entry, refusal error) error {
	doubtful := false
	if _, shared := v.primary.Store.(outbox.Shared); !shared { // which would have answered ErrUnsure
		_, err := v.primary.Get(ctx, entry.ID)
		if err == nil {
			return nil
		}
		if doubtful = !errors.Is(err, outbox.ErrNotFound); doubtful {
			s.doubt(entry.ID)
		}
	}
	err := s.appendToSpool(ctx, v, entry)
	s.mu.Lock()
	switch {
	case err != nil:
		delete(s.doubtful, key(entry.ID))
	case doubtful:
		s.doubtful[key(entry.ID)] = true
		fallthrough
	default:
		s.refused = true
	}
	s.mu.Unlock()
	s.signal()
	if err != nil {
		s.opts.Logger.Debug("there is no spool for a lead", zap.Error(err))
		return refusal
	}
	s.setTrouble(refusal)
	return nil
}

// refuse records that the primary does not accept entries.
func (s *Store) refuse(because error) {
	s.mu.Lock()
	s.refused = true
	s.mu.Unlock()
	s.setTrouble(because)
	s.signal()
}

// doubt records that an entry of a spool may be in the primary too.
func (s *Store) doubt(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubtful[key(id)] = false
	s.hidden = true
}

// appendToSpool appends an entry to the first spool that accepts it. If none does, it creates one.
func (s *Store) appendToSpool(ctx context.Context, v view, entry outbox.Entry) error {
	var tried []*member
	for _, m := range v.spools {
		if !s.accepts(m.place) || len(m.movedIDs()) > 0 {
			continue
		}
		if final, err := s.tryAppend(ctx, m, entry); final {
			return err
		}
		tried = append(tried, m)
	}
	for {
		m, err := s.newSpool(ctx, tried)
		if err != nil {
			return fmt.Errorf("appending entry %s: %w", entry.ID, errors.Join(err, s.cause()))
		}
		if final, err := s.tryAppend(ctx, m, entry); final {
			return err
		}
		tried = append(tried, m)
	}
}

// tryAppend appends an entry to a spool. The result is final unless the spool refuses the entry and
// certainly did not store it.
func (s *Store) tryAppend(ctx context.Context, m *member, entry outbox.Entry) (final bool, err error) {
	err = m.Append(ctx, entry)
	if err != nil && refuses(m, err) {
		_, reading := m.Get(ctx, entry.ID)
		if reading == nil {
			err = nil
		} else if errors.Is(reading, outbox.ErrNotFound) {
			s.opts.Logger.Debug("a spool does not accept a lead", zap.String("spool", m.file), zap.Error(err))
			return false, err
		}
	}
	if err == nil && !entry.BegunAt.IsZero() {
		m.begun(entry)
	}
	return true, err
}

// cause returns why the primary is not used.
func (s *Store) cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	trouble := s.trouble
	if shared := s.sharedPrimary(); shared != nil && trouble == nil {
		trouble = shared.Health()
	}
	if trouble != nil && s.primary != nil && s.sharedPrimary() == nil {
		return trouble
	}
	return outbox.Away(trouble)
}

// Adopt implements [outbox.Store].
func (s *Store) Adopt(ctx context.Context, entries []outbox.Adoption) error {
	v, leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	to := v.home()
	if to == nil {
		return fmt.Errorf("adopting entries: %w", s.cause())
	}
	parts := make(map[*member][]outbox.Adoption)
	for _, e := range entries {
		home := to
		for _, m := range v.spools {
			if _, err := m.Get(ctx, e.ID); err == nil {
				home = m
			}
		}
		parts[home] = append(parts[home], e)
	}
	for m, part := range parts {
		if err := m.Adopt(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// onEntry calls f with the members until one has the entry.
func (s *Store) onEntry(ctx context.Context, id string, f func(view, *member) error) error {
	v, leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	var failure error
	for _, m := range v.members() {
		if m.hasMoved(id) {
			continue
		}
		err := f(v, m)
		switch {
		case err == nil, errors.Is(err, outbox.ErrState), ctx.Err() != nil:
			return err
		case !errors.Is(err, outbox.ErrNotFound):
			failure = errors.Join(failure, err) // another member may have the entry
		}
	}
	if failure != nil {
		return failure
	}
	if v.primary == nil {
		return fmt.Errorf("entry %s: %w; it may be in the outbox: %w", id, outbox.ErrNotFound, s.cause())
	}
	return fmt.Errorf("entry %s: %w", id, outbox.ErrNotFound)
}

// Advance implements [outbox.Store].
func (s *Store) Advance(ctx context.Context, id string, p outbox.Progress) error {
	return s.onEntry(ctx, id, func(_ view, m *member) error { return m.Advance(ctx, id, p) })
}

// Settle implements [outbox.Store].
func (s *Store) Settle(ctx context.Context, id string, settlement outbox.Settlement) error {
	return s.onEntry(ctx, id, func(v view, m *member) error {
		if err := m.Settle(ctx, id, settlement); err != nil {
			return err
		}
		of := m.ended(id)
		if settlement.State == outbox.Delivered && settlement.LeadID != "" && of.identifier != "" {
			s.forgetElsewhere(ctx, v, m, of)
		}
		if m.spool != nil {
			s.signal()
		}
		return nil
	})
}

// forgetElsewhere makes the members other than m forget older ids of a person's lead.
func (s *Store) forgetElsewhere(ctx context.Context, v view, m *member, of person) {
	for _, other := range v.members() {
		if other == m {
			continue
		}
		_, known, err := other.Recall(ctx, of.account, of.identifier)
		if known {
			err = other.Forget(ctx, of.account, of.identifier)
		}
		if err != nil {
			s.opts.Logger.Debug("an older id of a lead may still be remembered", zap.Error(err))
		}
	}
}

// Retry implements [outbox.Store].
func (s *Store) Retry(ctx context.Context, id string, at time.Time) error {
	return s.onEntry(ctx, id, func(_ view, m *member) error { return m.Retry(ctx, id, at) })
}

// Get implements [outbox.Store].
func (s *Store) Get(ctx context.Context, id string) (entry outbox.Entry, err error) {
	err = s.onEntry(ctx, id, func(_ view, m *member) (err error) {
		entry, err = m.Get(ctx, id)
		return err
	})
	return entry, err
}

// Erase implements [outbox.Store]. It removes the entry from every member that has it.
func (s *Store) Erase(ctx context.Context, id string) error {
	erased := false
	err := s.onEntry(ctx, id, func(_ view, m *member) error {
		err := m.Erase(ctx, id)
		if err == nil {
			erased = true
			return outbox.ErrNotFound // look at the other members too
		}
		return err
	})
	if erased && errors.Is(err, outbox.ErrNotFound) {
		return nil
	}
	return err
}
