package delivery

import (
	"context"
	"time"
)

// lockedFields caches the fields of a workspace that cannot change once a lead exists
// (https://docs.telecrm.in/sync-api/enterprise/custom-fields-list).
type lockedFields struct {
	names    map[string]bool
	due      time.Time // of the next request; zero: now
	fetching bool
}

const (
	// lockedFieldsTTL is how long the names are valid.
	lockedFieldsTTL = 6 * time.Hour
	// lockedFieldsRetryDelay is the delay after a failed request.
	lockedFieldsRetryDelay = 10 * time.Minute
)

// lockedNames returns the names of the locked fields, as far as they are known.
func (l *lane) lockedNames() map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.locked.names
}

// refreshLockedFields fetches the locked fields if the account needs them and they are due. The
// request uses a token of the account's rate limit.
func (l *lane) refreshLockedFields(run func(func())) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.engine.now()
	if l.account == nil || !l.account.Updates || l.account.Client == nil || l.locked.fetching || now.Before(l.locked.due) ||
		l.hold.on() || now.Before(l.pause.until) || !l.limiter.AllowN(now, 1) {
		return
	}
	l.locked.fetching = true
	client := l.account.Client
	run(func() { l.fetchLockedFields(l.engine.sending, client) })
}

// fetchLockedFields requests the field definitions. While they are unknown, an update contains
// locked fields too, and TeleCRM refuses or drops them.
func (l *lane) fetchLockedFields(ctx context.Context, client Client) {
	definitions := client.FieldDefinitions(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.locked.fetching = false
	if definitions.Failure != nil {
		l.locked.due = l.engine.now().Add(lockedFieldsRetryDelay)
		return
	}
	names := make(map[string]bool)
	for _, field := range definitions.Fields {
		if field.Locked {
			names[field.APIName] = true
		}
	}
	l.locked = lockedFields{names: names, due: l.engine.now().Add(lockedFieldsTTL)}
}
