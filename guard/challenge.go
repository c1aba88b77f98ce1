package guard

import (
	"errors"
	"fmt"
)

// Errors of the answer to a challenge. Whatever wraps them holds nothing of
// the post.
var (
	// ErrUnanswered says that there is no answer: the visitor's browser runs
	// no scripts, or something keeps the challenge's own away from it.
	ErrUnanswered = errors.New("the challenge was not answered")
	// ErrFailed says that the answer is wrong, too old, used before, or for
	// something else.
	ErrFailed = errors.New("the challenge was failed")
	// ErrUnverified says that nobody can tell whether the answer is right.
	ErrUnverified = errors.New("the challenge's answer could not be verified")
)

// Weights of what can be wrong with the answer to a challenge. A person whose
// browser shows no challenge, or whose answer grew too old, sends the form
// once more and is through; what cannot be verified is no sign of anything.
const (
	unanswered = Doubt
	failed     = Doubt + 1
	unverified = 1
)

// Challenged is what the answer to a challenge comes to.
type Challenged struct {
	// Signals speak for junk; there are none if the challenge was passed.
	Signals Opinion
	// Refuse says that the post is not to be taken before the visitor has
	// answered.
	Refuse bool
}

// JudgeChallenge says what to make of an answer, by the error of verifying it;
// nil stands for a challenge that was passed. Closed refuses all that was not
// passed. Otherwise nothing is refused, and it counts with the other signals.
func JudgeChallenge(err error, closed bool) Challenged {
	if err == nil {
		return Challenged{}
	}
	weight := unverified
	switch {
	case errors.Is(err, ErrUnanswered):
		weight = unanswered
	case errors.Is(err, ErrFailed):
		weight = failed
	}
	return Challenged{Signals: Opinion{{Reason: err.Error(), Weight: weight}}, Refuse: closed}
}

func failure(why string) error { return fmt.Errorf("%w: %s", ErrFailed, why) }

func unverifiable(why string) error { return fmt.Errorf("%w: %s", ErrUnverified, why) }
