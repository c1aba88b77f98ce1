package adminapi

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// layouts are the formats of a time. Those without a zone are in the reader's own, as in lists.
var layouts = []string{time.RFC3339, time.DateOnly, time.DateTime, "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04"}

// ParseSince returns the time at which a search begins: a time, a date in now's zone, or a duration
// before now. It returns the zero time for an empty text.
func ParseSince(text string, now time.Time) (time.Time, error) {
	at, _, err := parseMoment(text, now)
	return at, err
}

// ParseUntil returns the time at which a search ends, like [ParseSince]. A date includes that day.
func ParseUntil(text string, now time.Time) (time.Time, error) {
	at, isDate, err := parseMoment(text, now)
	if isDate {
		at = at.AddDate(0, 0, 1)
	}
	return at, err
}

func parseMoment(text string, now time.Time) (at time.Time, isDate bool, err error) {
	if text = strings.TrimSpace(text); text == "" {
		return time.Time{}, false, nil
	}
	for _, layout := range layouts {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at, layout == time.DateOnly, nil
		}
	}
	if age, err := parseAge(text); err == nil && age >= 0 {
		return now.Add(-age), false, nil
	}
	return time.Time{}, false, fmt.Errorf("must be a date such as %s, a time such as %s, or how long ago, such as 24h or 7d, got %q",
		now.Format(time.DateOnly), now.Format(time.RFC3339), text)
}

// parseAge returns a duration in the format of Go, or in days, such as 7d.
func parseAge(text string) (time.Duration, error) {
	number, inDays := strings.CutSuffix(text, "d")
	if !inDays {
		return time.ParseDuration(text)
	}
	days, err := strconv.ParseUint(number, 10, 16)
	return time.Duration(days) * 24 * time.Hour, err //nolint:gosec // at most 65535 days
}
