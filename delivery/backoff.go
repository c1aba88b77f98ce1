package delivery

import (
	"math/rand/v2"
	"time"
)

// retryDelays are the waits after the first, second, ... attempt that failed:
// several tries in the first five minutes, for a CRM that restarts, then
// wider ones, for one that is down.
var retryDelays = []time.Duration{
	5 * time.Second, 15 * time.Second, 45 * time.Second,
	2 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour,
}

// lastRetryDelay follows the others, until the lead is given up.
const lastRetryDelay = 4 * time.Hour

// retryDelay is how long to wait when TeleCRM has failed to take a lead for
// that long. It goes by the time and not by the number of attempts, because
// attempts that ended with their process say nothing about TeleCRM.
func retryDelay(failing time.Duration) time.Duration {
	planned := time.Duration(0)
	for _, delay := range retryDelays {
		planned += delay
		// Waits may have been shorter than planned by the jitter.
		if failing < planned*4/5 {
			return jittered(delay)
		}
	}
	return jittered(lastRetryDelay)
}

// jitter is how much waits are spread, so that leads that failed together do
// not all come back together.
const jitter = 0.15

func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 - jitter + 2*jitter*rand.Float64())) //nolint:gosec // no secret depends on it
}

// maxDelay is beyond every wait there is. An entry that is due later was
// written under another time of day, and is due now.
const maxDelay = lastRetryDelay + lastRetryDelay/2

// The waits between the probes of a held account.
const (
	firstProbe  = time.Minute
	lastProbe   = 10 * time.Minute
	probeGrowth = 1.5
	// firstPoisonProbe comes first when it may be a lead that TeleCRM turns
	// away, and not the account.
	firstPoisonProbe = 10 * time.Second
)

// nextProbe is the wait after a wait of last, of which the first is given.
func nextProbe(last, first time.Duration) time.Duration {
	if last == 0 {
		return first
	}
	return min(time.Duration(float64(last)*probeGrowth), lastProbe)
}

// The pauses of an account whose TeleCRM has too much to do, or does not
// work, and does not say how long to wait.
const (
	firstPause = 2 * time.Second
	lastPause  = 30 * time.Second
)

func nextPause(last time.Duration) time.Duration {
	if last == 0 {
		return firstPause
	}
	return min(2*last, lastPause)
}
