package guard

import "time"

// Memory is what the guards of one form remember. It can outlive a config, so that a reload neither
// forgets a double click nor gives anybody a fresh allowance.
type Memory struct {
	Rate      *Rate    // nil if there is no limit
	Checks    *Rate    // limits requests that only check the form; nil without a limit
	Repeats   *Repeats // nil if repeats are not recognized
	Constants *Constants
	Redeemed  *Redeemed
	Asked     *Asked
}

// A visitor may have the form checked this often within the window of a limit of posts: often enough
// to do so at every input, several times.
const (
	checksPerPost = 20
	leastChecks   = 100
)

// NewMemory returns an empty Memory. Without posts in the limit there is no limit, and with a window
// of 0 repeats are not recognized. now tells the time.
func NewMemory(limit Limit, window time.Duration, now func() time.Time) *Memory {
	m := &Memory{Constants: new(Constants), Redeemed: NewRedeemed(now), Asked: NewAsked(now)}
	if limit.Posts > 0 {
		m.Rate = NewRate(limit, now)
		checks := max(leastChecks, min(limit.Posts, mostPosts)*checksPerPost)
		m.Checks = NewRate(Limit{Posts: checks, Window: limit.Window}, now)
	}
	if window > 0 {
		m.Repeats = NewRepeats(window, now)
	}
	return m
}
