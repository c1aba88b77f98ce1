package dailycheck

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// facts holds what is known of the workspaces by the keys of their accounts. It outlives configs, so
// that a reload does not ask again.
var facts struct {
	mu    sync.Mutex
	known map[string]*check.Workspace
}

// maxFacts bounds the number of workspaces. Tokens that are replaced leave one behind.
const maxFacts = 64

// recall returns what is known of a workspace, or nil if it is not known or too old.
func recall(key string) *check.Workspace {
	facts.mu.Lock()
	defer facts.mu.Unlock()
	known := facts.known[key]
	if known == nil || time.Since(known.AskedAt) > factsTTL {
		return nil
	}
	return copied(known)
}

// copied returns a workspace whose members can be added to.
func copied(w *check.Workspace) *check.Workspace {
	c := *w
	c.Members = make(map[string]telecrm.Member, len(w.Members))
	for email, member := range w.Members {
		if member.OK() {
			c.Members[email] = member
		}
	}
	return &c
}

// remember keeps what was found out about a workspace, and tells the account its fields. If it could
// not be read just now, it returns what was known before, and nil if the account is on hold: the log
// says so already.
func remember(a Account, now *check.Workspace) *check.Workspace {
	if now == nil {
		return nil
	}
	facts.mu.Lock()
	defer facts.mu.Unlock()
	before := facts.known[a.Key]
	if failure := now.Fields.Failure; failure != nil {
		switch {
		case failure.Verdict == telecrm.Hold:
			return now
		case before != nil:
			return before
		case errors.Is(failure.Err, delivery.ErrOnHold):
			return nil
		}
		return now
	}
	a.Learn(now.Fields.Fields, now.AskedAt)
	if before != nil && !now.Actions.OK() {
		now.Actions = before.Actions
	}
	if before != nil && !now.Pipeline.OK() {
		now.Pipeline = before.Pipeline
	}
	if now.IsWhole() {
		if facts.known == nil || len(facts.known) >= maxFacts {
			facts.known = make(map[string]*check.Workspace)
		}
		facts.known[a.Key] = copied(now)
	}
	return now
}

// waiting waits before each request until no lead needs it.
type waiting struct {
	check.API
	wait func(ctx context.Context) error
}

func (w *waiting) FieldDefinitions(ctx context.Context) telecrm.Definitions {
	if err := w.wait(ctx); err != nil {
		return telecrm.Definitions{Failure: notAsked(err)}
	}
	return w.API.FieldDefinitions(ctx)
}

func (w *waiting) ActionDefinitions(ctx context.Context) telecrm.ActionDefinitions {
	if err := w.wait(ctx); err != nil {
		return telecrm.ActionDefinitions{Failure: notAsked(err)}
	}
	return w.API.ActionDefinitions(ctx)
}

func (w *waiting) Pipeline(ctx context.Context) telecrm.Pipeline {
	if err := w.wait(ctx); err != nil {
		return telecrm.Pipeline{Failure: notAsked(err)}
	}
	return w.API.Pipeline(ctx)
}

func (w *waiting) Member(ctx context.Context, email string) telecrm.Member {
	if err := w.wait(ctx); err != nil {
		return telecrm.Member{Failure: notAsked(err)}
	}
	return w.API.Member(ctx, email)
}

func notAsked(err error) *telecrm.Answer { return &telecrm.Answer{Verdict: telecrm.Retry, Err: err} }
