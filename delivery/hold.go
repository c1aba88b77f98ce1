package delivery

import (
	"net/http"
	"slices"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// hold is the state of a held lane. While it lasts one attempt at a time, the
// probe, finds out whether the account works again.
type hold struct {
	reason        string // empty: not held
	since         time.Time
	firstInterval time.Duration // the wait before the first probe
	refusal       string        // how TeleCRM refuses one lead after the other, if it is held for that
	interval      time.Duration // the wait before the next one; 0 after a resumption
	freshInterval time.Duration // the wait before one with a lead that comes only then
	probeAt       time.Time
	probe         string // the id of the entry that is being probed with; empty: none
	answered      bool   // the probe's answer has planned the next one
	probedAt      time.Time
	resumed       bool // somebody resumed the account while the probe was in flight
}

func (h hold) on() bool { return h.reason != "" }

// mayBePoison reports whether it may be a lead that TeleCRM turns away, and not
// the account.
func (h hold) mayBePoison() bool { return h.firstInterval == firstPoisonProbe }

// plan plans the next probe, after one with a lead that had failed before or
// not; each finds the wait a little longer.
func (h *hold) plan(now time.Time, again bool) {
	h.interval = nextProbe(h.interval, h.firstInterval)
	if !again {
		h.freshInterval = nextProbe(h.freshInterval, h.firstInterval)
	}
	h.probedAt, h.probeAt = now, now.Add(jittered(h.interval))
}

// extendHold holds the lane, or has a held one wait for the next probe. An
// attempt that began before the lane was held says nothing new.
func (l *lane) extendHold(id string, answer telecrm.Answer, now time.Time) {
	switch {
	case !l.hold.on():
		l.hold = hold{reason: answer.Reason(), since: now, firstInterval: firstInterval(answer)}
		l.hold.plan(now, false)
	case l.hold.probe == id && !l.hold.answered:
		if answer.Verdict == telecrm.Hold {
			l.hold.reason = answer.Reason()
		}
		l.hold.answered = true
		_, again := l.suspects[id]
		l.hold.plan(now, again)
	}
}

// firstInterval is the wait before the first probe. It is short unless the answer
// names the account, because it may be the lead that is turned away: then the
// next one, which is another, should not have to wait.
func firstInterval(answer telecrm.Answer) time.Duration {
	if namesAccount(answer) {
		return firstProbe
	}
	return firstPoisonProbe
}

// namesAccount reports whether an answer blames the account itself. A bare 403
// or 404 may as well be about the lead, and come from a firewall.
func namesAccount(answer telecrm.Answer) bool {
	return answer.Status == http.StatusUnauthorized || answer.Status == http.StatusPaymentRequired ||
		slices.Contains(accountCodes, answer.Code)
}

// accountCodes are the codes with which TeleCRM blames the account.
var accountCodes = []string{telecrm.CodeNotAuthorized, telecrm.CodeEnterpriseNotFound, telecrm.CodeLicenseExpired, telecrm.CodeBuyLicense}

// endProbe ends the probe, if the attempt at the entry was one, however it
// ended. Unless its answer has planned the next probe, that comes at once with
// another lead, or, if this one waits still, after a moment.
func (l *lane) endProbe(entry outbox.Entry, s outbox.Settlement, asked bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hold.probe != entry.ID {
		return
	}
	now := l.engine.now()
	switch {
	case l.hold.resumed:
		l.hold.interval, l.hold.freshInterval, l.hold.probeAt = 0, 0, now
	case l.hold.answered:
	case s.State != outbox.Waiting:
		l.hold.probeAt = now
	case asked:
		l.hold.plan(now, true)
	default:
		l.hold.probeAt = now.Add(storeRetryDelay)
	}
	l.hold.probe, l.hold.answered, l.hold.resumed = "", false, false
}

// entryAdded notes that a lead has been added. If it may be other leads that
// TeleCRM turns away, and not the account, the new one need not wait for as
// long as they have to by now.
func (l *lane) entryAdded() {
	l.mu.Lock()
	if l.hold.mayBePoison() {
		if soon := l.hold.probedAt.Add(l.hold.freshInterval); soon.Before(l.hold.probeAt) {
			l.hold.probeAt = soon
		}
	}
	l.mu.Unlock()
	l.signal()
}
