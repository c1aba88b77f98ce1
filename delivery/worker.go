package delivery

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// worker makes the attempt at one taken entry and adapts the lane to TeleCRM's answers. It
// implements runner.
type worker struct {
	*lane

	account     *Account
	entry       outbox.Entry
	job         *Job     // nil if it is still to be decoded
	sent        bool     // a request was sent
	poison      bool     // TeleCRM turned this lead away and not the account
	hideRefusal bool     // the visitor cannot do anything about the refusal
	refusal     *refusal // if it is in the lane's streak
	losses      []telecrm.Remark
	outageEnded bool // by this attempt
	resumed     bool // the account, by this attempt
	recovers    bool // the lane counts it as recovering
}

// work makes the attempt at a taken entry and records the settlement. The job is the entry's
// payload; nil if it is not decoded.
func (l *lane) work(account *Account, entry outbox.Entry, job *Job) {
	defer l.releaseIdentifier(entry)
	ctx, ended := l.attemptContext(entry)
	ctx, unleased := l.engine.withinLease(ctx, entry.ID)
	defer unleased()
	w := &worker{lane: l, account: account, entry: entry, job: job}
	r := w.run(ctx)
	ended(r.settlement)
	w.countDue()
	l.endProbe(entry, r.settlement, w.sent)
	l.releaseSlot()
	// The visitor need not wait for the record. If it is lost with this process, the next one finds
	// out whether the attempt succeeded.
	outcome := Outcome{State: r.settlement.State, Answer: r.answer, LeadID: r.settlement.LeadID, Attempts: entry.Attempts}
	if w.hideRefusal {
		outcome = Outcome{State: outbox.Waiting, Attempts: entry.Attempts}
	}
	l.notify(entry.ID, outcome)
	l.shareChanges()
	// A lead in TeleCRM can be found again, so its record may share a later commit. The Async API has
	// no way to look.
	r.settlement.Lazy = r.settlement.State == outbox.Delivered && r.answer.Verdict != telecrm.Accepted
	if w.outageEnded {
		l.retryFailed() // while this entry is taken, because its own retry has a plan
	}
	l.record(entry, r.settlement)
	if r.settlement.State == outbox.Waiting {
		l.markQueued()
	}
	w.refusalRecorded()
	w.reportRecovery()
	if settled := l.engine.settings().Hooks.Settled; settled != nil {
		settled(Report{entry, r.settlement, r.answer, w.losses})
	}
}

// countPatience is how long an attempt waits for the number of leads that it lets go.
const countPatience = time.Second

// countDue counts the leads that go now if the attempt ended trouble, before they do.
func (w *worker) countDue() {
	if !w.resumed && !w.recovers {
		return
	}
	ctx, cancel := context.WithTimeout(w.engine.running, countPatience)
	defer cancel()
	due, err := w.countWaiting(ctx)
	due-- // the attempt's own, which is not recorded yet
	if err != nil {
		due = unknownDue
	}
	w.mu.Lock()
	w.dueAfter = max(due, unknownDue)
	w.mu.Unlock()
}

// reportRecovery reports that the attempt ended a hold, and lets the loop report the end of other
// trouble. By now the failed entries are due, and this one is not waiting any more.
func (w *worker) reportRecovery() {
	if w.resumed {
		w.notifyResumed()
	}
	if !w.recovers {
		return
	}
	w.mu.Lock()
	w.recovering--
	w.mu.Unlock()
	w.signal()
}

// run makes the attempt.
func (w *worker) run(ctx context.Context) result {
	if err := w.decodeJob(); err != nil {
		return result{
			settlement: outbox.Settlement{State: outbox.Parked, At: w.engine.now(), Reason: reasonUnreadable},
			answer:     telecrm.Answer{Verdict: telecrm.Rejected, Err: err},
		}
	}
	a := &attempt{
		account:  w.account,
		entry:    w.entry,
		job:      *w.job,
		retryFor: w.engine.settings().RetryFor,
		now:      w.engine.now,
		locked:   w.lockedNames(),
		runner:   w,
	}
	if w.deferred(w.entry) {
		return *a.postponed(reasonDeferred, errDeferred)
	}
	r := a.run(ctx)
	w.sent = a.sent
	switch {
	case w.poison:
		r.settlement = w.settlePoison(r.settlement, r.answer)
	case r.settlement.State == outbox.Parked && r.answer.Verdict == telecrm.Rejected && r.answer.Status != 0:
		r.settlement = w.settleRefusal(r.settlement, r.answer)
	}
	if r.settlement.State == outbox.Delivered {
		w.losses = r.answer.Losses(a.job.Lead)
	}
	if r.settlement.State != outbox.Waiting {
		w.removeSuspect(w.entry.ID)
	}
	return r
}

