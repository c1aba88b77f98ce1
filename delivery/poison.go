package delivery

import (
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// suspect is a waiting lead for which TeleCRM has turned the account away. It
// may be the lead that it turns away, and not the account.
type suspect struct {
	identifier string
	refused    bool // TeleCRM refused the lead, as it did others
	othersPass bool // TeleCRM has taken another lead since
}

// maxSuspects bounds how many suspects are remembered, of which some may have
// been erased since. One that is forgotten holds the account once more.
const maxSuspects = 10_000

// addSuspect notes that TeleCRM turned the account away for that entry.
func (l *lane) addSuspect(id string, s suspect) {
	if len(l.suspects) >= maxSuspects {
		clear(l.suspects)
	}
	l.suspects[id] = &s
}

// clearSuspicion notes that TeleCRM answers for the lead of that id, which tells the
// suspects from it. If it refuses the lead, that clears the account of turning
// everything away, but not of having everything refused.
func (l *lane) clearSuspicion(id string, taken bool) {
	for other, s := range l.suspects {
		if other != id && (taken || !s.refused) {
			s.othersPass = true
		}
	}
}

// isPoison reports whether it is that lead alone which TeleCRM turns away,
// and not the account.
func (l *lane) isPoison(id string) bool {
	s, known := l.suspects[id]
	return known && s.othersPass && !l.hold.on()
}

// removeSuspect forgets a suspect that does not wait any more.
func (l *lane) removeSuspect(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.suspects, id)
}

// takeProbe takes the entry to probe a held lane with: if there is any that
// has not failed yet, the longest due of those, and else the longest due.
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
	// Those that were passed over have become due a second later.
	return l.take(laterOf(due, now.Add(time.Second)), now, limit)
}

func (l *lane) suspectIdentifiers() map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	failed := make(map[string]bool, len(l.suspects))
	for _, s := range l.suspects {
		failed[s.identifier] = true
	}
	return failed
}

// settlePoison is what becomes of a lead that TeleCRM turns away while it takes
// others. If the answer names the account, one of its tokens may not work for
// what this lead needs, and it is tried again as if TeleCRM had failed.
func (w *worker) settlePoison(s outbox.Settlement, answer telecrm.Answer) outbox.Settlement {
	s.Uncounted = false
	if namesAccount(answer) {
		s.FailingSince = w.entry.FailingSince
		scheduleRetry(&s, s.At, w.engine.settings().RetryFor)
		return s
	}
	s.State, s.DueAt = outbox.Parked, time.Time{}
	s.Reason = reasonPoison + ": " + answer.Reason()
	return s
}
