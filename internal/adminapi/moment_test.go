package adminapi

import (
	"strings"
	"testing"
	"time"
)

func TestParseSinceAndUntil(t *testing.T) {
	kolkata := time.FixedZone("IST", 19800)
	now := time.Date(2026, 11, 25, 5, 26, 9, 0, kolkata)
	midnight := time.Date(2026, 11, 24, 0, 0, 0, 0, kolkata)
	for _, test := range []struct {
		text         string
		since, until time.Time
	}{
		{"", time.Time{}, time.Time{}},
		{"  ", time.Time{}, time.Time{}},
		{"2026-11-24", midnight, midnight.AddDate(0, 0, 1)},
		{" 2026-11-24 ", midnight, midnight.AddDate(0, 0, 1)},
		{"2026-11-23T18:30:00Z", midnight, midnight},
		{"2026-11-24T00:00:00+05:30", midnight, midnight},
		{"2026-11-24T00:00:00.25+05:30", midnight.Add(250 * time.Millisecond), midnight.Add(250 * time.Millisecond)},
		{"2026-11-24 00:00:00", midnight, midnight},
		{"2026-11-24 00:00", midnight, midnight},
		{"2026-11-24T00:00", midnight, midnight},
		{"24h", now.Add(-24 * time.Hour), now.Add(-24 * time.Hour)},
		{"90m", now.Add(-90 * time.Minute), now.Add(-90 * time.Minute)},
		{"7d", now.Add(-7 * 24 * time.Hour), now.Add(-7 * 24 * time.Hour)},
		{"0s", now, now},
	} {
		if got, err := ParseSince(test.text, now); err != nil || !got.Equal(test.since) {
			t.Errorf("since %q is %v, error %v; want %v", test.text, got, err, test.since)
		}
		if got, err := ParseUntil(test.text, now); err != nil || !got.Equal(test.until) {
			t.Errorf("until %q is %v, error %v; want %v", test.text, got, err, test.until)
		}
	}
	for _, text := range []string{
		"yesterday", "-24h", "24", "d", "-7d", "1d12h", "1.5d", "7days", "99999d", "2026-13-01", "2026-02-30", "25/11/2026",
		"2026-11-24T25:00:00Z", "9999999h",
	} {
		for _, parse := range []func(string, time.Time) (time.Time, error){ParseSince, ParseUntil} {
			at, err := parse(text, now)
			if err == nil || !strings.Contains(err.Error(), "2026-11-25T05:26:09+05:30") || !strings.Contains(err.Error(), "24h") {
				t.Errorf("%q is %v, error %v", text, at, err)
			}
		}
	}
}
