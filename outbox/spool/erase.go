package spool

import (
	"context"
	"errors"
	"fmt"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// EraseEverywhere implements [outbox.Eraser].
func (s *Store) EraseEverywhere(ctx context.Context, id string) error {
	erased, away := false, false
	err := s.onEntry(ctx, id, func(v view, m *member) error {
		err := eraseEverywhere(ctx, m, id)
		if err == nil {
			erased, away = true, v.primary == nil
			return outbox.ErrNotFound // look at the other members too
		}
		return err
	})
	if !erased || !errors.Is(err, outbox.ErrNotFound) {
		return err
	}
	if away && s.isDoubtful(id) {
		return fmt.Errorf("entry %s is erased from the spool, but the outbox may have it too: %w", id, s.cause())
	}
	return nil
}

func eraseEverywhere(ctx context.Context, m *member, id string) error {
	if from, ok := m.Store.(outbox.Eraser); ok {
		return from.EraseEverywhere(ctx, id)
	}
	return m.Erase(ctx, id)
}

// ErasePerson implements [outbox.Eraser]. A primary that is not shared has nothing to remember,
// because its spools are on this machine.
func (s *Store) ErasePerson(ctx context.Context, identifier string) error {
	v, leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if v.primary == nil {
		return fmt.Errorf("erasing a person: %w", s.cause())
	}
	if from, ok := v.primary.Store.(outbox.Eraser); ok {
		return from.ErasePerson(ctx, identifier)
	}
	return nil
}

// publishSpooled tells the other processes how many entries are in the spools of this one.
func (s *Store) publishSpooled(ctx context.Context) {
	s.mu.Lock()
	primary := s.primary
	s.mu.Unlock()
	if primary == nil {
		return
	}
	to, ok := primary.Store.(outbox.SpoolPublisher)
	if !ok {
		return
	}
	if entries, err := s.Spooled(ctx); err == nil { // otherwise it is tried again soon
		to.PublishSpooled(entries)
	}
}
