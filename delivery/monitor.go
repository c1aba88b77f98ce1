package delivery

import (
	"sync"
	"time"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Monitor knows how an account is doing whose leads are sent without an outbox. It has neither
// pauses nor holds: an account that TeleCRM turns away is [Failing].
type Monitor struct {
	account   string
	now       func() time.Time
	troubled  func(Trouble)
	recovered func(Recovery)

	mu       sync.Mutex
	health   health
	incident incident
}

// NewMonitor returns the monitor of an account. It calls the hooks as an [Engine] does, but only
// when TeleCRM has answered.
func NewMonitor(account string, troubled func(Trouble), recovered func(Recovery)) *Monitor {
	return &Monitor{account: account, now: steadyClock(), troubled: troubled, recovered: recovered}
}

// Observe records TeleCRM's answer to a lead, and how long it took. A nil monitor ignores it.
func (m *Monitor) Observe(answer telecrm.Answer, took time.Duration) {
	if m == nil {
		return
	}
	m.mu.Lock()
	now := m.now()
	if answer.Verdict == telecrm.Hold {
		m.health.failed(answer, now)
	} else {
		m.health.observe(answer, took, now)
	}
	trouble, recovery, _ := m.incident.change(m.account, m.health.state(), now)
	m.mu.Unlock()
	if trouble != nil {
		m.troubled(*trouble)
	}
	if recovery != nil {
		recovery.Due = unknownDue
		m.recovered(*recovery)
	}
}

// Status returns the status of the account.
func (m *Monitor) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.health.state()
	return Status{
		Account: m.account, Condition: s.condition, Since: s.since, Reason: s.reason,
		LastError: m.health.last, LastErrors: m.health.errorTimes(),
	}
}
