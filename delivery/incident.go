package delivery

import "time"

// Trouble is the beginning of an incident, or its turn for the worse.
type Trouble struct {
	Account string
	// Condition is [Slow], [Paused] or [Failing]. Accounts on hold have a hook of their own.
	Condition Condition
	// Since is when the condition began, and Reason says why.
	Since  time.Time
	Reason string
}

// Recovery is the end of an incident.
type Recovery struct {
	Account string
	// Condition is the worst that was announced, and Lasted how long the incident was.
	Condition Condition
	Lasted    time.Duration
}

// incident decides what operators are told of an account in trouble. They are told once that it
// begins, once that it gets worse, and once that it is over. An account that keeps changing is
// announced at most every announceInterval, as its condition is by then.
type incident struct {
	announced Condition // the worst that was announced; empty: none
	since     time.Time
	lastBegan time.Time // when the last incident was announced
}

const (
	// announceInterval is the least time between the announcements of two incidents of an account.
	announceInterval = 5 * time.Minute
	// slowPatience is how long an account is slow before that is announced.
	slowPatience = time.Minute
)

// announce calls the hooks if operators are to be told of a change. It returns how long to wait
// before looking again, for a change that is not to be told yet. Only the loop calls it.
func (l *lane) announce() time.Duration {
	now := l.engine.now()
	l.mu.Lock()
	s := l.state(now)
	var trouble *Trouble
	var recovery *Recovery
	wait := idleWait
	i := &l.incident
	switch {
	case l.account == nil:
	case s.condition == OnHold: // announced by its own hook
		i.announced = ""
	case s.condition == Sending:
		// The lead that ended the incident is not counted as delivered before it is recorded.
		if i.announced != "" && l.recovering == 0 {
			recovery = &Recovery{Account: l.name, Condition: i.announced, Lasted: now.Sub(i.since)}
			i.announced = ""
		}
	case s.condition.worseThan(i.announced):
		if wait = i.notYet(s, now); wait > 0 {
			break
		}
		if i.announced == "" {
			i.since, i.lastBegan = s.since, now
		}
		i.announced, wait = s.condition, idleWait
		trouble = &Trouble{Account: l.name, Condition: s.condition, Since: s.since, Reason: s.reason}
	}
	l.mu.Unlock()
	hooks := l.engine.settings().Hooks
	if trouble != nil && hooks.Troubled != nil {
		hooks.Troubled(*trouble)
	}
	if recovery != nil && hooks.Recovered != nil {
		hooks.Recovered(*recovery)
	}
	return wait
}

// notYet returns how long the announcement of a condition has to wait.
func (i *incident) notYet(s state, now time.Time) time.Duration {
	at := s.since
	if s.condition == Slow {
		at = at.Add(slowPatience)
	}
	if i.announced == "" && !i.lastBegan.IsZero() {
		at = later(at, i.lastBegan.Add(announceInterval))
	}
	return at.Sub(now)
}
