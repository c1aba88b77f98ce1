package fieldtype_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/fieldtype"
)

func datesIn(loc *time.Location, order fieldtype.DateOrder) fieldtype.Rules {
	return fieldtype.Rules{Type: fieldtype.Date, Location: loc, DateOrder: order}
}

// TestDateOrder reads dates whose day and month could be swapped.
func TestDateOrder(t *testing.T) {
	t.Parallel()
	kolkata := zone(t, "Asia/Kolkata")
	may := time.Date(2026, time.May, 12, 0, 0, 0, 0, kolkata).UnixMilli()
	december := time.Date(2026, time.December, 5, 0, 0, 0, 0, kolkata).UnixMilli()
	decemberAt := december + (10*time.Hour + 30*time.Minute).Milliseconds()
	never := fieldtype.TypeDate
	for _, tt := range []struct {
		text                 string
		unset, dmy, mdy, ymd any
	}{
		{"05/12/2026", never, december, may, never},
		{"5/12/2026", never, december, may, never},
		{"05-12-2026", never, december, may, never},
		{"5.12.2026", never, december, may, never},
		{"5. 12. 2026", never, december, may, never},
		{"5 12 2026", never, december, may, never},
		{"05/12/2026 10:30", never, decemberAt, may + decemberAt - december, never},
		{"5/12/2026, 10:30:00 am", never, decemberAt, may + decemberAt - december, never},
		{"०५/१२/२०२६", never, december, may, never},
		{"Sat, 05/12/2026", december, december, never, december},
		{"Tue 05/12/2026", may, never, may, may},
		{"2026/12/05", december, december, december, december},
		{"2026-12-5", december, december, december, december},
		{"5 Dec 2026", december, december, december, december},
		{"Dec 5, 2026", december, december, december, december},
		{"05/12/26", never, never, never, never},
		{"05/12-2026", never, never, never, never},
		{"31/02/2026", never, never, never, never},
		{"02/31/2026", never, never, never, never},
		{"13/13/2026", never, never, never, never},
		{"00/12/2026", never, never, never, never},
	} {
		for order, want := range map[fieldtype.DateOrder]any{"": tt.unset, fieldtype.DayFirst: tt.dmy, fieldtype.MonthFirst: tt.mdy, fieldtype.YearFirst: tt.ymd} {
			if got := outcome(t, datesIn(kolkata, order), tt.text); got != want {
				t.Errorf("%q with order %q: got %v, want %v", tt.text, order, got, want)
			}
		}
	}
	for _, order := range []fieldtype.DateOrder{"", fieldtype.DayFirst, fieldtype.MonthFirst, fieldtype.YearFirst} {
		checkConversions(t, datesIn(kolkata, order), []conversion{
			{"22/11/2026", time.Date(2026, time.November, 22, 0, 0, 0, 0, kolkata).UnixMilli()},
			{"11/22/2026", time.Date(2026, time.November, 22, 0, 0, 0, 0, kolkata).UnixMilli()},
			{"7/7/2026", time.Date(2026, time.July, 7, 0, 0, 0, 0, kolkata).UnixMilli()},
		})
	}
}

func TestDateOrderIsChecked(t *testing.T) {
	t.Parallel()
	if err := (fieldtype.Rules{Type: fieldtype.Date, DateOrder: "dym"}).Check(); err == nil || !strings.Contains(err.Error(), "dmy") {
		t.Errorf("unknown order: got %v", err)
	}
	if err := (fieldtype.Rules{Type: fieldtype.Text, DateOrder: fieldtype.DayFirst}).Check(); err == nil {
		t.Error("a text field may have an order of dates")
	}
}

