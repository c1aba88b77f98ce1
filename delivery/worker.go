package delivery

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Outcome is what became of an attempt that somebody waits for.
type Outcome struct {
	// State is the entry's new state.
	State outbox.State
	// Answer is what TeleCRM said.
	Answer telecrm.Answer
	// LeadID is TeleCRM's id of the lead, if it was delivered and is known.
	LeadID string
}

// work sends a taken entry once and settles it.
func (l *lane) work(account *Account, entry outbox.Entry) {
	defer l.releaseIdentifier(entry)
	ctx, ended := l.startAttempt(entry)
	a := &worker{lane: l, account: account, entry: entry}
	s, answer := a.run(ctx)
	ended(s)
	l.endProbe(entry, s, a.sent)
	l.releaseSlot()
	// Whoever waits need not wait for the record: if it is lost with this
	// process, the next one finds out what became of the attempt.
	outcome := Outcome{State: s.State, Answer: answer, LeadID: s.LeadID}
	if a.hideRefusal {
		outcome = Outcome{State: outbox.Waiting}
	}
	l.notify(entry.ID, outcome)
	l.settle(entry, s)
	a.settled()
	if settled := l.engine.settings().Hooks.Settled; settled != nil {
		settled(entry, s, answer)
	}
}

// attempt is one attempt at an entry. It implements crew.
type worker struct {
	*lane

	account *Account
	entry   outbox.Entry
	sent    bool // TeleCRM has been asked
	poison  bool // TeleCRM turns this lead away and takes others
	// hideRefusal tells that TeleCRM refuses the lead in a way that its visitor
	// can do nothing about; refusal is not nil if it is one of a row.
	hideRefusal bool
	refusal     *refusal
}

// run makes the attempt and decides what becomes of the entry.
func (w *worker) run(ctx context.Context) (outbox.Settlement, telecrm.Answer) {
	entry := w.entry
	job, err := DecodeJob(entry.Payload)
	if err != nil {
		return outbox.Settlement{State: outbox.Parked, At: w.engine.now(), Reason: reasonUnreadable},
			telecrm.Answer{Verdict: telecrm.Rejected, Err: err}
	}
	if w.deferred(entry) {
		now := w.engine.now()
		return outbox.Settlement{
			State:          outbox.Waiting,
			At:             now,
			DueAt:          now,
			Step:           entry.Step,
			LeadID:         entry.LeadID,
			Reason:         reasonDeferred,
			AmbiguousSince: entry.AmbiguousSince,
			FailingSince:   entry.FailingSince,
			Uncounted:      true,
		}, noAnswer(errDeferred)
	}
	e := &attempt{
		account:  w.account,
		entry:    entry,
		job:      job,
		retryFor: w.engine.settings().RetryFor,
		now:      w.engine.now,
		locked:   w.lockedNames(),
		runner:   w,
	}
	s, answer := e.run(ctx)
	w.sent = e.sent
	switch {
	case w.poison:
		s = w.settlePoison(s, answer)
	case s.State == outbox.Parked && answer.Verdict == telecrm.Rejected && answer.Status != 0:
		s = w.settleRefusal(s, answer)
	}
	if s.State != outbox.Waiting {
		w.removeSuspect(entry.ID)
	}
	return s, answer
}

// errDeferred: TeleCRM has told another attempt to leave it alone, or that
// the account is at fault.
var errDeferred = errors.New(reasonDeferred)

// deferred reports whether an attempt that was recorded but has not been sent
// is to be put off, because TeleCRM has told another one to leave it alone, or
// that the account is at fault.
func (l *lane) deferred(entry outbox.Entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hold.on() && !l.beganUnderHold(entry.ID, entry.BegunAt) || l.engine.now().Before(l.paused)
}

// beganUnderHold reports whether an attempt that began at that time says
// something about the account as it is since the lane was held.
func (l *lane) beganUnderHold(id string, begun time.Time) bool {
	return l.hold.probe == id || begun.After(l.hold.since)
}

// throttle waits until an attempt may send another request.
func (l *lane) throttle(ctx context.Context, entry outbox.Entry) (reason string, err error) {
	if err := l.pace.Wait(ctx); err != nil {
		return reasonDeferred, err
	}
	if l.deferred(entry) {
		return reasonDeferred, errDeferred
	}
	return "", nil
}

