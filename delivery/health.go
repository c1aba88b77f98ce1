package delivery

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Condition is the state of an account's deliveries. Leads are accepted and kept in all of them.
type Condition string

// The conditions, from the best to the worst. If several apply, the worst counts.
const (
	// Sending means that leads are sent as they come. It says nothing about a single lead, which may
	// have failed and wait for its retry.
	Sending Condition = "sending"
	// Slow means that leads are sent, but later than they come. TeleCRM asked to slow down in its
	// last answer, with 429 or Retry-After; or its last answers took at least slowAnswer; or more
	// leads come than crm_rate lets go, so that they wait for their turn longer than slowTurn.
	Slow Condition = "slow"
	// Paused means that nothing is sent until a time that TeleCRM named with Retry-After, which is
	// further away than the longest pause that the lane makes by itself.
	Paused Condition = "paused"
	// Failing means that TeleCRM is down: the last failuresBeforePause attempts, or all attempts for
	// failingAfter, got no answer, a 5xx, or an answer that is not TeleCRM's. An attempt is made now
	// and then, and the first answer ends it.
	Failing Condition = "failing"
	// OnHold means that TeleCRM turns the account away, so that only probes are sent. It usually
	// needs somebody to fix the account.
	OnHold Condition = "on hold"
)

// Conditions returns all conditions, from the best to the worst.
func Conditions() []Condition { return []Condition{Sending, Slow, Paused, Failing, OnHold} }

// WorseThan reports whether c is worse than other. The empty condition is the best.
func (c Condition) WorseThan(other Condition) bool {
	return slices.Index(Conditions(), c) > slices.Index(Conditions(), other)
}

const (
	// failingAfter is the time between two failures after which an account is failing even if there
	// were only two, because TeleCRM asked to wait or takes long to fail.
	failingAfter = time.Minute
	// slowAnswer is how long an answer takes that visitors hardly wait for.
	slowAnswer = 5 * time.Second
	// slowTurn is how long a lead may wait for its turn without being late.
	slowTurn = time.Minute
	// recentAnswers is the number of answers whose times are remembered.
	recentAnswers = 3
)

// LastError is the last error of an account that was not the fault of a lead. It contains neither
// values of a lead nor secrets.
type LastError struct {
	Cause telecrm.Cause
	// Problem describes the error in one line.
	Problem string
	// At is when it happened; zero if there was none.
	At time.Time
}

// health is what TeleCRM's answers say about an account, besides its hold and its pause.
type health struct {
	failures     int       // attempts in a row that failed, other than by a 429
	firstFailure time.Time // of these
	lastFailure  time.Time

	throttledSince time.Time // the first answer in a row that asked to slow down; zero: none
	took           []time.Duration
	slowSince      time.Time // since all of took are slow; zero: they are not

	freeSince time.Time     // since nothing but the pace delays leads
	late      time.Duration // how late the last lead was taken for its turn
	lateSince time.Time     // since it exceeds slowTurn; zero: it does not

	last   LastError
	lastAt map[telecrm.Cause]time.Time
}

// note records an error for operators.
func (h *health) note(cause telecrm.Cause, problem string, now time.Time) {
	if h.lastAt == nil {
		h.lastAt = make(map[telecrm.Cause]time.Time)
	}
	h.last = LastError{Cause: cause, Problem: problem, At: now}
	h.lastAt[cause] = now
}

// observe records an answer.
func (h *health) observe(answer telecrm.Answer, took time.Duration, now time.Time) {
	switch answer.Verdict {
	case telecrm.Retry:
		h.failed(answer, now)
		return
	case telecrm.Hold:
		h.note(answer.Cause(), answer.Problem(), now)
	case telecrm.Created, telecrm.Duplicate, telecrm.Done, telecrm.Accepted, telecrm.Rejected, telecrm.Missing:
	}
	h.answered(took, now)
}

// failed records an answer with the verdict Retry.
func (h *health) failed(answer telecrm.Answer, now time.Time) {
	h.note(answer.Cause(), answer.Problem(), now)
	if h.throttledSince.IsZero() && (answer.Status == http.StatusTooManyRequests || answer.RetryAfter > 0) {
		h.throttledSince = now
	}
	if answer.Status == http.StatusTooManyRequests {
		return
	}
	if h.failures == 0 {
		h.firstFailure = now
	}
	h.failures++
	h.lastFailure = now
}

// answered records that TeleCRM answered for a lead. took is how long it took; 0 if unknown.
func (h *health) answered(took time.Duration, now time.Time) {
	if h.failing() || !h.throttledSince.IsZero() {
		h.freeSince = now
	}
	h.failures, h.throttledSince = 0, time.Time{}
	if took == 0 {
		return
	}
	if h.took = append(h.took, took); len(h.took) > recentAnswers {
		h.took = h.took[1:]
	}
	switch {
	case h.fastest() < slowAnswer:
		h.slowSince = time.Time{}
	case h.slowSince.IsZero():
		h.slowSince = now
	}
}

// fastest returns the time of the fastest of the last answers; 0 if there are too few to tell. A
// single slow answer does not say that the next one is slow.
func (h *health) fastest() time.Duration {
	if len(h.took) < recentAnswers {
		return 0
	}
	return slices.Min(h.took)
}

// taken records that a lead which was due at the given time is sent now, and idle that none is due.
// While TeleCRM was away, leads did not wait for their turn.
func (h *health) taken(due, now time.Time) {
	h.late = now.Sub(later(due, h.freeSince))
	switch {
	case h.late <= slowTurn:
		h.lateSince = time.Time{}
	case h.lateSince.IsZero():
		h.lateSince = now
	}
}

func (h *health) idle() { h.late, h.lateSince = 0, time.Time{} }

// failing reports whether the account is [Failing].
func (h *health) failing() bool {
	return h.failures >= failuresBeforePause || h.failures > 0 && h.lastFailure.Sub(h.firstFailure) >= failingAfter
}

// slow returns since when and why the account is [Slow], if it is.
func (h *health) slow() (since time.Time, reason string) {
	switch {
	case !h.throttledSince.IsZero():
		return h.throttledSince, h.last.Problem
	case !h.slowSince.IsZero():
		return h.slowSince, fmt.Sprintf("TeleCRM takes %v to answer", h.fastest().Round(100*time.Millisecond))
	case !h.lateSince.IsZero():
		return h.lateSince, fmt.Sprintf("leads wait %v for their turn at crm_rate; raise it if your TeleCRM plan allows more", h.late.Round(time.Second))
	}
	return time.Time{}, ""
}

// state is an account's condition.
type state struct {
	condition Condition
	since     time.Time // zero for Sending
	reason    string    // empty for Sending
}

// state returns the condition without regard to a hold or a pause.
func (h *health) state() state {
	if h.failing() {
		return state{Failing, h.firstFailure, h.last.Problem}
	}
	if since, reason := h.slow(); reason != "" {
		return state{Slow, since, reason}
	}
	return state{condition: Sending}
}

// errorTimes returns when each cause last occurred.
func (h *health) errorTimes() map[telecrm.Cause]time.Time { return maps.Clone(h.lastAt) }

// state returns the lane's condition.
func (l *lane) state(now time.Time) state {
	if l.hold.on() {
		return state{OnHold, l.hold.since, l.hold.reason}
	}
	s := l.health.state()
	if s.condition != Failing && l.sharing.trial { // for another process
		return state{Failing, l.sharing.trialSince, l.pause.reason}
	}
	if s.condition != Failing && l.pause.asked && now.Before(l.pause.until) {
		return state{Paused, l.pause.since, l.pause.reason}
	}
	return s
}
