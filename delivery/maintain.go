package delivery

import (
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
)

const (
	// housekeeping is how often entries that need not be kept are removed,
	// and space that is no longer used is given back.
	housekeeping = 10 * time.Minute
	// firstHousekeeping is soon after the start, for servers that never run
	// for long, but not in the way of it.
	firstHousekeeping = time.Minute
	// expireBatch bounds how much of the outbox one removal keeps busy.
	expireBatch = 1000
	// rememberFor is how long the id of a lead is remembered after something
	// was last delivered to it. Beyond that TeleCRM is searched for it.
	rememberFor = 365 * 24 * time.Hour
)

// maintain keeps the outbox no larger than it must be.
func (e *Engine) maintain() {
	timer := time.NewTimer(firstHousekeeping)
	defer timer.Stop()
	for {
		select {
		case <-e.running.Done():
			return
		case <-timer.C:
		}
		e.tidy()
		timer.Reset(housekeeping)
	}
}

// tidy removes what has been kept for long enough.
func (e *Engine) tidy() {
	c := e.settings()
	for state, keep := range map[outbox.State]time.Duration{outbox.Delivered: c.KeepDelivered, outbox.Parked: c.KeepParked} {
		if keep <= 0 {
			continue
		}
		for {
			removed, err := e.store.Expire(e.running, state, e.now().Add(-keep), expireBatch)
			if err != nil {
				if e.running.Err() == nil {
					c.Logger.Error("removing old entries from the outbox", zap.Error(err))
				}
				return
			}
			if removed < expireBatch {
				break
			}
		}
	}
	e.forgetOld(c)
	if err := e.store.Compact(e.running); err != nil && e.running.Err() == nil {
		c.Logger.Error("compacting the outbox", zap.Error(err))
	}
}

// forgetOld forgets the ids of leads that were last heard of long ago.
func (e *Engine) forgetOld(c Config) {
	for {
		forgotten, err := e.store.ForgetBefore(e.running, e.now().Add(-rememberFor), expireBatch)
		if err != nil {
			if e.running.Err() == nil {
				c.Logger.Error("forgetting old lead ids", zap.Error(err))
			}
			return
		}
		if forgotten < expireBatch {
			return
		}
	}
}
