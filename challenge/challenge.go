// Package challenge verifies that a visitor's browser passed a challenge: a proof of work with
// [Altcha], or the challenge of a service with [Siteverify].
package challenge

import (
	"errors"
	"fmt"

	"github.com/leadwire/caddy-telecrm/guard"
)

// Errors of the answer to a challenge. Errors that wrap them hold nothing of the post.
var (
	// ErrUnanswered says that the answer is missing: the visitor's browser does not run scripts, or
	// something blocks the challenge's script.
	ErrUnanswered = errors.New("challenge: not answered")
	// ErrFailed says that the answer is wrong, too old, used before, or for another challenge.
	ErrFailed = errors.New("challenge: failed")
	// ErrUnverified says that the answer could not be verified.
	ErrUnverified = errors.New("challenge: could not be verified")
)

// Weights of the errors. A person whose browser shows no challenge, or whose answer is too old,
// sends the form once more and passes. An answer that cannot be verified says little about the
// sender.
const (
	unanswered = guard.Doubt
	failed     = guard.Doubt + 1
	unverified = 1
)

// Result says what follows from an answer.
type Result struct {
	// Signals count towards the spam score. There are none if the challenge was passed.
	Signals guard.Opinion
	// Refuse says that the post must not be taken until the visitor has answered.
	Refuse bool
}

// Judge returns what follows from the error of verifying an answer; nil means that the challenge
// was passed. With closed, every error refuses the post. Otherwise it only counts as a signal.
func Judge(err error, closed bool) Result {
	if err == nil {
		return Result{}
	}
	weight := unverified
	switch {
	case errors.Is(err, ErrUnanswered):
		weight = unanswered
	case errors.Is(err, ErrFailed):
		weight = failed
	}
	return Result{Signals: guard.Opinion{{Reason: err.Error(), Weight: weight}}, Refuse: closed}
}

func failure(why string) error { return fmt.Errorf("%w: %s", ErrFailed, why) }

func unverifiable(why string) error { return fmt.Errorf("%w: %s", ErrUnverified, why) }
