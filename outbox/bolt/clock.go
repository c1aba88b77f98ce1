package bolt

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// Clock implements [outbox.Store].
func (s *Store) Clock(ctx context.Context) (outbox.Clock, error) {
	clock, err := read(ctx, s, func(t *tables) (outbox.Clock, error) {
		v := t.meta.Get(keyClock)
		if v == nil {
			return outbox.Clock{}, nil
		}
		if len(v) != 16 {
			return outbox.Clock{}, damaged("what is known of the clock is not two times")
		}
		return outbox.Clock{SeenAt: clockTime(v[:8]), SteadySince: clockTime(v[8:])}, nil
	})
	if err != nil {
		return outbox.Clock{}, fmt.Errorf("reading what is known of the clock: %w", err)
	}
	return clock, nil
}

// SetClock implements [outbox.Store].
func (s *Store) SetClock(ctx context.Context, clock outbox.Clock) error {
	v := binary.BigEndian.AppendUint64(nil, keyTime(clock.SeenAt))
	v = binary.BigEndian.AppendUint64(v, keyTime(clock.SteadySince))
	return s.do(ctx, "noting the clock", uuid.Nil, &operation{
		run: func(_ *handle, c *changes) error {
			c.changed = true
			return c.meta.Put(keyClock, v)
		},
	})
}

// clockTime reads a time that [keyTime] made; it takes the earliest for none.
func clockTime(b []byte) time.Time {
	n := binary.BigEndian.Uint64(b)
	if n == 0 {
		return time.Time{}
	}
	return timeOfKey(n)
}
