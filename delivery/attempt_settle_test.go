package delivery

import (
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Attempts that ended with their process, however many, do not put off the next one: only TeleCRM's
// failures do.
func TestCrashesDoNotLengthenTheWait(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	entry := outbox.Entry{Attempts: 50, BegunAt: now.Add(-time.Second)}
	s := decide(entry, telecrm.Answer{Verdict: telecrm.Retry, Ambiguous: true}, now, time.Hour)
	if wait := s.DueAt.Sub(now); s.State != outbox.Waiting || wait > 6*time.Second {
		t.Errorf("%s, again after %v", s.State, wait)
	}
	if s.AmbiguousSince != entry.BegunAt || s.FailingSince != now {
		t.Errorf("ambiguous since %v, failing since %v", s.AmbiguousSince, s.FailingSince)
	}
}

// What was wrong with the account is not held against a lead.
func TestHoldStartsThePlanAnew(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	entry := outbox.Entry{Attempts: 5, FailingSince: now.Add(-100 * time.Hour), AmbiguousSince: now.Add(-100 * time.Hour)}
	s := decide(entry, telecrm.Answer{Verdict: telecrm.Hold, Status: 401}, now, time.Hour)
	if s.State != outbox.Waiting || !s.DueAt.Equal(now) || !s.Uncounted || !s.FailingSince.IsZero() {
		t.Errorf("%+v", s)
	}
	if s.AmbiguousSince != entry.AmbiguousSince {
		t.Error("it is forgotten that an attempt may have succeeded")
	}
}
