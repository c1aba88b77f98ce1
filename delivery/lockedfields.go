package delivery

import (
	"context"
	"time"
)

const (
	// lockedFieldsTTL is how long it counts which fields of a workspace are locked.
	lockedFieldsTTL = 6 * time.Hour
	// lockedFieldsRetry is how long to wait before asking again when TeleCRM did not
	// say.
	lockedFieldsRetry = 10 * time.Minute
)

// lockedFields are the fields of a workspace that cannot change once a lead is there
// (https://docs.telecrm.in/sync-api/enterprise/custom-fields-list).
type lockedFields struct {
	names    map[string]bool
	due      time.Time // when to ask for them; zero: at once
	fetching bool
}

// lockedNames returns the fields that are known to be locked.
func (l *lane) lockedNames() map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.locked.names
}

// refreshLockedFields has the lane ask which fields are locked, if its account needs to
// know and it is time. It takes a request of the account's pace, beside those
// of the leads, now and then.
func (l *lane) refreshLockedFields(run func(func())) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.engine.now()
	if l.account == nil || !l.account.Updates || l.account.Client == nil || l.locked.fetching || now.Before(l.locked.due) ||
		l.hold.on() || now.Before(l.paused) || !l.pace.AllowN(now, 1) {
		return
	}
	l.locked.fetching = true
	client := l.account.Client
	run(func() { l.fetchLockedFields(l.engine.sending, client) })
}

// fetchLockedFields asks. What cannot be learned is left to TeleCRM, which refuses or
// drops what it does not want to change.
func (l *lane) fetchLockedFields(ctx context.Context, client Client) {
	definitions := client.FieldDefinitions(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.locked.fetching = false
	if definitions.Failure != nil {
		l.locked.due = l.engine.now().Add(lockedFieldsRetry)
		return
	}
	fields := make(map[string]bool)
	for _, field := range definitions.Fields {
		if field.Locked {
			fields[field.APIName] = true
		}
	}
	l.locked = lockedFields{names: fields, due: l.engine.now().Add(lockedFieldsTTL)}
}
