package delivery

import (
	"context"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// refusalsInARow is how many people's leads TeleCRM must refuse in the same
// way, one after the other, before that is taken for the account's fault: the
// identifier of the workspace has been changed, for example. If it is not, the
// next lead that TeleCRM takes ends the hold within seconds.
const refusalsInARow = 3

// mostRefusals bounds how many leads of a row are remembered.
const mostRefusals = 100

// refusal is a lead that TeleCRM has refused.
type refusal struct {
	id, identifier string
	recorded       bool // it is parked in the outbox
	release        bool // it is to wait again as soon as it is
}

// refusals are the leads that TeleCRM has refused in the same way since it
// last took one.
type refusals struct {
	how  string
	list []*refusal
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

// refuse is what becomes of a lead that TeleCRM has refused for good. It is
// parked as s says, unless the account is at fault.
func (a *attempt) refuse(s outbox.Settlement, answer telecrm.Answer) outbox.Settlement {
	l, how := a.lane, answer.Reason()
	l.mu.Lock()
	switch {
	case l.singledOut(a.entry.ID):
		l.mu.Unlock()
		return s
	case l.hold.refusal == how:
		l.mu.Unlock()
		a.blameless = true
		return a.waitsForAccount(s)
	}
	a.blameless = !l.blames.Refused(a.entry.Form, how, a.entry.Identifier)
	if l.refused.how != how {
		l.refused = refusals{how: how}
	}
	a.refusal = &refusal{id: a.entry.ID, identifier: a.entry.Identifier}
	if len(l.refused.list) < mostRefusals {
		l.refused.list = append(l.refused.list, a.refusal)
	}
	if l.hold.on() || l.refused.people() < refusalsInARow {
		l.mu.Unlock()
		return s
	}
	release := l.holdForRefusals(answer)
	l.mu.Unlock()
	a.blameless, a.refusal = true, nil
	l.tellHeld(refusalReason(how))
	for _, id := range release {
		if id != a.entry.ID {
			l.unpark(id)
		}
	}
	return a.waitsForAccount(s)
}

// holdForRefusals holds the lane for the row of refusals, and returns those
// that are parked for it.
func (l *lane) holdForRefusals(answer telecrm.Answer) (parked []string) {
	now := l.engine.now()
	l.hold = hold{reason: refusalReason(l.refused.how), since: now, first: firstWait(answer), refusal: l.refused.how}
	l.hold.plan(now, false)
	l.window = 1
	for _, refused := range l.refused.list {
		l.suspect(refused.id, suspect{identifier: refused.identifier, refused: true})
		if refused.recorded {
			parked = append(parked, refused.id)
		}
		refused.release = true
	}
	l.refused = refusals{}
	return parked
}

func refusalReason(how string) string { return reasonRefusesAll + ": " + how }

// waitsForAccount has the entry wait until the account is not held any more.
func (a *attempt) waitsForAccount(s outbox.Settlement) outbox.Settlement {
	a.mu.Lock()
	a.suspect(a.entry.ID, suspect{identifier: a.entry.Identifier, refused: true})
	a.mu.Unlock()
	s.State, s.DueAt, s.Uncounted = outbox.Waiting, s.At, true
	return s
}

// recorded notes that a refused lead is parked in the outbox. If the account
// was found to be at fault meanwhile, it waits again.
func (a *attempt) recorded() {
	if a.refusal == nil {
		return
	}
	a.mu.Lock()
	a.refusal.recorded = true
	release := a.refusal.release
	a.mu.Unlock()
	if release {
		a.unpark(a.entry.ID)
	}
}

// unpark has a parked entry wait again. One that is not parked any more, or
// gone, is somebody else's decision.
func (l *lane) unpark(id string) {
	err := l.engine.store.Retry(context.WithoutCancel(l.engine.sending), id, l.engine.now())
	if err != nil && retryable(err) {
		l.storeFailed("having a refused lead wait again", err)
	}
	l.signal()
}
