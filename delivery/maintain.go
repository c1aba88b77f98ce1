package delivery

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
)

const (
	// maintenanceInterval is how often entries that need not be kept are removed,
	// and space that is no longer used is given back.
	maintenanceInterval = 10 * time.Minute
	// firstMaintenance is soon after the start, for servers that never run
	// for long, but not in the way of it.
	firstMaintenance = time.Minute
	// expireBatch bounds how much of the outbox one removal keeps busy.
	expireBatch = 1000
	// leadIDTTL is how long the id of a lead is remembered after something
	// was last delivered to it. Beyond that TeleCRM is searched for it.
	leadIDTTL = 365 * 24 * time.Hour
)

// maintain keeps the outbox no larger than it must be.
func (e *Engine) maintain() {
	timer := time.NewTimer(firstMaintenance)
	defer timer.Stop()
	if err := e.startClock(e.running); err != nil && e.running.Err() == nil {
		e.settings().Logger.Error("reading what the outbox knows of the clock", zap.Error(err))
	}
	for {
		select {
		case <-e.running.Done():
			return
		case <-e.needRoom:
			e.makeRoom()
		case <-timer.C:
			e.expireOld()
			timer.Reset(maintenanceInterval)
		}
	}
}

// requestRoom has room made in an outbox whose disk is full.
func (e *Engine) requestRoom() {
	if !errors.Is(e.store.Health(), outbox.ErrFull) {
		return
	}
	select {
	case e.needRoom <- struct{}{}:
	default:
	}
}

// makeRoom removes what was delivered, however long it was to be kept: its room is
// needed to deliver the rest, which must be recorded.
func (e *Engine) makeRoom() {
	logger := e.settings().Logger
	removed, err := e.expire(outbox.Delivered, e.now())
	if err != nil && e.running.Err() == nil {
		logger.Error("making room in the outbox", zap.Error(err))
	}
	if removed > 0 {
		logger.Warn("the outbox's disk is full; delivered entries were removed before their time", zap.Int("entries", removed))
	}
}

// expire removes all entries that reached the state before the given time.
func (e *Engine) expire(state outbox.State, before time.Time) (removed int, err error) {
	for {
		n, err := e.store.Expire(e.running, state, before, expireBatch)
		removed += n
		if err != nil || n < expireBatch {
			return removed, err
		}
	}
}

// expireOld removes what has been kept for long enough.
func (e *Engine) expireOld() {
	c := e.settings()
	lasted, err := e.keepClock(e.running)
	if err != nil {
		if e.running.Err() == nil {
			c.Logger.Error("noting the time of day in the outbox", zap.Error(err))
		}
		return
	}
	for state, keep := range map[outbox.State]time.Duration{outbox.Delivered: c.KeepDelivered, outbox.Parked: c.KeepParked} {
		if keep <= 0 || !lasted(keep) {
			continue
		}
		if _, err := e.expire(state, e.now().Add(-keep)); err != nil {
			if e.running.Err() == nil {
				c.Logger.Error("removing old entries from the outbox", zap.Error(err))
			}
			return
		}
	}
	if lasted(leadIDTTL) {
		e.forgetOldIDs(c)
	}
	if err := e.store.Compact(e.running); err != nil && e.running.Err() == nil {
		c.Logger.Error("compacting the outbox", zap.Error(err))
	}
}

// forgetOldIDs forgets the ids of leads that were last heard of long ago.
func (e *Engine) forgetOldIDs(c Config) {
	for {
		forgotten, err := e.store.ForgetBefore(e.running, e.now().Add(-leadIDTTL), expireBatch)
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
