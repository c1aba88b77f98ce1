package fieldtype

import (
	"regexp"
	"strconv"
	"time"
	"unicode/utf8"
)

const (
	// A year outside these is a typo, such as 0202.
	firstYear, lastYear = 1900, 2199
	// longestDateText leaves room for nanoseconds and for the long name of a zone.
	longestDateText = 100
)

var (
	isoDate = regexp.MustCompile(`^(\d{4})-(\d{2})(?:-(\d{2})(?:[t ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?` +
		`(?:(z)|([+-])(\d{2}):(\d{2}))?)?)?$`)
	isoWeek     = regexp.MustCompile(`^(\d{4})-w(\d{2})$`)
	epochMillis = regexp.MustCompile(`^[1-9]\d{12}$`)
)

// parseDate reads a date or a point in time and returns milliseconds since 1970-01-01T00:00:00Z,
// the only form of a date that does not depend on the workspace's settings
// (https://docs.telecrm.in/concepts/field-types). A date begins at midnight in loc. parseDate
// accepts what browsers send for date, datetime-local, month and week inputs, RFC 3339, epoch
// milliseconds, and the dates that readText reads.
func parseDate(text string, loc *time.Location, order DateOrder) (milliseconds int64, ok bool) {
	if len(text) > longestDateText*utf8.UTFMax {
		return 0, false
	}
	t, ok := readMoment(plainDateText(text), loc, order)
	if !ok {
		return 0, false
	}
	if year := t.In(loc).Year(); year < firstYear || year > lastYear {
		return 0, false
	}
	return t.UnixMilli(), true
}

func readMoment(s string, loc *time.Location, order DateOrder) (time.Time, bool) {
	if m := isoDate.FindStringSubmatch(s); m != nil {
		return readISO(m, loc)
	}
	if m := isoWeek.FindStringSubmatch(s); m != nil {
		return readWeek(atoi(m[1]), atoi(m[2]), loc)
	}
	if epochMillis.MatchString(s) {
		n, err := strconv.ParseInt(s, 10, 64)
		return time.UnixMilli(n), err == nil
	}
	return readText(s, loc, order)
}

func readISO(m []string, loc *time.Location) (time.Time, bool) {
	w := wall{year: atoi(m[1]), month: atoi(m[2]), day: 1}
	if m[3] != "" {
		w.day = atoi(m[3])
	}
	w.hour, w.minute, w.second = atoi(m[4]), atoi(m[5]), atoi(m[6])
	w.nanosecond = atoi((m[7] + "000000000")[:9])
	switch {
	case m[8] != "":
		loc = time.UTC
	case m[9] != "":
		var ok bool
		if loc, ok = readZone([]string{"", m[9], m[10], m[11]}, loc); !ok {
			return time.Time{}, false
		}
	}
	return w.in(loc)
}

// readWeek returns the Monday of an ISO 8601 week.
func readWeek(year, week int, loc *time.Location) (time.Time, bool) {
	// The fourth of January is always in the first week.
	fourth := time.Date(year, time.January, 4, 0, 0, 0, 0, time.UTC)
	sinceMonday := (int(fourth.Weekday()) + 6) % 7
	monday := fourth.AddDate(0, 0, 7*(week-1)-sinceMonday)
	if y, w := monday.ISOWeek(); y != year || w != week {
		return time.Time{}, false
	}
	return wall{year: monday.Year(), month: int(monday.Month()), day: monday.Day()}.in(loc)
}

// wall is a date and time as shown by a calendar and a clock on the wall.
type wall struct{ year, month, day, hour, minute, second, nanosecond int }

func (w wall) date(loc *time.Location) time.Time {
	return time.Date(w.year, time.Month(w.month), w.day, w.hour, w.minute, w.second, w.nanosecond, loc)
}

// in returns the time at which the wall shows w in loc. It fails if w is not a valid date and time.
// If clocks go back and show w twice, in returns the first time. If clocks go forward and skip w,
// it returns the time as far after the change as w is after it, so that a day without midnight
// begins at its first moment and not on the day before.
func (w wall) in(loc *time.Location) (time.Time, bool) {
	shown := w.date(time.UTC)
	if !w.isDay() || w.hour > 23 || w.minute > 59 || w.second > 59 {
		return time.Time{}, false
	}
	t := w.date(loc)
	if shows(t).Before(shown) {
		_, before := t.Zone()
		return shown.Add(-time.Duration(before) * time.Second), true
	}
	if start, _ := t.ZoneBounds(); !start.IsZero() {
		_, before := start.Add(-time.Nanosecond).Zone()
		earlier := shown.Add(-time.Duration(before) * time.Second).In(loc)
		if earlier.Before(t) && shows(earlier).Equal(shown) {
			return earlier, true
		}
	}
	return t, true
}

// shows returns the date and time that the wall shows at t, as if in UTC.
func shows(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.Add(time.Duration(offset) * time.Second).UTC()
}

// atoi parses the digits that a pattern matched; "" is 0.
func atoi(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}
