package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// serveStatus responds with the state of deliveries.
func serveStatus(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	status, err := statusOf(r.Context(), dispatch.All())
	if err != nil {
		return outboxFailed(err, "")
	}
	return answerJSON(w, status)
}

func statusOf(ctx context.Context, open []*dispatch.Dispatcher) (adminapi.Status, error) {
	status := adminapi.Status{Outboxes: make([]adminapi.Outbox, 0, len(open))}
	if len(open) == 0 {
		status.Note = whyNoOutbox()
	}
	status.Check, status.Left = lastCheck(), dispatch.LeftOutboxes()
	for _, s := range dispatch.Direct() {
		var a adminapi.Account
		describeState(&a, s)
		status.Direct = append(status.Direct, a)
	}
	for _, o := range open {
		one, err := outboxStatus(ctx, o)
		if err != nil {
			return adminapi.Status{}, err
		}
		status.Outboxes = append(status.Outboxes, one)
	}
	return status, nil
}

// statusPatience is how long an outbox may take to report its contents. It is short because
// operators ask for the status when something is wrong.
const statusPatience = 3 * time.Second

// outboxStatus returns the state of the outbox. If the outbox hangs, the result says so and
// contains what the engine knows.
func outboxStatus(ctx context.Context, o *dispatch.Dispatcher) (adminapi.Outbox, error) {
	reading, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	accounts, err := accountsIn(reading, o)
	trouble := o.Store.Health()
	if errors.Is(err, context.DeadlineExceeded) {
		trouble, err = errOutboxHangs, nil
	}
	if err != nil {
		return adminapi.Outbox{}, err
	}
	status := adminapi.Outbox{Resource: o.Resource, Trouble: explainTrouble(trouble), Accounts: accounts}
	if _, shared := o.Shared(); shared && trouble != nil {
		status.Trouble += "; the numbers of leads are without those in the outbox"
	}
	if status.Fleet, err = fleetOf(reading, o); err != nil && trouble == nil && !errors.Is(err, context.DeadlineExceeded) {
		return adminapi.Outbox{}, err
	}
	if store, ok := o.Spooling(); ok {
		if err := describeSpools(reading, &status, store); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return adminapi.Outbox{}, err
		}
	}
	return status, nil
}

// describeSpools adds to the status why the outbox cannot be used, and where leads are kept.
func describeSpools(ctx context.Context, status *adminapi.Outbox, store dispatch.Spooling) error {
	now := store.Status()
	if now.Trouble != nil {
		status.Trouble = fmt.Sprintf("the outbox has not been usable since %s: %v; ", now.Since.UTC().Format(time.RFC3339), now.Trouble)
		if len(now.Spools) == 0 {
			status.Trouble += "there is no place for a spool either, so new leads are not kept, and are only sent while their visitors wait"
		}
	}
	if len(now.Spools) == 0 {
		return nil
	}
	leads, err := store.Spooled(ctx)
	status.Spool = &adminapi.Spool{Since: utcTime(now.Since), Files: now.Spools, Leads: leads}
	if now.Since.IsZero() {
		status.Spool.Since = time.Time{}
	}
	if now.Trouble != nil {
		status.Trouble += fmt.Sprintf("leads are kept in %s (%d so far) and delivered from there, and move to the outbox when it can be used",
			strings.Join(now.Spools, ", "), leads)
	}
	return err
}

var errOutboxHangs = errors.New("the outbox does not answer, so the numbers of leads are missing; check the disk")

// explainTrouble describes what is wrong with an outbox and what to do about it.
func explainTrouble(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errOutboxHangs):
		return err.Error()
	case errors.Is(err, outbox.ErrFull):
		return err.Error() + ": new leads are not kept, but leads in the outbox are delivered; make room on the disk"
	}
	return "the outbox cannot be written: " + err.Error()
}

// accountsIn returns the accounts of the running config and those that still have leads in the
// outbox, sorted by name. It reads one lead of each. If the outbox fails, it returns what the
// engine knows along with the error.
func accountsIn(ctx context.Context, o *dispatch.Dispatcher) ([]adminapi.Account, error) {
	byName := make(map[string]*adminapi.Account)
	named := func(name string) *adminapi.Account {
		if byName[name] == nil {
			byName[name] = &adminapi.Account{Name: name, State: adminapi.NotConfigured}
		}
		return byName[name]
	}
	for _, s := range o.Engine.Status() {
		describeState(named(s.Account), s)
	}
	counts, err := o.Store.Counts(ctx)
	for _, count := range counts {
		a := named(count.Account)
		switch count.State {
		case outbox.Waiting:
			a.Waiting = count.Entries
		case outbox.Delivered:
			a.Delivered = count.Entries
		case outbox.Parked:
			a.Parked = count.Entries
		}
	}
	list := make([]adminapi.Account, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		a := byName[name]
		if err == nil {
			a.OldestWaiting, err = oldestWaiting(ctx, o, a)
		}
		if err == nil && a.State == delivery.Failing {
			a.NextAttempt, err = nextAttempt(ctx, o, a)
		}
		list = append(list, *a)
	}
	return list, err
}