func (w *worker) decodeJob() error {
	if w.job != nil {
		return nil
	}
	job, err := DecodeJob(w.entry.Payload)
	w.job = &job
	return err
}

// observe adapts the lane to an answer: it opens the window while TeleCRM answers and narrows it
// while it does not, pauses the account, and puts it on hold or ends the hold. It ignores answers
// to an account that has been configured differently since.
func (w *worker) observe(answer telecrm.Answer, begun time.Time, took time.Duration) {
	l := w.lane
	l.engine.compareClock(answer)
	l.mu.Lock()
	if l.account == nil || !sameWorkspace(l.account, w.account) {
		l.mu.Unlock()
		return
	}
	now := l.engine.now()
	held := w.adapt(answer, begun, now)
	w.judge(answer, took, now)
	l.releaseWaiters()
	l.mu.Unlock()
	if held {
		l.notifyHeld(answer.Reason())
	}
}

// judge records what the answer says about the account's health. An answer to an attempt that was
// canceled says nothing, and neither does one that is the lead's fault.
func (w *worker) judge(answer telecrm.Answer, took time.Duration, now time.Time) {
	l := w.lane
	before := l.state(now).condition
	switch {
	case answer.Verdict == telecrm.Retry && l.engine.sending.Err() != nil:
		return
	case w.poison:
		l.health.answered(took, now)
	default:
		l.health.observe(answer, took, now)
	}
	ended := before != Sending && l.state(now).condition == Sending
	if ended && l.incident.announced != "" && !w.recovers {
		w.recovers = true
		l.recovering++
	}
}

// adapt adapts the lane and reports whether that began a hold.
func (w *worker) adapt(answer telecrm.Answer, begun, now time.Time) (held bool) {
	l := w.lane
	switch answer.Verdict {
	case telecrm.Created, telecrm.Duplicate, telecrm.Done, telecrm.Accepted:
		w.resumed = l.accountWorks(w.entry, begun, true) || w.resumed
		w.outageEnded = w.outageEnded || l.outage
		l.outage = false
	case telecrm.Rejected, telecrm.Missing:
		w.resumed = l.accountWorks(w.entry, begun, false) || w.resumed
		l.probeFailed(w.entry.ID, answer, now)
	case telecrm.Hold:
		if w.poison = l.isPoison(w.entry.ID); w.poison {
			break
		}
		l.addSuspect(w.entry.ID, suspect{identifier: w.entry.Identifier})
		l.slots.close()
		if held = !l.hold.on(); held {
			l.hold = newHold(answer.Reason(), answer, now)
		} else {
			l.probeFailed(w.entry.ID, answer, now)
		}
	case telecrm.Retry:
		l.slots.narrow()
		l.pause.failures++
		l.outage = l.outage || l.pause.failures >= failuresBeforePause
		l.probeFailed(w.entry.ID, answer, now)
		if l.engine.sending.Err() == nil {
			l.pause.extend(answer, now)
		}
	}
	return held
}

// accountWorks records that TeleCRM answered for the entry and whether it accepted the lead. It
// reports whether that ended a hold. A step that began before the hold does not end it.
func (l *lane) accountWorks(entry outbox.Entry, begun time.Time, accepted bool) (resumed bool) {
	l.slots.open()
	l.pause.failures, l.pause.last = 0, 0
	if accepted {
		l.refusals = refusals{}
		l.refusalFilter.Accepted(entry.Form)
	}
	if l.hold.on() && l.hold.includes(entry.ID, begun) && (accepted || l.hold.refusal == "") {
		resumed = l.endHold(l.engine.now())
	}
	if !l.hold.on() {
		l.othersPass(entry.ID, accepted)
	}
	return resumed
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

// record records a settlement in the outbox, and tries again until that works. Without the record,
// the next process would have to find out whether the attempt succeeded.
func (l *lane) record(entry outbox.Entry, s outbox.Settlement) {
	for {
		err := l.engine.store.Settle(context.WithoutCancel(l.engine.sending), entry.ID, s)
		if err == nil {
			l.engine.requestRoom()
			return
		}
		l.engine.settings().Logger.Error("recording the result of an attempt",
			zap.String("account", l.name), zap.String("id", entry.ID), zap.Error(err))
		if !retryable(err) {
			return
		}
		l.engine.requestRoom()
		select {
		case <-l.engine.running.Done():
			return
		case <-time.After(storeRetryDelay):
		}
	}
}

// retryable reports whether the outbox may work later after this error.
func retryable(err error) bool {
	if errors.Is(err, outbox.ErrAway) {
		return true
	}
	return !slices.ContainsFunc([]error{outbox.ErrNotFound, outbox.ErrState, outbox.ErrClosed, context.Canceled},
		func(final error) bool { return errors.Is(err, final) })
}
