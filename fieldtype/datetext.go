package fieldtype

import (
	"regexp"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"

	"github.com/leadwire/caddy-telecrm/internal/suggest"
)

// DateOrder says whether the day or the month comes first in dates such as 05/12/2026. Its value is
// the word for it in the configuration. Without an order, such dates are [TypeDate].
type DateOrder string

// The orders. Dates that begin with the year are always read year, month, day. [YearFirst] says that
// no other order is usual.
const (
	DayFirst   DateOrder = "dmy"
	MonthFirst DateOrder = "mdy"
	YearFirst  DateOrder = "ymd"
)

// ParseDateOrder returns the order for a configuration word. The error for an unknown word lists the
// known ones.
func ParseDateOrder(word string) (DateOrder, error) {
	switch order := DateOrder(word); order {
	case DayFirst, MonthFirst, YearFirst:
		return order, nil
	}
	return "", suggest.Unknown("order", word, string(DayFirst), string(MonthFirst), string(YearFirst))
}

// CheckDateOrder returns the error of [ParseDateOrder].
func CheckDateOrder(word string) error {
	_, err := ParseDateOrder(word)
	return err
}

// Parts of the patterns below. Text is in lower case and has ASCII digits.
const (
	clockPart   = `(\d{1,2})(?:[:.](\d{2})(?:[:.](\d{2})(?:[.,](\d{1,9}))?)?)?(?: ?([ap])\.?m\.?)?`
	zonePart    = `(?: ?(z|utc|gmt)|(?: ?(?:utc|gmt)| )?([+-])(\d{1,2})(?::?(\d{2}))?(?: \([^()]*\))?)?`
	weekdayPart = `(mon|tue|wed|thu|fri|sat|sun)(?:s|r|rs|day|sday|nesday|rsday|urday)?`
	datePart    = `(\S.*?)`
	numberGap   = `( ?[-/.] ?| )`
	nameGap     = `(?: of |, ?|\. ?|[-/ ])`
	dayPart     = `(\d{1,2})(?:st|nd|rd|th)?`
	monthPart   = `([a-z]{3,9})\.?`
)

var (
	dateThenClock = regexp.MustCompile(`^` + datePart + `(?:,? at |, ?|t| )` + clockPart + zonePart + `$`)
	// dashThenClock does not match the end of a range, as in "31.03.2027 - 05.04".
	dashThenClock = regexp.MustCompile(` - (\d{1,2}:\d{2})`)
	clockThenDate = regexp.MustCompile(`^` + clockPart + `(?:, ?| )` + datePart + `$`)
	weekdayFirst  = regexp.MustCompile(`^` + weekdayPart + `(?:[.,] ?| )` + datePart + `$`)

	yearFirst    = regexp.MustCompile(`^(\d{4})` + numberGap + `(\d{1,2})` + numberGap + `(\d{1,2})\.?$`)
	yearLast     = regexp.MustCompile(`^(\d{1,2})` + numberGap + `(\d{1,2})` + numberGap + `(\d{4})\.?$`)
	eightDigits  = regexp.MustCompile(`^(\d{4})(\d{2})(\d{2})$`)
	dayMonthYear = regexp.MustCompile(`^` + dayPart + nameGap + monthPart + nameGap + `(\d{4})$`)
	monthDayYear = regexp.MustCompile(`^` + monthPart + nameGap + dayPart + nameGap + `(\d{4})$`)
	yearMonthDay = regexp.MustCompile(`^(\d{4})` + nameGap + monthPart + nameGap + dayPart + `$`)
)

// cjkDate turns the units of Chinese, Japanese and Korean dates into dashes.
var cjkDate = strings.NewReplacer("年", "-", "月", "-", "日", "", "년", "-", "월", "-", "일", "")

// plainDateText returns text in lower case with ASCII digits, dashes and punctuation, and single
// spaces.
func plainDateText(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '−' || unicode.Is(unicode.Pd, r):
			return '-'
		case r == '،':
			return ','
		}
		return asciiDigit(r)
	}, width.Fold.String(text))
	return strings.ToLower(strings.Join(strings.Fields(cjkDate.Replace(text)), " "))
}

// isBlankDate reports whether text is only the punctuation of a date: the mask of a picker, or a
// template of inputs that were left empty.
func isBlankDate(text string) bool { return strings.Trim(text, "_/-.,: ") == "" }

// readText reads dates as people, pickers and scripts write them, JavaScript's Date included: a
// date, perhaps with a weekday, and perhaps with a time and the offset of its zone. Names of zones
// are ambiguous.
func readText(s string, loc *time.Location, order DateOrder) (time.Time, bool) {
	s = dashThenClock.ReplaceAllString(s, " $1")
	date, clock, zone := s, []string(nil), []string(nil)
	if m := dateThenClock.FindStringSubmatch(s); m != nil && isClock(m[2:7]) {
		date, clock, zone = m[1], m[2:7], m[7:]
	} else if m := clockThenDate.FindStringSubmatch(s); m != nil && isClock(m[1:6]) {
		clock, date = m[1:6], m[6]
	}
	w, ok := readDay(date, order)
	if ok && clock != nil {
		ok = w.setClock(clock)
	}
	if ok && zone != nil {
		loc, ok = readZone(zone, loc)
	}
	if !ok {
		return time.Time{}, false
	}
	return w.in(loc)
}

