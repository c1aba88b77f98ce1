package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// appendTimeout limits how long Submit waits for the outbox. After that, a direct request serves
// the visitor better.
const appendTimeout = 10 * time.Second

// ErrKept says that a lead was not sent directly, or not delivered by that, because the outbox has
// stored it after all.
var ErrKept = errors.New("the outbox has kept the lead after all")

// appends tracks the appends to the outbox that have not ended. When Submit times out, its caller
// sends the lead directly, but the outbox may still store it. So the lead belongs to the outbox if
// that stores it first, or to the caller who claims it first. If the outbox stores a claimed lead,
// its entry is settled with the result of the direct request and not sent again.
type appends struct {
	mu   sync.Mutex
	byID map[string]*pendingAppend
}

// pendingAppend is the append of one lead.
type pendingAppend struct {
	stored  bool // by the outbox
	claimed bool // by the caller, before it was stored
	// sent is closed after the direct request of a claimed lead. settlement is its result, and zero
	// if nothing was sent.
	sent       chan struct{}
	settlement outbox.Settlement
}

// begin tracks the append of a lead.
func (p *appends) begin(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byID == nil {
		p.byID = make(map[string]*pendingAppend)
	}
	p.byID[id] = new(pendingAppend)
}

// ended records the end of the append. If the lead is stored and claimed, it returns the append.
func (p *appends) ended(id string, err error) *pendingAppend {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		delete(p.byID, id)
		return nil
	}
	return p.markStored(id)
}

// leased records that an attempt at the stored entry begins. If the lead is claimed, it returns the
// append.
func (p *appends) leased(id string) *pendingAppend {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.markStored(id)
}

func (p *appends) markStored(id string) (claimed *pendingAppend) {
	pending := p.byID[id]
	if pending == nil {
		return nil
	}
	pending.stored = true
	if !pending.claimed {
		return nil
	}
	return pending
}

// timedOut records that Submit no longer waits for the append. It reports whether the lead is
// stored by now.
func (p *appends) timedOut(id string) (stored bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pending := p.byID[id]
	if pending == nil || !pending.stored {
		return false
	}
	delete(p.byID, id)
	return true
}

// claim claims a lead for a direct request. It returns nil if its append is not tracked, and
// ErrKept if the lead is stored by now.
func (p *appends) claim(id string) (*pendingAppend, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pending := p.byID[id]
	if pending == nil {
		return nil, nil
	}
	if pending.stored {
		delete(p.byID, id)
		return nil, ErrKept
	}
	pending.claimed, pending.sent = true, make(chan struct{})
	return pending, nil
}

// finish records the result of the direct request of a claimed lead. It returns ErrKept if the lead
// is not settled by that, but stored.
func (p *appends) finish(claimed *pendingAppend, s outbox.Settlement) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	claimed.settlement = s
	close(claimed.sent)
	if claimed.stored && s.State != outbox.Delivered && s.State != outbox.Parked {
		return ErrKept
	}
	return nil
}

// forget stops tracking the append of a lead.
func (p *appends) forget(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.byID, id)
}

func (p *appends) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.byID)
}

// appendWithin appends the entry and waits until ctx ends. When the append has ended, it calls then
// in a goroutine of its own, with the entry as it is stored.
func (l *lane) appendWithin(ctx context.Context, entry outbox.Entry, then func(stored outbox.Entry, claimed *pendingAppend, err error)) error {
	appends := &l.engine.appends
	appends.begin(entry.ID)
	ended := make(chan error, 1)
	go func() {
		// A canceled append may still be stored. Only its end tells.
		stored, err := l.engine.appendFree(context.WithoutCancel(ctx), entry)
		claimed := appends.ended(entry.ID, err)
		ended <- err
		then(stored, claimed, err)
	}()
	if inTime, err := l.engine.awaitAppend(ctx, ended); inTime {
		appends.forget(entry.ID)
		if err != nil {
			return fmt.Errorf("submitting lead: %w", err)
		}
		return nil
	}
	if appends.timedOut(entry.ID) {
		return nil
	}
	return fmt.Errorf("submitting lead: %w", ctx.Err())
}

// sharedGrace is how much longer a lead waits for a shared outbox. If this process was stopped for a
// while, all time-outs are over when it goes on, but the outbox may have stored the lead, and another
// process may have sent it. The outbox says so within this time, or keeps the lead elsewhere.
const sharedGrace = 3 * time.Second

// awaitAppend waits for the end of an append and returns its error. It returns false if the append
// does not end in time.
func (e *Engine) awaitAppend(ctx context.Context, ended <-chan error) (inTime bool, err error) {
	select {
	case err := <-ended:
		return true, err
	case <-ctx.Done():
	}
	if e.shared() == nil {
		return false, nil
	}
	timer := time.NewTimer(sharedGrace)
	defer timer.Stop()
	select {
	case err := <-ended:
		return true, err
	case <-timer.C:
		return false, nil
	}
}

// busyDelay is how long a lead waits whose identifier another process has in flight.
const busyDelay = time.Second

// appendFree appends the entry and returns it as it is stored: without an attempt if another process
// has one at a lead with the same identifier in flight.
func (e *Engine) appendFree(ctx context.Context, entry outbox.Entry) (outbox.Entry, error) {
	err := e.store.Append(ctx, entry)
	if errors.Is(err, outbox.ErrBusy) {
		entry.BegunAt, entry.DueAt = time.Time{}, entry.DueAt.Add(busyDelay)
		err = e.store.Append(ctx, entry)
	}
	return entry, err
}

// eraseDelivered erases a stored entry whose lead was delivered directly. If it has been taken
// meanwhile, its attempt settles it.
func (l *lane) eraseDelivered(id string, claimed *pendingAppend) {
	select {
	case <-claimed.sent:
	case <-l.engine.sending.Done():
		return
	}
	if claimed.settlement.State != outbox.Delivered {
		return
	}
	if err := l.engine.store.Erase(context.WithoutCancel(l.engine.sending), id); err == nil {
		l.engine.appends.forget(id)
	}
}

// bypassed waits for the direct request of a claimed lead and returns its settlement. It returns
// false if the lead was not claimed, or if nothing was sent.
func (l *lane) bypassed(ctx context.Context, entry outbox.Entry) (outbox.Settlement, bool) {
	claimed := l.engine.appends.leased(entry.ID)
	if claimed == nil {
		return outbox.Settlement{}, false
	}
	select {
	case <-claimed.sent:
	case <-ctx.Done():
		now := l.engine.now()
		return outbox.Settlement{
			State: outbox.Waiting, At: now, DueAt: now, Reason: reasonSentDirectly, AmbiguousSince: entry.BegunAt,
		}, true
	}
	l.engine.appends.forget(entry.ID)
	return claimed.settlement, claimed.settlement.State != ""
}

// bypassResult settles an entry whose lead was sent directly. The attempt does not count, because
// it sends nothing.
func bypassResult(s outbox.Settlement) result {
	s.Uncounted = true
	if s.Reason == "" {
		s.Reason = reasonSentDirectly
	}
	return result{s, telecrm.Answer{Verdict: telecrm.Done, LeadID: s.LeadID}}
}
