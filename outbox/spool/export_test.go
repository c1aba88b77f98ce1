package spool

import "context"

// Quiet reports whether there is nothing to move or to compare.
func (s *Store) Quiet(ctx context.Context) (bool, error) {
	v, leave, err := s.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	if v.hidden {
		return false, nil
	}
	for _, m := range v.spools {
		n, err := size(ctx, m)
		if err != nil {
			return false, err
		}
		if v.primary != nil && n > m.inFlight() || m.inFlight() == 0 {
			return false, nil
		}
	}
	return true, nil
}
