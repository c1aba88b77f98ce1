package delivery

import (
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Only failures of TeleCRM delay the next attempt, not the number of attempts that ended with their
// process.
func TestCrashesDoNotDelayRetry(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	entry := outbox.Entry{Attempts: 50, BegunAt: now.Add(-time.Second)}
	s := decide(entry, telecrm.Answer{Verdict: telecrm.Retry, Ambiguous: true}, now, time.Hour)
	if wait := s.DueAt.Sub(now); s.State != outbox.Waiting || wait > 6*time.Second {
		t.Errorf("%s, retry after %v", s.State, wait)
	}
	if s.AmbiguousSince != entry.BegunAt || s.FailingSince != now {
		t.Errorf("ambiguous since %v, failing since %v", s.AmbiguousSince, s.FailingSince)
	}
}

// A hold resets the retries of an entry but keeps its uncertainty.
func TestHoldResetsRetries(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	entry := outbox.Entry{Attempts: 5, FailingSince: now.Add(-100 * time.Hour), AmbiguousSince: now.Add(-100 * time.Hour)}
	s := decide(entry, telecrm.Answer{Verdict: telecrm.Hold, Status: 401}, now, time.Hour)
	if s.State != outbox.Waiting || !s.DueAt.Equal(now) || !s.Uncounted || !s.FailingSince.IsZero() {
		t.Errorf("%+v", s)
	}
	if s.AmbiguousSince != entry.AmbiguousSince {
		t.Error("AmbiguousSince is lost")
	}
}
