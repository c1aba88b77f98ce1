package delivery

import (
	"context"
	"time"
)

const (
	// locksFor is how long it counts which fields of a workspace are locked.
	locksFor = 6 * time.Hour
	// locksAgain is how long to wait before asking again when TeleCRM did not
	// say.
	locksAgain = 10 * time.Minute
)

// locks are the fields of a workspace that cannot change once a lead is there
// (https://docs.telecrm.in/sync-api/enterprise/custom-fields-list).
type locks struct {
	fields map[string]bool
	due    time.Time // when to ask for them; zero: at once
	asking bool
}

// lockedFields returns the fields that are known to be locked.
func (l *lane) lockedFields() map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.locks.fields
}

// learnLocks has the lane ask which fields are locked, if its account needs to
// know and it is time. It takes a request of the account's pace, beside those
// of the leads, now and then.
func (l *lane) learnLocks(run func(func())) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.engine.now()
	if l.account == nil || !l.account.Updates || l.account.Client == nil || l.locks.asking || now.Before(l.locks.due) ||
		l.hold.on() || now.Before(l.paused) || !l.pace.AllowN(now, 1) {
		return
	}
	l.locks.asking = true
	client := l.account.Client
	run(func() { l.askLocks(l.engine.sending, client) })
}

// askLocks asks. What cannot be learned is left to TeleCRM, which refuses or
// drops what it does not want to change.
func (l *lane) askLocks(ctx context.Context, client Client) {
	definitions := client.FieldDefinitions(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.locks.asking = false
	if definitions.Failure != nil {
		l.locks.due = l.engine.now().Add(locksAgain)
		return
	}
	fields := make(map[string]bool)
	for _, field := range definitions.Fields {
		if field.Locked {
			fields[field.APIName] = true
		}
	}
	l.locks = locks{fields: fields, due: l.engine.now().Add(locksFor)}
}
