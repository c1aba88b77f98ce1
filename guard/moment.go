package guard

import (
	"strconv"
	"strings"
	"time"
)

// The distance from now, before and after it, of a time that a script filled in.
const (
	oldestMoment = 24 * time.Hour
	momentSkew   = time.Minute
)

// IsMoment reports whether text is the time at which a page was made or sent: a Unix time or an RFC
// 3339 time of the past day. People who name a time write neither.
func IsMoment(text string, now time.Time) bool {
	at, ok := readMoment(strings.TrimSpace(text))
	return ok && now.Sub(at) < oldestMoment && at.Sub(now) < momentSkew
}

func readMoment(text string) (time.Time, bool) {
	if text == "" || text[0] < '0' || text[0] > '9' {
		return time.Time{}, false
	}
	if number, err := strconv.ParseUint(text, 10, 63); err == nil {
		switch len(text) {
		case len("1700000000"):
			return time.Unix(int64(number), 0), true
		case len("1700000000000"):
			return time.UnixMilli(int64(number)), true
		}
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	return at, err == nil
}
