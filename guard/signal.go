// Package guard tells people's posts from those of machines, and lets people
// in: it knows which origins may post, how often one address may, which posts
// are repeats, and what speaks for junk.
//
// Nothing here is a verdict by itself. Each sign is a [Signal] with a weight;
// together they are an [Opinion], and even the worst of these only has a post
// set aside for a person to look at.
package guard

import "strings"

// Signal is something about a post that speaks for junk.
type Signal struct {
	// Reason says what, for operators; it holds nothing of the post.
	Reason string
	// Weight says how much it speaks for junk, as part of [Junk].
	Weight int
}

// The sums of weights from which a post is doubtful, and junk.
const (
	Doubt = 5
	Junk  = 10
)

// Verdict is what to do with a post.
type Verdict int

// The verdicts, from the best on.
const (
	// Welcome posts are taken.
	Welcome Verdict = iota
	// Doubtful posts are kept aside, and the visitor is asked to send them
	// once more.
	Doubtful
	// Unwanted posts are kept aside and answered as if they were taken.
	Unwanted
)

// Opinion is all the signals about one post.
type Opinion []Signal

// Score is the sum of the weights.
func (o Opinion) Score() int {
	sum := 0
	for _, s := range o {
		sum += s.Weight
	}
	return sum
}

// Verdict is what the signals come to.
func (o Opinion) Verdict() Verdict {
	switch score := o.Score(); {
	case score >= Junk:
		return Unwanted
	case score >= Doubt:
		return Doubtful
	}
	return Welcome
}

// Reasons lists the reasons, for operators.
func (o Opinion) Reasons() string {
	reasons := make([]string, 0, len(o))
	for _, s := range o {
		reasons = append(reasons, s.Reason)
	}
	return strings.Join(reasons, "; ")
}