// oldestWaiting returns the account's lead that has waited the longest. Lists begin with it.
func oldestWaiting(ctx context.Context, o *dispatch.Dispatcher, a *adminapi.Account) (*adminapi.Waiting, error) {
	if a.Waiting == 0 {
		return nil, nil //nolint:nilnil // none waits
	}
	oldest, err := o.Store.List(ctx, outbox.Filter{State: outbox.Waiting, Account: a.Name, Limit: 1})
	if err != nil || len(oldest) == 0 {
		return nil, err
	}
	return &adminapi.Waiting{ID: oldest[0].ID, CreatedAt: oldest[0].CreatedAt}, nil
}

// describeState fills in what the engine knows of a configured account.
func describeState(a *adminapi.Account, s delivery.Status) {
	a.Name, a.Configured = s.Account, true
	a.State, a.StateSince, a.StateReason = s.Condition, utcTime(s.Since), s.Reason
	a.LastError = lastError(s.LastError)
	a.Held, a.HeldReason, a.HeldSince = s.Held, s.HeldReason, utcTime(s.HeldSince)
	a.InFlight = s.InFlight
	if s.PausedUntil.After(time.Now()) {
		a.PausedUntil, a.PauseReason = utcTime(s.PausedUntil), s.PauseReason
	}
}

// nextAttempt returns when the account's next lead is due and may be sent; zero if none waits.
func nextAttempt(ctx context.Context, o *dispatch.Dispatcher, a *adminapi.Account) (time.Time, error) {
	due, waiting, err := o.Store.NextDue(ctx, a.Name)
	if err != nil || !waiting {
		return time.Time{}, err
	}
	if due.Before(a.PausedUntil) {
		due = a.PausedUntil
	}
	return utcTime(due), nil
}

// lastError describes the last error; nil if there was none.
func lastError(e delivery.LastError) *adminapi.LastError {
	if e.At.IsZero() {
		return nil
	}
	return &adminapi.LastError{Cause: e.Cause, Problem: e.Problem, At: utcTime(e.At)}
}

// utcTime returns t without a monotonic reading, as the outbox's times are.
func utcTime(t time.Time) time.Time { return t.Round(0).UTC() }

// checkState returns an error if the state is neither known nor empty.
func checkState(state outbox.State) error {
	if state == "" || slices.Contains(outbox.States(), state) {
		return nil
	}
	known := make([]string, 0, len(outbox.States()))
	for _, s := range outbox.States() {
		known = append(known, string(s))
	}
	return refuse(http.StatusBadRequest, "unknown state %q; known states are: %s", state, strings.Join(known, ", "))
}

// checkAccount returns an error unless the account is in the config, has leads in an outbox, or is
// empty.
func checkAccount(ctx context.Context, open []*dispatch.Dispatcher, account string) error {
	if account == "" {
		return nil
	}
	known, err := knownAccounts(ctx, open)
	if err != nil {
		return outboxFailed(err, "")
	}
	if slices.Contains(known, account) {
		return nil
	}
	if len(known) == 0 {
		return refuse(http.StatusBadRequest, "unknown account %q; no accounts are configured", account)
	}
	return refuse(http.StatusBadRequest, "unknown account %q; known accounts are: %s", account, strings.Join(known, ", "))
}

// knownAccounts lists the accounts in the config and those with leads in an outbox.
func knownAccounts(ctx context.Context, open []*dispatch.Dispatcher) ([]string, error) {
	names := make(map[string]bool)
	for _, o := range open {
		for _, s := range o.Engine.Status() {
			names[s.Account] = true
		}
		counts, err := o.Store.Counts(ctx)
		if err != nil {
			return nil, err
		}
		for _, count := range counts {
			names[count.Account] = true
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// serveResume makes due what waits for an account.
func serveResume(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	resumed, err := resumeAccount(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	return answerJSON(w, resumed)
}

func resumeAccount(ctx context.Context, name string) (adminapi.Resumed, error) {
	open, err := someOutbox()
	if err != nil {
		return adminapi.Resumed{}, err
	}
	if err := checkAccount(ctx, open, name); err != nil {
		return adminapi.Resumed{}, err
	}
	configured, answer := false, adminapi.Resumed{}
	for _, o := range open {
		did, err := o.Engine.Resume(ctx, name)
		if errors.Is(err, delivery.ErrNotConfigured) {
			continue
		}
		if err != nil {
			return adminapi.Resumed{}, outboxFailed(err, "")
		}
		configured = true
		answer.Resumed = answer.Resumed || did.Resumed
		answer.Waiting = answer.Waiting || did.Waiting
		answer.Due += did.Due
	}
	if !configured {
		return adminapi.Resumed{}, refuse(http.StatusConflict, "%s", errNotConfigured)
	}
	return answer, nil
}

var errNotConfigured = errors.New("this account is not in the running config; its leads wait until it is")
