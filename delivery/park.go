package delivery

import (
	"context"
	"errors"
	"fmt"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// SetAside journals the lead as parked for the given reason, which must hold
// no values. It is kept for a person to look at, and sent only after a Retry.
func (e *Engine) SetAside(ctx context.Context, s Submission, reason string) error {
	l, err := e.lane(s.Account)
	if err != nil {
		return fmt.Errorf("setting a lead aside: %w", err)
	}
	payload, err := EncodeJob(s.Job)
	if err != nil {
		return fmt.Errorf("setting a lead aside: encoding it: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	now := e.now()
	err = e.store.Append(ctx, outbox.Entry{
		ID:         s.ID,
		Account:    s.Account,
		Form:       s.Form,
		Identifier: l.identifierOf(s.Lead),
		Payload:    payload,
		CreatedAt:  now,
		State:      outbox.Parked,
		SettledAt:  now,
		Reason:     reason,
	})
	if err != nil {
		return fmt.Errorf("setting a lead aside: %w", err)
	}
	return nil
}

// IsSetAside reports whether the entry was set aside and nobody has had it
// retried since.
func IsSetAside(entry outbox.Entry) bool {
	return entry.State == outbox.Parked && entry.BegunAt.IsZero()
}

// Supersede removes an entry of the account and the form that was set aside,
// because what it holds was sent again. It reports false if there is none, or
// if somebody had it retried.
func (e *Engine) Supersede(ctx context.Context, id, account, form string) (removed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	entry, err := e.store.Get(ctx, id)
	switch {
	case errors.Is(err, outbox.ErrNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("superseding a lead: %w", err)
	case entry.Account != account || entry.Form != form || !IsSetAside(entry):
		return false, nil
	}
	if err := e.store.Erase(ctx, id); err != nil {
		return false, fmt.Errorf("superseding a lead: %w", err)
	}
	return true, nil
}
