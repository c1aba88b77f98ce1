package delivery

import (
	"context"
	"time"
)

// lockedFieldsRetryDelay is the delay after a request that failed.
const lockedFieldsRetryDelay = 10 * time.Minute

// lockedNames returns the names of the locked fields, as far as they are known.
func (l *lane) lockedNames() map[string]bool {
	l.mu.Lock()
	fields := l.fields
	l.mu.Unlock()
	return fields.lockedNames()
}

// useFields puts the cache of an account's fields in force. The caller holds l.mu.
func (l *lane) useFields(account *Account) {
	next := account.Fields
	if next == nil {
		next = NewWorkspaceFields()
	}
	if l.account != nil && sameWorkspace(l.account, account) {
		next.inherit(l.fields)
	}
	l.fields = next
}

// refreshFields asks for the fields if the account updates leads and they are due. While they are
// unknown, an update contains locked fields too, and TeleCRM refuses or drops them. The request uses
// a token of the account's rate limit.
func (l *lane) refreshFields(run func(func())) {
	l.mu.Lock()
	wants := l.wantsFields(l.engine.now())
	l.mu.Unlock()
	if !wants {
		return
	}
	if l.lends() {
		ctx, cancel := context.WithTimeout(l.engine.running, sharePatience)
		defer cancel()
		l.borrow(ctx, 1)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.engine.now(); !l.wantsFields(now) || !l.pace.take(now, l.lends()) {
		return
	}
	l.asksFields = true
	client, fields := l.account.Client, l.fields
	run(func() { l.fetchFields(l.engine.sending, fields, client) })
}

// wantsFields reports whether the fields are due and may be asked for.
func (l *lane) wantsFields(now time.Time) bool {
	return l.account != nil && l.account.Updates && l.account.Client != nil && !l.asksFields && l.fields.isDue(now) &&
		!l.hold.on() && !now.Before(l.pause.until)
}

func (l *lane) fetchFields(ctx context.Context, fields *WorkspaceFields, client Client) {
	fields.fetch(ctx, client, l.engine.now, lockedFieldsRetryDelay)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asksFields = false
}
