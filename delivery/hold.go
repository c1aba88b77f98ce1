package delivery

import (
	"net/http"
	"slices"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// hold is the state of an account on hold. TeleCRM turns the account away, so the lane sends only a
// probe: one attempt at a time, at growing intervals, until TeleCRM accepts one. A probe ends with
// its attempt, even if nothing was sent, so that the next one can begin.
type hold struct {
	reason  string // empty: the account is not on hold
	since   time.Time
	refusal string // the reason for which TeleCRM refuses every lead, if that caused the hold

	probe    string // the entry id of the probe in flight; empty: none
	probeAt  time.Time
	probedAt time.Time // when the interval before probeAt began
	freshAt  time.Time // when a new entry may be the probe before probeAt; zero: there is none
	answered bool      // an answer to the probe has scheduled the next one
	resumed  bool      // an operator resumed the account while the probe was in flight

	first        time.Duration // the first interval
	interval     time.Duration // the current interval; 0: start from first
	freshEntries time.Duration // the shorter interval for an entry that has not failed yet
}

// The intervals between probes.
const (
	firstProbe  = time.Minute
	lastProbe   = 10 * time.Minute
	probeGrowth = 1.5
	// firstPoisonProbe is the first interval if TeleCRM may be turning away the lead and not the
	// account. The probe is then another lead, and should not have to wait.
	firstPoisonProbe = 10 * time.Second
)

// newHold puts an account on hold because of the answer.
func newHold(reason string, answer telecrm.Answer, now time.Time) hold {
	h := hold{reason: reason, since: now, first: firstPoisonProbe}
	if namesAccount(answer) {
		h.first = firstProbe
	}
	h.schedule(now, false)
	return h
}

func (h *hold) on() bool { return h.reason != "" }

// mayBePoison reports whether TeleCRM may be turning away leads and not the account.
func (h *hold) mayBePoison() bool { return h.first == firstPoisonProbe }

// includes reports whether an attempt says something about the account on hold: it is the probe, or
// began after the hold.
func (h *hold) includes(id string, begun time.Time) bool {
	return h.probe == id || begun.After(h.since)
}

// schedule schedules the next probe after a longer interval. again tells that the last probe was a
// lead that had failed before.
func (h *hold) schedule(now time.Time, again bool) {
	h.interval = h.nextInterval(h.interval)
	if !again {
		h.freshEntries = h.nextInterval(h.freshEntries)
	}
	h.probedAt, h.probeAt, h.freshAt = now, now.Add(jittered(h.interval)), time.Time{}
}

// nextProbe returns when the next probe is due.
func (h *hold) nextProbe() time.Time {
	if h.isFreshDue() {
		return h.freshAt
	}
	return h.probeAt
}

// isFreshDue reports whether the next probe is an entry that has not failed yet.
func (h *hold) isFreshDue() bool { return !h.freshAt.IsZero() && h.freshAt.Before(h.probeAt) }

func (h *hold) nextInterval(last time.Duration) time.Duration {
	if last == 0 {
		return h.first
	}
	return min(time.Duration(float64(last)*probeGrowth), lastProbe)
}

// resume makes the next probe due and starts the intervals over. A probe in flight began before the
// operator resumed the account, so another one follows it.
func (h *hold) resume(now time.Time) {
	h.probeAt, h.interval, h.freshEntries = now, 0, 0
	h.resumed = h.probe != ""
}

// probeFailed schedules the next probe if the entry is the probe in flight. Attempts that began
// before the hold are ignored.
func (l *lane) probeFailed(id string, answer telecrm.Answer, now time.Time) {
	if !l.hold.on() || l.hold.probe != id || l.hold.answered {
		return
	}
	if answer.Verdict == telecrm.Hold {
		l.hold.reason = answer.Reason()
	}
	l.hold.answered = true
	_, again := l.suspects[id]
	l.hold.schedule(now, again)
}

// endProbe ends the probe if the entry is the probe in flight. Unless an answer has scheduled the
// next one, it follows at once with another entry, or after a delay if this entry is still waiting.
func (l *lane) endProbe(entry outbox.Entry, s outbox.Settlement, sent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hold.probe != entry.ID {
		return
	}
	now := l.engine.now()
	switch {
	case l.hold.resumed:
		l.hold.interval, l.hold.freshEntries, l.hold.probeAt = 0, 0, now
	case l.hold.answered:
	case s.State != outbox.Waiting:
		l.hold.probeAt = now
	case sent:
		l.hold.schedule(now, true)
	default:
		l.hold.probeAt = now.Add(storeRetryDelay)
	}
	l.hold.probe, l.hold.answered, l.hold.resumed, l.hold.freshAt = "", false, false, time.Time{}
}

// takeProbe takes the entry for a probe. It prefers entries that have not failed yet, and among
// them the longest due.
func (l *lane) takeProbe(due, now time.Time, limit int) ([]outbox.Entry, error) {
	failed := l.suspectIdentifiers()
	if len(failed) == 0 {
		return l.take(due, now, limit)
	}
	busy := l.busyFilter()
	entries, err := l.engine.store.Take(l.engine.running, l.name, due, now, limit, func(identifier string) bool {
		return failed[identifier] || busy(identifier)
	})
	if err != nil || len(entries) > 0 {
		return entries, err
	}
	// The outbox has postponed the rejected entries by a second.
	return l.take(later(due, now.Add(time.Second)), now, limit)
}

// entryAdded wakes the lane for a new entry. If TeleCRM may be turning away other leads and not the
// account, the new one need not wait for their probes.
func (l *lane) entryAdded() {
	l.mu.Lock()
	l.queued = true
	if l.hold.mayBePoison() {
		l.hold.freshAt = l.hold.probedAt.Add(l.hold.freshEntries)
	}
	l.mu.Unlock()
	l.signal()
}

func (l *lane) notifyHeld(reason string) {
	if held := l.engine.settings().Hooks.Held; held != nil {
		held(l.name, reason)
	}
}

func (l *lane) notifyResumed() {
	l.mu.Lock()
	recovery := Recovery{Account: l.name, Condition: OnHold, Lasted: l.lastHold, Due: l.dueAfter}
	l.mu.Unlock()
	if resumed := l.engine.settings().Hooks.Resumed; resumed != nil {
		resumed(recovery)
	}
}

// endHold ends a hold, if there is one.
func (l *lane) endHold(now time.Time) (ended bool) {
	if ended = l.hold.on(); ended {
		l.lastHold, l.health.freeSince, l.dueAfter = now.Sub(l.hold.since), now, unknownDue
	}
	l.hold = hold{}
	return ended
}

// accountCodes are TeleCRM's error codes about the account.
var accountCodes = []string{telecrm.CodeNotAuthorized, telecrm.CodeEnterpriseNotFound, telecrm.CodeLicenseExpired, telecrm.CodeBuyLicense}

// namesAccount reports whether an answer blames the account. A bare 403 or 404 may be about the
// lead, and come from a firewall.
func namesAccount(answer telecrm.Answer) bool {
	return answer.Status == http.StatusUnauthorized || answer.Status == http.StatusPaymentRequired ||
		slices.Contains(accountCodes, answer.Code)
}