// TestDatesAsWritten reads dates and times as pickers, scripts and people write them.
func TestDatesAsWritten(t *testing.T) {
	t.Parallel()
	kolkata := zone(t, "Asia/Kolkata")
	at := func(hour, minute, second int) int64 {
		return time.Date(2027, time.March, 31, hour, minute, second, 0, kolkata).UnixMilli()
	}
	fifth := time.Date(2027, time.March, 5, 0, 0, 0, 0, kolkata).UnixMilli()
	checkConversions(t, datesIn(kolkata, ""), []conversion{
		{"2027-3-5", fifth},
		{"2027-03-5", fifth},
		{"2027/3/5", fifth},
		{"2027.03.05", fifth},
		{"2027. 3. 5.", fifth},
		{"2027 3 5", fifth},
		{"20270305", fifth},
		{"2027年3月5日", fifth},
		{"2027년 3월 5일", fifth},
		{"２０２７／３／５", fifth},
		{"2027-March-5", fifth},
		{"2027 Mar 05", fifth},
		{"5-March-2027", fifth},
		{"5/Mar/2027", fifth},
		{"05.Mar.2027", fifth},
		{"5th of March, 2027", fifth},
		{"March 5 2027", fifth},
		{"Mar-05-2027", fifth},
		{"Friday, 5 March 2027", fifth},
		{"Fri 5 Mar 2027", fifth},
		{"Friday, March 5, 2027", fifth},
		{"31/03/2027 10:30", at(10, 30, 0)},
		{"31/03/2027, 10:30", at(10, 30, 0)},
		{"31/03/2027 - 10:30", at(10, 30, 0)},
		{"31/03/2027T10:30", at(10, 30, 0)},
		{"31-03-2027 10:30:45", at(10, 30, 45)},
		{"31.3.2027, 10:30:45", at(10, 30, 45)},
		{"31.3.2027 10.30.45", at(10, 30, 45)},
		{"10:30:45 31/3/2027", at(10, 30, 45)},
		{"3/31/2027, 10:30:45\u202fPM", at(22, 30, 45)},
		{"31/3/2027, 10:30:45 pm", at(22, 30, 45)},
		{"2027/3/31 10:30:45", at(10, 30, 45)},
		{"2027. 03. 31. 10:30:45", at(10, 30, 45)},
		{"2027-03-31 10:30 PM", at(22, 30, 0)},
		{"2027-3-31 10:30", at(10, 30, 0)},
		{"31 March 2027 10:30 AM", at(10, 30, 0)},
		{"31 March 2027 10:30 a.m.", at(10, 30, 0)},
		{"31 March 2027 10:30PM", at(22, 30, 0)},
		{"31 March 2027 at 10:30", at(10, 30, 0)},
		{"March 31, 2027 at 10:30 AM", at(10, 30, 0)},
		{"Wednesday, March 31, 2027 at 10 pm", at(22, 0, 0)},
		{"31 March 2027 12:30 AM", at(0, 30, 0)},
		{"31 March 2027 12:30 PM", at(12, 30, 0)},
		{"31 March 2027 22:30", at(22, 30, 0)},
		{"31 March 2027 10:30 GMT+5:30", at(10, 30, 0)},
		{"3/31/2027, 5:00:00 AM UTC", at(10, 30, 0)},
		{"Wed Mar 31 2027", at(0, 0, 0)},                                            // toDateString
		{"Wed Mar 31 2027 10:30:45 GMT+0530 (India Standard Time)", at(10, 30, 45)}, // toString
		{"Wed Mar 31 2027 05:00:45 GMT+0000 (Coordinated Universal Time)", at(10, 30, 45)},
		{"Wed Mar 31 2027 01:00:45 GMT-0400 (Eastern Daylight Time)", at(10, 30, 45)},
		{"Wed, 31 Mar 2027 05:00:45 GMT", at(10, 30, 45)}, // toUTCString
		{"2027-03-31T05:00:45.000Z", at(10, 30, 45)},      // toISOString
		{"٣١\u200f/٣\u200f/٢٠٢٧، ١٠:٣٠:٤٥", at(10, 30, 45)},
		{"//", nil},
		{"--", nil},
		{"__/__/____", nil},
		{" . . ", nil},
		{"Thu Mar 31 2027", fieldtype.TypeDate}, // it is a Wednesday
		{"Wednesday, 5 March 2027", fieldtype.TypeDate},
		{"31 March 2027 24:30", fieldtype.TypeDate},
		{"31 March 2027 10:60", fieldtype.TypeDate},
		{"31 March 2027 13:30 AM", fieldtype.TypeDate},
		{"31 March 2027 10", fieldtype.TypeDate},
		{"31 March 2027 10:30 IST", fieldtype.TypeDate}, // India, Ireland or Israel
		{"31 March 10:30", fieldtype.TypeDate},
		{"31/3/2570 10:30:45", fieldtype.TypeDate},
		{"١٤٠٦/١/١١", fieldtype.TypeDate},
		{"2027-2-30", fieldtype.TypeDate},
		{"2027-13-5", fieldtype.TypeDate},
		{"2027-31-3", fieldtype.TypeDate},
		{"20273103", fieldtype.TypeDate},
		{"31032027", fieldtype.TypeDate},
		{"2027-3/5", fieldtype.TypeDate},
		{"5//2027", fieldtype.TypeDate},
		{"/3/2027", fieldtype.TypeDate},
		{"31/03/2027 to 05/04/2027", fieldtype.TypeDate},
		{"31.03.2027 - 05.04", fieldtype.TypeDate},
		{"31/03/2027 - 05/04/2027", fieldtype.TypeDate},
		{"31/03/2027 (call me)", fieldtype.TypeDate},
		{"Wed Mar 31 2027 10:30:45 (India Standard Time)", fieldtype.TypeDate},
		{"Invalid Date", fieldtype.TypeDate},
	})
}

