package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// ErrKept tells that a lead was not sent past the outbox, or not delivered by
// that, but that the outbox has kept it after all.
var ErrKept = errors.New("the outbox has kept the lead after all")

// appends are the leads whose append has not ended. When Submit gives one up,
// its caller sends it past the outbox; but the append may still be carried out.
// So each lead goes to whichever comes first: the outbox that has kept it, or
// the caller that claims it. What the caller has sent, the outbox settles its
// entry by, and does not send again.
type appends struct {
	mu   sync.Mutex
	byID map[string]*pendingAppend
}

type pendingAppend struct {
	stored  bool // by the outbox
	claimed bool // by the caller, before it was kept
	// sent is closed once the claimed lead has been sent, which ended with the
	// settlement; zero if nothing was sent.
	sent       chan struct{}
	settlement outbox.Settlement
}

// begin notes that the append of a lead begins.
func (l *appends) begin(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byID == nil {
		l.byID = make(map[string]*pendingAppend)
	}
	l.byID[id] = &pendingAppend{sent: make(chan struct{})}
}

// stored notes that the append has ended. It returns the lead if it was
// claimed meanwhile, and kept nevertheless.
func (l *appends) stored(id string, err error) *pendingAppend {
	l.mu.Lock()
	defer l.mu.Unlock()
	lead := l.byID[id]
	switch {
	case lead == nil:
		return nil
	case err != nil:
		delete(l.byID, id)
		return nil
	}
	lead.stored = true
	if !lead.claimed {
		return nil
	}
	return lead
}

// abandon notes that the caller of Submit waits no longer. It reports true if
// the lead has been kept by now.
func (l *appends) abandon(id string) (kept bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lead := l.byID[id]
	if lead == nil || !lead.stored {
		return false
	}
	delete(l.byID, id)
	return true
}

// claim takes a lead that was given up, to send it past the outbox; nil if it
// is not one of those. It returns ErrKept if the outbox has it by now.
func (l *appends) claim(id string) (*pendingAppend, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lead := l.byID[id]
	if lead == nil {
		return nil, nil
	}
	if lead.stored {
		delete(l.byID, id)
		return nil, ErrKept
	}
	lead.claimed = true
	return lead, nil
}

// finish notes what came of sending a claimed lead. It returns ErrKept if that
// is not delivered, and the outbox will see to it.
func (l *appends) finish(lead *pendingAppend, s outbox.Settlement) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	lead.settlement = s
	close(lead.sent)
	if lead.stored && s.State != outbox.Delivered && s.State != outbox.Parked {
		return ErrKept
	}
	return nil
}

// leased returns a lead that was claimed, of which an attempt is about to
// begin; nil if it was not: then it is the outbox's.
func (l *appends) leased(id string) *pendingAppend {
	l.mu.Lock()
	defer l.mu.Unlock()
	lead := l.byID[id]
	if lead == nil {
		return nil
	}
	lead.stored = true
	if !lead.claimed {
		return nil
	}
	return lead
}

// forget forgets a lead of which nothing more can come.
func (l *appends) forget(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.byID, id)
}

func (l *appends) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.byID)
}

// appendWithin appends the entry and waits for it until ctx ends. In any case then is
// called in a goroutine of its own once the append has ended.
func (l *lane) appendWithin(ctx context.Context, entry outbox.Entry, then func(claimed *pendingAppend, err error)) error {
	late := &l.engine.appends
	late.begin(entry.ID)
	ended := make(chan error, 1)
	go func() {
		// An append that is given up may still be carried out; only one that
		// is waited for tells whether it was.
		err := l.engine.store.Append(context.WithoutCancel(ctx), entry)
		claimed := late.stored(entry.ID, err)
		ended <- err
		then(claimed, err)
	}()
	select {
	case err := <-ended:
		late.forget(entry.ID)
		if err != nil {
			return fmt.Errorf("submitting a lead: %w", err)
		}
		return nil
	case <-ctx.Done():
		if late.abandon(entry.ID) {
			return nil
		}
		return fmt.Errorf("submitting a lead: %w", ctx.Err())
	}
}

// withdraw removes an entry from the queue that has been delivered past it.
// One that was taken meanwhile is settled by its attempt.
func (l *lane) withdraw(id string, claimed *pendingAppend) {
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

// bypassed returns what came of sending the entry's lead past the outbox; false
// if it was not, or if nothing left by that.
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
			State: outbox.Waiting, At: now, DueAt: now, Reason: reasonBypassed, AmbiguousSince: entry.BegunAt,
		}, true
	}
	l.engine.appends.forget(entry.ID)
	return claimed.settlement, claimed.settlement.State != ""
}

// settleBypassed returns the settlement of an entry whose lead was sent past the
// outbox; false if it is to be sent now. The attempt counts for nothing, as it
// sends nothing.
func (a *attempt) settleBypassed(ctx context.Context) (outbox.Settlement, telecrm.Answer, bool) {
	s, sent := a.bypassed(ctx, a.entry)
	if !sent {
		return s, telecrm.Answer{}, false
	}
	s.Uncounted = true
	if s.Reason == "" {
		s.Reason = reasonBypassed
	}
	return s, telecrm.Answer{Verdict: telecrm.Done, LeadID: s.LeadID}, true
}

// reasonBypassed is the note of an entry whose lead was delivered before the
// outbox had kept it.
const reasonBypassed = "sent at once, because the outbox did not keep it in time"
