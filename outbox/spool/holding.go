package spool

import (
	"context"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// Holders implements [outbox.Holding]. Only this process holds the entries of its spools.
func (s *Store) Holders(ctx context.Context, ids []string) (map[string]string, error) {
	v, leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if v.primary == nil {
		return nil, nil //nolint:nilnil // it cannot be reached
	}
	if of, ok := v.primary.Store.(outbox.Holding); ok {
		return of.Holders(ctx, ids)
	}
	return nil, nil //nolint:nilnil // it is not shared
}