// TestDatesAsShown writes moments as browsers and pickers do. What is read is the moment written, or
// the visitor is asked: day and month are never swapped.
func TestDatesAsShown(t *testing.T) {
	t.Parallel()
	zones := []string{"UTC", "Asia/Kolkata", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland"}
	dayFirst := []string{
		"02/01/2006", "2/1/2006", "02-01-2006", "2.1.2006", "2. 1. 2006", "02 01 2006", "Mon, 02/01/2006",
		"02/01/2006 15:04", "2/1/2006, 15:04:05", "2/1/2006, 3:04:05 pm", "2.1.2006 15.04.05", "02/01/2006 3:04 PM", "15:04:05 2/1/2006",
	}
	monthFirst := []string{
		"01/02/2006", "1/2/2006", "01-02-2006", "1.2.2006", "Mon 1/2/2006", "1/2/2006, 3:04:05 PM", "1/2/2006, 3:04:05\u202fPM", "01/02/2006 15:04",
	}
	either := []string{
		"2006-1-2", "2006-01-02", "2006/1/2", "2006. 1. 2.", "20060102", "2006-1-2 15:04", "2006/1/2 15:04:05", "2006. 01. 02. 15:04:05",
		"2 January 2006 3:04 PM", "2 Jan 2006, 15:04", "January 2, 2006 at 3:04 PM", "Monday, January 2, 2006 at 3:04:05 PM", "2-Jan-2006 15:04:05",
		"Mon Jan 02 2006 15:04:05 GMT-0700 (Some Time)", "Mon Jan 02 2006", "Mon, 02 Jan 2006 15:04:05 GMT-0700", "2006-01-02T15:04:05.000Z07:00",
	}
	accepted := make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		loc := zone(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		from, to := time.Date(1971, 1, 2, 0, 0, 0, 0, loc), time.Date(2199, 12, 30, 0, 0, 0, 0, loc)
		moment := time.Unix(rapid.Int64Range(from.Unix(), to.Unix()).Draw(t, "moment"), 0).In(loc)
		check := func(layouts []string, order fieldtype.DateOrder, mustRead bool) {
			for _, layout := range layouts {
				text := moment.Format(layout)
				want, err := time.ParseInLocation(layout, text, loc)
				if err != nil || want.Format(layout) != text {
					continue // skipped by a change of clocks
				}
				value, err := datesIn(loc, order).Convert([]string{text})
				if err != nil && !mustRead {
					continue
				}
				if got, _ := value.JSON.(int64); err != nil || time.UnixMilli(got).In(loc).Format(layout) != text {
					t.Fatalf("%q (%s) with order %q became %v, %v", text, layout, order, value.JSON, err)
				}
				accepted[layout+string(order)]++
			}
		}
		check(dayFirst, "", false)
		check(monthFirst, "", false)
		check(dayFirst, fieldtype.DayFirst, true)
		check(monthFirst, fieldtype.MonthFirst, true)
		for _, order := range []fieldtype.DateOrder{"", fieldtype.DayFirst, fieldtype.MonthFirst, fieldtype.YearFirst} {
			check(either, order, true)
		}
	})
	for _, layout := range append(dayFirst, monthFirst...) {
		if accepted[layout] == 0 {
			t.Errorf("%s was never read without an order", layout)
		}
	}
}

// TestDateFromThreeInputs reads what a template makes of three inputs.
func TestDateFromThreeInputs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		day := time.Date(rapid.IntRange(1971, 2190).Draw(t, "year"), time.Month(rapid.IntRange(1, 12).Draw(t, "month")), rapid.IntRange(1, 28).Draw(t, "day"), 0, 0, 0, 0, time.UTC)
		d, m, y := day.Format(rapid.SampledFrom([]string{"2", "02"}).Draw(t, "d")), day.Format(rapid.SampledFrom([]string{"1", "01"}).Draw(t, "m")), day.Format("2006")
		name := day.Format(rapid.SampledFrom([]string{"Jan", "January"}).Draw(t, "name"))
		separator := rapid.SampledFrom([]string{"/", "-", ".", " "}).Draw(t, "separator")
		for text, order := range map[string]fieldtype.DateOrder{
			strings.Join([]string{d, m, y}, separator):    fieldtype.DayFirst,
			strings.Join([]string{m, d, y}, separator):    fieldtype.MonthFirst,
			strings.Join([]string{y, m, d}, separator):    fieldtype.YearFirst,
			strings.Join([]string{d, name, y}, separator): "",
			strings.Join([]string{name, d, y}, separator): "",
			strings.Join([]string{y, name, d}, separator): "",
		} {
			value, err := datesIn(time.UTC, order).Convert([]string{text})
			if err != nil || value.JSON != day.UnixMilli() {
				t.Fatalf("%q with order %q became %v, %v, want %s", text, order, fmt.Sprint(value.JSON), err, day)
			}
		}
	})
}
