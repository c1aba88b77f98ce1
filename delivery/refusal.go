package delivery

import (
	"context"
	"sync"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// refusals is the current streak of leads that TeleCRM refused as invalid for the same reason,
// since it last accepted one. A long streak is the fault of the account, for example because the
// workspace has another lead identifier now: the account is put on hold and the leads of the streak
// are retried.
type refusals struct {
	reason string
	list   []*refusal
}

// refusal is one refused lead.
type refusal struct {
	id, identifier string
	parked         bool // the outbox has recorded it as parked
	requeue        bool // it waits again once it is parked
}

// refusalStreak is the number of people whose leads TeleCRM must refuse in a row before the account
// is put on hold. If the account is fine, the next lead that TeleCRM accepts ends the hold within
// seconds.
const refusalStreak = 3

// maxRefusals limits the leads of a streak that are remembered.
const maxRefusals = 100

// people counts the people in the streak. Leads without an identifier are of different people.
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

// add adds a lead to the streak, or starts another streak if the reason differs.
func (r *refusals) add(refused *refusal, reason string) {
	if r.reason != reason {
		*r = refusals{reason: reason}
	}
	if len(r.list) < maxRefusals {
		r.list = append(r.list, refused)
	}
}

// settleRefusal settles a lead that TeleCRM refused as invalid. It is parked as s says, unless the
// account is at fault.
func (w *worker) settleRefusal(s outbox.Settlement, answer telecrm.Answer) outbox.Settlement {
	l, reason := w.lane, answer.Reason()
	l.mu.Lock()
	switch {
	case l.isPoison(w.entry.ID):
		l.mu.Unlock()
		return s
	case l.hold.refusal == reason:
		l.mu.Unlock()
		w.hideRefusal = true
		return w.waitForAccount(s)
	}
	w.hideRefusal = !l.refusalFilter.ShowVisitor(w.entry.Form, reason, w.entry.Identifier)
	w.refusal = &refusal{id: w.entry.ID, identifier: w.entry.Identifier}
	l.refusals.add(w.refusal, reason)
	if l.hold.on() || l.refusals.people() < refusalStreak {
		l.mu.Unlock()
		return s
	}
	parked := l.holdForRefusals(answer)
	l.mu.Unlock()
	w.hideRefusal, w.refusal = true, nil
	for _, id := range parked {
		if id != w.entry.ID {
			l.requeue(id)
		}
	}
	l.notifyHeld(refusalReason(reason))
	return w.waitForAccount(s)
}

// holdForRefusals puts the account on hold for the streak. It returns the entries that are parked
// for it, and has the others requeued when they are.
func (l *lane) holdForRefusals(answer telecrm.Answer) (parked []string) {
	l.hold = newHold(refusalReason(l.refusals.reason), answer, l.engine.now())
	l.hold.refusal = l.refusals.reason
	l.slots.close()
	l.health.note(telecrm.CauseAccount, l.hold.reason, l.engine.now())
	l.releaseWaiters()
	for _, refused := range l.refusals.list {
		l.addSuspect(refused.id, suspect{identifier: refused.identifier, refused: true})
		if refused.parked {
			parked = append(parked, refused.id)
		}
		refused.requeue = true
	}
	l.refusals = refusals{}
	return parked
}

func refusalReason(reason string) string { return reasonEveryLeadRefused + ": " + reason }

// waitForAccount keeps a refused entry waiting until the hold ends.
func (w *worker) waitForAccount(s outbox.Settlement) outbox.Settlement {
	w.mu.Lock()
	w.addSuspect(w.entry.ID, suspect{identifier: w.entry.Identifier, refused: true})
	w.mu.Unlock()
	s.State, s.DueAt, s.Uncounted = outbox.Waiting, s.At, true
	return s
}

// refusalRecorded records that the outbox has parked a refused entry. If the account was put on
// hold meanwhile, the entry is requeued.
func (w *worker) refusalRecorded() {
	if w.refusal == nil {
		return
	}
	w.mu.Lock()
	w.refusal.parked = true
	requeue := w.refusal.requeue
	w.mu.Unlock()
	if requeue {
		w.requeue(w.entry.ID)
	}
}

// requeue makes a parked entry wait again, unless an operator has retried or erased it meanwhile.
func (l *lane) requeue(id string) {
	err := l.engine.store.Retry(context.WithoutCancel(l.engine.sending), id, l.engine.now())
	if err != nil && retryable(err) {
		l.storeFailed("requeueing a refused lead", err)
	}
	l.signal()
}

// RefusalFilter decides which visitors are asked to correct a lead that TeleCRM refused as invalid.
// If TeleCRM refuses the leads of two people for the same reason, the fault is not theirs. The zero
// value is ready for use.
type RefusalFilter struct {
	mu   sync.Mutex
	last map[string]shownRefusal // by form
}

// shownRefusal is the last refusal that was shown to a visitor.
type shownRefusal struct{ reason, identifier string }

// ShowVisitor reports whether to tell the visitor that TeleCRM refused the lead for the reason, which
// is its status and code. It returns false if the last refusal of the form was that of another
// person, for the same reason.
func (f *RefusalFilter) ShowVisitor(form, reason, identifier string) (tell bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	last, exists := f.last[form]
	if exists && last.reason == reason && last.identifier != identifier {
		return false
	}
	if f.last == nil {
		f.last = make(map[string]shownRefusal)
	}
	f.last[form] = shownRefusal{reason, identifier}
	return true
}

// Accepted records that TeleCRM accepted a lead of the form.
func (f *RefusalFilter) Accepted(form string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.last, form)
}
