package delivery

import (
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// suspect is a waiting lead with which TeleCRM turned the account away. It may be a poison lead:
// one that TeleCRM turns away while it accepts others. Without this distinction a single poison
// lead would keep the account on hold.
type suspect struct {
	identifier string
	refused    bool // TeleCRM refused the lead as invalid, like others before it
	othersPass bool // TeleCRM has accepted another lead since
}

// maxSuspects limits the suspects that are remembered. Some may have been erased from the outbox. A
// suspect that is forgotten can cause one more hold.
const maxSuspects = 10_000

// addSuspect remembers that TeleCRM turned the account away with this entry.
func (l *lane) addSuspect(id string, s suspect) {
	if len(l.suspects) >= maxSuspects {
		clear(l.suspects)
	}
	l.suspects[id] = &s
}

// removeSuspect forgets an entry that is no longer waiting.
func (l *lane) removeSuspect(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.suspects, id)
}

// othersPass records that TeleCRM answered for the entry, which sets the suspects apart from it. If
// TeleCRM refused it as invalid, this says nothing about suspects that were refused as well.
func (l *lane) othersPass(id string, accepted bool) {
	for other, s := range l.suspects {
		if other != id && (accepted || !s.refused) {
			s.othersPass = true
		}
	}
}

// isPoison reports whether TeleCRM turns away this entry and not the account.
func (l *lane) isPoison(id string) bool {
	s, suspected := l.suspects[id]
	return suspected && s.othersPass && !l.hold.on()
}

// suspectIdentifiers returns the identifiers of all suspects.
func (l *lane) suspectIdentifiers() map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	identifiers := make(map[string]bool, len(l.suspects))
	for _, s := range l.suspects {
		identifiers[s.identifier] = true
	}
	return identifiers
}

// settlePoison parks a poison lead. If the answer names the account, one of its tokens may not work
// for this lead's policy, so the lead is retried instead.
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
