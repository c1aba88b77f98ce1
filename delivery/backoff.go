package delivery

import (
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// retryDelays are the delays after the first failures of an entry: short ones at first, for a
// TeleCRM that restarts, then long ones, for a TeleCRM that is down.
var retryDelays = []time.Duration{
	5 * time.Second, 15 * time.Second, 45 * time.Second,
	2 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour,
}

// lastRetryDelay follows retryDelays until the entry is parked.
const lastRetryDelay = 4 * time.Hour

// retryDelay returns the delay of an entry that has been failing for the given time. It depends on
// the time and not on the number of attempts, because an attempt that ended with its process says
// nothing about TeleCRM.
func retryDelay(failing time.Duration) time.Duration {
	planned := time.Duration(0)
	for _, delay := range retryDelays {
		planned += delay
		// Jitter may have shortened the delays so far.
		if failing < planned*4/5 {
			return jittered(delay)
		}
	}
	return jittered(lastRetryDelay)
}

// jitter is the share by which delays vary, so that entries that failed together are not all
// retried together.
const jitter = 0.15

func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 - jitter + 2*jitter*rand.Float64())) //nolint:gosec // no secret depends on it
}

// maxDelay is longer than any delay. An entry due later was written when the system clock was
// ahead.
const maxDelay = lastRetryDelay + lastRetryDelay/2

// pause is the back-off of an account. While it lasts, the lane sends nothing.
type pause struct {
	until    time.Time
	since    time.Time     // when it began, or the one that it extends
	reason   string        // the problem with the answer that began it
	asked    bool          // TeleCRM named a time further away than lastPause
	last     time.Duration // the last pause that TeleCRM did not ask for
	failures int           // attempts in a row that TeleCRM did not answer
}

// The pauses of an account, unless TeleCRM asks for another.
const (
	firstPause = 2 * time.Second
	lastPause  = 30 * time.Second
)

// failuresBeforePause is the number of failures in a row after which an account is paused and no
// visitor waits for an outcome.
const failuresBeforePause = 3

func nextPause(last time.Duration) time.Duration {
	if last == 0 {
		return firstPause
	}
	return min(2*last, lastPause)
}

// extend pauses the account for as long as TeleCRM asked for. If it did not say, a 429 or several
// failures in a row pause the account for longer each time. Attempts in flight at the same time
// count once.
func (p *pause) extend(answer telecrm.Answer, now time.Time) {
	wait := answer.RetryAfter
	overloaded := answer.Status == http.StatusTooManyRequests || p.failures >= failuresBeforePause
	if wait == 0 && overloaded && !now.Before(p.until) {
		p.last = nextPause(p.last)
		wait = jittered(p.last)
	}
	until := now.Add(wait)
	if !until.After(p.until) || wait == 0 {
		return
	}
	if !now.Before(p.until) {
		p.since, p.asked = now, false
	}
	p.until, p.reason = until, answer.Problem()
	p.asked = p.asked || answer.RetryAfter > lastPause
}

// retryBatch limits the entries that one transaction makes due.
const retryBatch = 1000

// retryFailed makes the failed entries of the account due after an outage. The rate limit spreads
// them.
func (l *lane) retryFailed() {
	if _, err := l.makeDue(l.engine.running); err != nil {
		l.storeFailed("making failed entries due", err)
		l.mu.Lock()
		l.outage = true // the next success tries again
		l.mu.Unlock()
		return
	}
	l.signal()
}
