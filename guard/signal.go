// Package guard detects spam and lets people in. It checks which origins may post, limits how often
// an address may post, detects repeated posts, and collects signals of spam.
//
// No signal decides alone. Each [Signal] has a weight, and the sum of an [Opinion] is the spam
// score of the post. Even the highest score only parks the post for a person to look at.
package guard

import "strings"

// Signal is evidence that a post is spam.
type Signal struct {
	// Reason describes the evidence for operators. It does not quote the post.
	Reason string
	// Weight is added to the spam score.
	Weight int
}

// Doubt and Junk are the spam scores from which a post is suspected spam, and spam.
const (
	Doubt = 5
	Junk  = 10
)

// Verdict is the decision about a post.
type Verdict int

// The verdicts, best first.
const (
	// Welcome posts are accepted.
	Welcome Verdict = iota
	// Doubtful posts are parked as suspected spam, and the visitor is asked to send them once more.
	Doubtful
	// Unwanted posts are parked as spam, and answered as if they were accepted.
	Unwanted
)

// Opinion is the list of signals about one post.
type Opinion []Signal

// And returns the signals of both opinions.
func (o Opinion) And(more Opinion) Opinion {
	if len(o) == 0 {
		return more
	}
	return append(o, more...)
}

// Score returns the spam score: the sum of the weights.
func (o Opinion) Score() int {
	sum := 0
	for _, s := range o {
		sum += s.Weight
	}
	return sum
}

// Verdict returns the decision for the spam score.
func (o Opinion) Verdict() Verdict {
	switch score := o.Score(); {
	case score >= Junk:
		return Unwanted
	case score >= Doubt:
		return Doubtful
	}
	return Welcome
}

// Reasons returns the reasons, joined for operators.
func (o Opinion) Reasons() string {
	reasons := make([]string, 0, len(o))
	for _, s := range o {
		reasons = append(reasons, s.Reason)
	}
	return strings.Join(reasons, "; ")
}
