package delivery

import (
	"context"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// refusalStreak is how many people's leads TeleCRM must refuse in the same
// way, one after the other, before that is taken for the account's fault: the
// identifier of the workspace has been changed, for example. If it is not, the
// next lead that TeleCRM takes ends the hold within seconds.
const refusalStreak = 3

// maxRefusals bounds how many leads of a row are remembered.
const maxRefusals = 100

// refusal is a lead that TeleCRM has refused.
type refusal struct {
	id, identifier string
	recorded       bool // it is parked in the outbox
	release        bool // it is to wait again as soon as it is
}

// refusals are the leads that TeleCRM has refused in the same way since it
// last took one.
type refusals struct {
	reason string
	list   []*refusal
}

// people counts whose leads they are. Those without an identifier are all of
// different people.
func (r refusals) people() int {
	n, seen := 0, make(map[string]bool)
	for _, refused := range r.list {
		if refused.identifier == "" || !seen[refused.identifier] {
			n++
		}
		seen[refused.identifier] = true
	}
	return n
}

// settleRefusal is what becomes of a lead that TeleCRM has refused for good. It is
// parked as s says, unless the account is at fault.
func (w *worker) settleRefusal(s outbox.Settlement, answer telecrm.Answer) outbox.Settlement {
	l, how := w.lane, answer.Reason()
	l.mu.Lock()
	switch {
	case l.isPoison(w.entry.ID):
		l.mu.Unlock()
		return s
	case l.hold.refusal == how:
		l.mu.Unlock()
		w.hideRefusal = true
		return w.waitForAccount(s)
	}
	w.hideRefusal = !l.blames.Refused(w.entry.Form, how, w.entry.Identifier)
	if l.refused.reason != how {
		l.refused = refusals{reason: how}
	}
	w.refusal = &refusal{id: w.entry.ID, identifier: w.entry.Identifier}
	if len(l.refused.list) < maxRefusals {
		l.refused.list = append(l.refused.list, w.refusal)
	}
	if l.hold.on() || l.refused.people() < refusalStreak {
		l.mu.Unlock()
		return s
	}
	release := l.holdForRefusals(answer)
	l.mu.Unlock()
	w.hideRefusal, w.refusal = true, nil
	l.notifyHeld(refusalReason(how))
	for _, id := range release {
		if id != w.entry.ID {
			l.requeue(id)
		}
	}
	return w.waitForAccount(s)
}

// holdForRefusals holds the lane for the row of refusals, and returns those
// that are parked for it.
func (l *lane) holdForRefusals(answer telecrm.Answer) (parked []string) {
	now := l.engine.now()
	l.hold = hold{reason: refusalReason(l.refused.reason), since: now, firstInterval: firstInterval(answer), refusal: l.refused.reason}
	l.hold.plan(now, false)
	l.window = 1
	for _, refused := range l.refused.list {
		l.addSuspect(refused.id, suspect{identifier: refused.identifier, refused: true})
		if refused.recorded {
			parked = append(parked, refused.id)
		}
		refused.release = true
	}
	l.refused = refusals{}
	return parked
}

func refusalReason(how string) string { return reasonRefusesAll + ": " + how }

// waitForAccount has the entry wait until the account is not held any more.
func (w *worker) waitForAccount(s outbox.Settlement) outbox.Settlement {
	w.mu.Lock()
	w.addSuspect(w.entry.ID, suspect{identifier: w.entry.Identifier, refused: true})
	w.mu.Unlock()
	s.State, s.DueAt, s.Uncounted = outbox.Waiting, s.At, true
	return s
}

// settled notes that a refused lead is parked in the outbox. If the account
// was found to be at fault meanwhile, it waits again.
func (w *worker) settled() {
	if w.refusal == nil {
		return
	}
	w.mu.Lock()
	w.refusal.recorded = true
	release := w.refusal.release
	w.mu.Unlock()
	if release {
		w.requeue(w.entry.ID)
	}
}

// requeue has a parked entry wait again. One that is not parked any more, or
// gone, is somebody else's decision.
func (l *lane) requeue(id string) {
	err := l.engine.store.Retry(context.WithoutCancel(l.engine.sending), id, l.engine.now())
	if err != nil && retryable(err) {
		l.logStoreError("having a refused lead wait again", err)
	}
	l.signal()
}
