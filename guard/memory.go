package guard

import "time"

// Memory is what the guards of one form remember. It can outlive a config, so that a reload neither
// forgets a double click nor gives anybody a fresh allowance.
type Memory struct {
	Rate      *Rate    // nil if there is no limit
	Repeats   *Repeats // nil if repeats are not recognized
	Constants *Constants
	Redeemed  *Redeemed
	Asked     *Asked
}

// NewMemory returns an empty Memory. Without posts in the limit there is no limit, and with a window
// of 0 repeats are not recognized. now tells the time.
func NewMemory(limit Limit, window time.Duration, now func() time.Time) *Memory {
	m := &Memory{Constants: new(Constants), Redeemed: NewRedeemed(now), Asked: NewAsked(now)}
	if limit.Posts > 0 {
		m.Rate = NewRate(limit, now)
	}
	if window > 0 {
		m.Repeats = NewRepeats(window, now)
	}
	return m
}