func (l *lane) advance(ctx context.Context, id string, p outbox.Progress) error {
	return l.engine.store.Advance(ctx, id, p)
}

func (l *lane) recall(ctx context.Context, account, identifier string) (string, error) {
	if identifier == "" {
		return "", nil
	}
	leadID, _, err := l.engine.store.Recall(ctx, account, identifier)
	return leadID, err
}

func (l *lane) forget(ctx context.Context, account, identifier string) error {
	return l.engine.store.Forget(ctx, account, identifier)
}

// observe lets the lane draw its conclusions for the other entries: it opens up
// while TeleCRM answers, draws in while it does not, pauses when told to, and
// is held when the account is at fault. begun is when the attempt began: what
// was sent before the lane was held says nothing about the account now, nor
// does what was sent with other settings than those of now.
func (w *worker) observe(answer telecrm.Answer, begun time.Time) {
	l := w.lane
	l.engine.compareClock(answer)
	now := l.engine.now()
	held, resumed := false, false
	l.mu.Lock()
	if l.account == nil || !sameWorkspace(l.account, w.account) {
		l.mu.Unlock()
		return
	}
	switch answer.Verdict {
	case telecrm.Created, telecrm.Duplicate, telecrm.Done, telecrm.Accepted:
		resumed = l.accountResponds(w.entry, begun, true)
	case telecrm.Rejected, telecrm.Missing:
		resumed = l.accountResponds(w.entry, begun, false)
		if l.hold.on() {
			l.extendHold(w.entry.ID, answer, now)
		}
	case telecrm.Hold:
		if w.poison = l.isPoison(w.entry.ID); w.poison {
			break
		}
		l.addSuspect(w.entry.ID, suspect{identifier: w.entry.Identifier})
		l.window = 1
		held = !l.hold.on()
		l.extendHold(w.entry.ID, answer, now)
	case telecrm.Retry:
		l.window = max(l.window/2, 1)
		l.failures++
		if l.hold.on() {
			l.extendHold(w.entry.ID, answer, now)
		}
		if l.engine.sending.Err() == nil {
			l.backOff(answer, now)
		}
	}
	l.mu.Unlock()
	if held {
		l.notifyHeld(answer.Reason())
	}
	if resumed {
		l.notifyResumed()
	}
}

// accountResponds notes that TeleCRM answers for a lead, and whether it has taken it,
// and reports whether that ends a hold.
func (l *lane) accountResponds(entry outbox.Entry, begun time.Time, taken bool) (resumed bool) {
	l.window = min(2*l.window, maxWindow)
	l.failures, l.pause = 0, 0
	if taken {
		l.refused = refusals{}
		l.blames.Taken(entry.Form)
	}
	if l.hold.on() && l.beganUnderHold(entry.ID, begun) && (taken || l.hold.refusal == "") {
		l.hold = hold{}
		resumed = true
	}
	if !l.hold.on() {
		l.clearSuspicion(entry.ID, taken)
	}
	return resumed
}

// backOff leaves TeleCRM alone for as long as it asks for, or, when it has
// too much to do or has failed several times in a row, for longer each time.
// Attempts that were under way together count as one.
func (l *lane) backOff(answer telecrm.Answer, now time.Time) {
	wait := answer.RetryAfter
	inTrouble := answer.Status == http.StatusTooManyRequests || l.failures >= failuresBeforeBackoff
	if wait == 0 && inTrouble && !now.Before(l.paused) {
		l.pause = nextPause(l.pause)
		wait = jittered(l.pause)
	}
	if until := now.Add(wait); until.After(l.paused) {
		l.paused = until
	}
}

func (l *lane) notifyHeld(reason string) {
	if held := l.engine.settings().Hooks.Held; held != nil {
		held(l.name, reason)
	}
}

func (l *lane) notifyResumed() {
	if resumed := l.engine.settings().Hooks.Resumed; resumed != nil {
		resumed(l.name)
	}
}

// retryable reports whether an outbox that failed this way may work later.
func retryable(err error) bool {
	for _, final := range []error{outbox.ErrNotFound, outbox.ErrState, outbox.ErrClosed, context.Canceled} {
		if errors.Is(err, final) {
			return false
		}
	}
	return true
}
