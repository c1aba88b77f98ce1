package delivery

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
)

const (
	// maintenanceInterval is the interval at which old entries are removed and unused space is
	// returned.
	maintenanceInterval = 10 * time.Minute
	// firstMaintenance is the delay of the first maintenance. It is short, for servers that never
	// run for long, and does not slow down the start.
	firstMaintenance = time.Minute
	// expireBatch limits the entries that one transaction removes.
	expireBatch = 1000
	// leadIDTTL is how long the id of a lead is kept after the last delivery to it. After that,
	// TeleCRM is searched for it.
	leadIDTTL = 365 * 24 * time.Hour
)

// maintain keeps the outbox small until the engine stops.
func (e *Engine) maintain() {
	timer := time.NewTimer(firstMaintenance)
	defer timer.Stop()
	e.logMaintenance("reading the clock from the outbox", e.startClock(e.running))
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

// logMaintenance logs an error of the outbox, unless the engine has stopped. It reports whether err
// is nil.
func (e *Engine) logMaintenance(doing string, err error) (ok bool) {
	if err != nil && e.running.Err() == nil {
		e.settings().Logger.Error(doing, zap.Error(err))
	}
	return err == nil
}

// requestRoom asks the maintenance loop for room if the outbox's disk is full.
func (e *Engine) requestRoom() {
	if !errors.Is(e.store.Health(), outbox.ErrFull) {
		return
	}
	select {
	case e.needRoom <- struct{}{}:
	default:
	}
}

// makeRoom removes all delivered entries before their time. The others need the room: their
// deliveries must be recorded.
func (e *Engine) makeRoom() {
	removed, err := e.expire(outbox.Delivered, e.now())
	e.logMaintenance("making room in the outbox", err)
	if removed > 0 {
		e.settings().Logger.Warn("the outbox's disk is full; delivered entries were removed early", zap.Int("entries", removed))
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

// expireOld removes entries and lead ids that have been kept for long enough.
func (e *Engine) expireOld() {
	c := e.settings()
	lasted, err := e.storeClock(e.running)
	if !e.logMaintenance("storing the clock in the outbox", err) {
		return
	}
	for state, keep := range map[outbox.State]time.Duration{outbox.Delivered: c.KeepDelivered, outbox.Parked: c.KeepParked} {
		if keep <= 0 || !lasted(keep) {
			continue
		}
		_, err := e.expire(state, e.now().Add(-keep))
		if !e.logMaintenance("removing old entries from the outbox", err) {
			return
		}
	}
	if lasted(leadIDTTL) {
		e.logMaintenance("removing old lead ids from the outbox", e.forgetOldIDs())
	}
	e.logMaintenance("compacting the outbox", e.store.Compact(e.running))
}

// forgetOldIDs removes lead ids without a recent delivery.
func (e *Engine) forgetOldIDs() error {
	for {
		forgotten, err := e.store.ForgetBefore(e.running, e.now().Add(-leadIDTTL), expireBatch)
		if err != nil || forgotten < expireBatch {
			return err
		}
	}
}
