package delivery

import (
	"context"
	"errors"
	"fmt"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// Park adds the lead to the outbox as parked, without an attempt. It is sent only after a
// Retry. The reason must not contain values of the lead.
func (e *Engine) Park(ctx context.Context, s Submission, reason string) error {
	l, err := e.lane(s.Account)
	if err != nil {
		return fmt.Errorf("parking lead: %w", err)
	}
	entry, err := l.newEntry(s)
	if err != nil {
		return fmt.Errorf("parking lead: %w", err)
	}
	entry.State, entry.Reason = outbox.Parked, reason
	entry.SettledAt = entry.CreatedAt
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	if err := e.store.Append(ctx, entry); err != nil {
		return fmt.Errorf("parking lead: %w", err)
	}
	return nil
}

// NeverAttempted reports whether the entry is parked without an attempt.
func NeverAttempted(entry outbox.Entry) bool {
	return entry.State == outbox.Parked && entry.BegunAt.IsZero()
}

// Supersede erases an entry of the account and form that was parked without an attempt, because its
// lead was submitted again. It returns false if there is no such entry, or if an operator has
// retried it.
func (e *Engine) Supersede(ctx context.Context, id, account, form string) (removed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	entry, err := e.store.Get(ctx, id)
	switch {
	case errors.Is(err, outbox.ErrNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("superseding lead: %w", err)
	case entry.Account != account || entry.Form != form || !NeverAttempted(entry):
		return false, nil
	}
	if err := e.store.Erase(ctx, id); err != nil {
		return false, fmt.Errorf("superseding lead: %w", err)
	}
	return true, nil
}