// isClock reports whether a clock has minutes, or at least says which half of the day it is.
func isClock(m []string) bool { return m[1] != "" || m[4] != "" }

// setClock sets the time from what clockPart matched: hour, minute, second, fraction and "a" or "p".
func (w *wall) setClock(m []string) bool {
	w.hour, w.minute, w.second = atoi(m[0]), atoi(m[1]), atoi(m[2])
	w.nanosecond = atoi((m[3] + "000000000")[:9])
	switch {
	case m[4] == "a" && w.hour > 12:
		return false
	case m[4] == "a" && w.hour == 12:
		w.hour = 0
	case m[4] == "p" && w.hour < 12:
		w.hour += 12
	}
	return true
}

// readZone returns the zone for what zonePart matched: "z", "utc" or "gmt", or else the sign, hours
// and minutes of an offset. Without either, it returns loc.
func readZone(m []string, loc *time.Location) (*time.Location, bool) {
	switch {
	case m[0] != "":
		return time.UTC, true
	case m[1] == "":
		return loc, true
	}
	hours, minutes := atoi(m[2]), atoi(m[3])
	if hours > 23 || minutes > 59 {
		return nil, false
	}
	offset := (hours*60 + minutes) * 60
	if m[1] == "-" {
		offset = -offset
	}
	return time.FixedZone("", offset), true
}

// readDay reads a date without a time. It fails if the date is ambiguous, or is not on the weekday
// that s names.
func readDay(s string, order DateOrder) (wall, bool) {
	weekday := ""
	if m := weekdayFirst.FindStringSubmatch(s); m != nil {
		weekday, s = m[1], m[2]
	}
	var found []wall
	for _, w := range readings(s, order) {
		if w.isDay() && (weekday == "" || w.weekday() == weekday) && (len(found) == 0 || found[0] != w) {
			found = append(found, w)
		}
	}
	if len(found) != 1 {
		return wall{}, false
	}
	return found[0], true
}

// readings returns the days that s could mean. Some of them may not exist.
func readings(s string, order DateOrder) []wall {
	if m := yearFirst.FindStringSubmatch(s); m != nil && m[2] == m[4] {
		return []wall{{year: atoi(m[1]), month: atoi(m[3]), day: atoi(m[5])}}
	}
	if m := eightDigits.FindStringSubmatch(s); m != nil {
		return []wall{{year: atoi(m[1]), month: atoi(m[2]), day: atoi(m[3])}}
	}
	if m := yearLast.FindStringSubmatch(s); m != nil && m[2] == m[4] {
		return ordered(atoi(m[1]), atoi(m[3]), atoi(m[5]), order)
	}
	if m := dayMonthYear.FindStringSubmatch(s); m != nil {
		return []wall{{year: atoi(m[3]), month: monthNamed(m[2]), day: atoi(m[1])}}
	}
	if m := monthDayYear.FindStringSubmatch(s); m != nil {
		return []wall{{year: atoi(m[3]), month: monthNamed(m[1]), day: atoi(m[2])}}
	}
	if m := yearMonthDay.FindStringSubmatch(s); m != nil {
		return []wall{{year: atoi(m[1]), month: monthNamed(m[2]), day: atoi(m[3])}}
	}
	return nil
}

// ordered returns the readings of a date that ends in its year. The order decides, unless it would
// make a month above 12.
func ordered(first, second, year int, order DateOrder) []wall {
	dayFirst, monthFirst := wall{year: year, month: second, day: first}, wall{year: year, month: first, day: second}
	switch {
	case order == DayFirst && second <= 12:
		return []wall{dayFirst}
	case order == MonthFirst && first <= 12:
		return []wall{monthFirst}
	}
	return []wall{dayFirst, monthFirst}
}

// isDay reports whether the calendar has the day.
func (w wall) isDay() bool {
	shown := w.date(time.UTC)
	return shown.Day() == w.day && int(shown.Month()) == w.month
}

// weekday returns the first three letters of the weekday's name in lower case.
func (w wall) weekday() string { return strings.ToLower(w.date(time.UTC).Weekday().String()[:3]) }

// monthNamed returns the month with an English name, short or long, or 0.
func monthNamed(name string) int {
	if name == "sept" {
		return int(time.September)
	}
	for m := time.January; m <= time.December; m++ {
		if full := strings.ToLower(m.String()); name == full || name == full[:3] {
			return int(m)
		}
	}
	return 0
}
