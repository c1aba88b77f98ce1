package delivery

import "time"

// Trouble reports that an incident began or got worse.
type Trouble struct {
	Account string
	// Condition is [Slow], [Paused] or [Failing]. Accounts on hold have a hook of their own.
	Condition Condition
	// Since is when the condition began, and Reason says why.
	Since  time.Time
	Reason string
}

// Recovery reports the end of an incident or a hold.
type Recovery struct {
	Account string
	// Condition is the worst that was announced, and Lasted is how long the incident took.
	Condition Condition
	Lasted    time.Duration
	// Due counts the leads that go now; it is unknown if it is negative.
	Due int
}

// unknownDue is the number of due leads if nobody has counted them.
const unknownDue = -1

// incident decides what is announced to operators of an account in trouble: once that it begins, once
// that it gets worse, and once that it is over. An account that keeps changing is announced
// announceBurst times, then at most every announceInterval, as its condition is by then.
type incident struct {
	announced Condition // the worst that was announced; empty: none
	since     time.Time
	spent     time.Time // when all announcements of the burst are allowed again
}

const (
	// announceInterval is the least time between the announcements of two incidents of an account,
	// after announceBurst of them in a short time.
	announceInterval = 5 * time.Minute
	announceBurst    = 3
	// slowPatience is how long an account is slow before that is announced.
	slowPatience = time.Minute
)

// announce calls the hooks if a change is due to be announced. It returns how long to wait before
// looking again, if a change is not due yet. Only the loop calls it.
func (l *lane) announce() time.Duration {
	now := l.engine.now()
	l.mu.Lock()
	s := l.state(now)
	// The lead that ended an incident is not counted as delivered before it is recorded.
	if l.account == nil || s.condition == Sending && l.recovering > 0 {
		l.mu.Unlock()
		return idleWait
	}
	trouble, recovery, wait := l.incident.change(l.name, s, now)
	if trouble != nil {
		l.dueAfter = unknownDue
	}
	if recovery != nil {
		recovery.Due = l.dueAfter
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

// change returns what is to be announced now that the account is in the given state, and how long
// to wait before looking again.
func (i *incident) change(account string, s state, now time.Time) (*Trouble, *Recovery, time.Duration) {
	switch {
	case s.condition == OnHold: // announced by its own hook
		i.announced = ""
	case s.condition == Sending && i.announced != "":
		recovery := &Recovery{Account: account, Condition: i.announced, Lasted: now.Sub(i.since)}
		i.announced = ""
		return nil, recovery, idleWait
	case s.condition != Sending && s.condition.WorseThan(i.announced):
		if wait := i.notYet(s, now); wait > 0 {
			return nil, nil, wait
		}
		if i.announced == "" {
			i.since, i.spent = s.since, later(i.spent, now).Add(announceInterval)
		}
		i.announced = s.condition
		return &Trouble{Account: account, Condition: s.condition, Since: s.since, Reason: s.reason}, nil, idleWait
	}
	return nil, nil, idleWait
}

// notYet returns how long the announcement of a condition has to wait.
func (i *incident) notYet(s state, now time.Time) time.Duration {
	at := s.since
	if s.condition == Slow {
		at = at.Add(slowPatience)
	}
	if i.announced == "" {
		at = later(at, i.spent.Add(-(announceBurst-1)*announceInterval))
	}
	return at.Sub(now)
}
