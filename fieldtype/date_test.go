package fieldtype_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/fieldtype"
)

func zone(t interface{ Fatal(...any) }, name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestConvertDate(t *testing.T) {
	t.Parallel()
	kolkata := zone(t, "Asia/Kolkata")
	day := time.Date(2026, time.November, 22, 0, 0, 0, 0, kolkata).UnixMilli()
	first := time.Date(2026, time.November, 1, 0, 0, 0, 0, kolkata).UnixMilli()
	minute := time.Date(2026, time.November, 22, 10, 30, 0, 0, kolkata).UnixMilli()
	utc := time.Date(2026, time.November, 22, 10, 30, 5, 0, time.UTC).UnixMilli()
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Date, Location: kolkata}, []conversion{
		{"2026-11-22", day},
		{" २०२६-११-२२ ", day},
		{"2026/11/22", day},
		{"22/11/2026", day},
		{"11/22/2026", day},
		{"22.11.2026", day},
		{"22-11-2026", day},
		{"22 Nov 2026", day},
		{"22nd november, 2026", day},
		{"22-NOV-2026", day},
		{"Nov 22, 2026", day},
		{"November  22nd 2026", day},
		{"Nov. 22 2026", day},
		{"1 Sept 2026", time.Date(2026, time.September, 1, 0, 0, 0, 0, kolkata).UnixMilli()},
		{"5/5/2026", time.Date(2026, time.May, 5, 0, 0, 0, 0, kolkata).UnixMilli()},
		{"2026-11", first},
		{"2026-W47", time.Date(2026, time.November, 16, 0, 0, 0, 0, kolkata).UnixMilli()},
		{"2026-W53", time.Date(2026, time.December, 28, 0, 0, 0, 0, kolkata).UnixMilli()},
		{"2020-W01", time.Date(2019, time.December, 30, 0, 0, 0, 0, kolkata).UnixMilli()},
		{"2026-11-22T10:30", minute},
		{"2026-11-22 10:30", minute},
		{"2026-11-22T10:30:05", minute + 5_000},
		{"2026-11-22T10:30:05.123", minute + 5_123},
		{"2026-11-22T10:30:05.1", minute + 5_100},
		{"2026-11-22t10:30:05z", utc},
		{"2026-11-22T10:30:05.123456789Z", utc + 123},
		{"2026-11-22T16:00:05+05:30", utc},
		{"2026-11-22T05:30:05-05:00", utc},
		{"2026-11-22T10:30Z", utc - 5_000},
		{strconv.FormatInt(utc, 10), utc},
		{"1900-01-01", time.Date(1900, time.January, 1, 0, 0, 0, 0, kolkata).UnixMilli()},
		{"2199-12-31", time.Date(2199, time.December, 31, 0, 0, 0, 0, kolkata).UnixMilli()},
		{"2028-02-29", time.Date(2028, time.February, 29, 0, 0, 0, 0, kolkata).UnixMilli()},
		{"01/06/2026", fieldtype.TypeDate},
		{"01.06.2026", fieldtype.TypeDate},
		{"22/11-2026", fieldtype.TypeDate},
		{"22/11/26", fieldtype.TypeDate},
		{"2026-11-22T24:00", fieldtype.TypeDate},
		{"2026-11-22T10:60", fieldtype.TypeDate},
		{"2026-11-22T10:30:60", fieldtype.TypeDate},
		{"2026-11-22T10:30:05+24:00", fieldtype.TypeDate},
		{"2026-11-22T10:30:05+05:60", fieldtype.TypeDate},
		{"2026-02-29", fieldtype.TypeDate},
		{"31 Feb 2026", fieldtype.TypeDate},
		{"31/11/2026", fieldtype.TypeDate},
		{"13/13/2026", fieldtype.TypeDate},
		{"0/13/2026", fieldtype.TypeDate},
		{"2026-00-10", fieldtype.TypeDate},
		{"2026-13", fieldtype.TypeDate},
		{"2026-W00", fieldtype.TypeDate},
		{"2027-W53", fieldtype.TypeDate},
		{"2026-W99", fieldtype.TypeDate},
		{"0202-11-22", fieldtype.TypeDate},
		{"1899-12-31", fieldtype.TypeDate},
		{"2200-01-01", fieldtype.TypeDate},
		{"9999999999999", fieldtype.TypeDate},
		{"1767240000", fieldtype.TypeDate},
		{"0000000000001", fieldtype.TypeDate},
		{"-1767240000000", fieldtype.TypeDate},
		{"22 Novem 2026", fieldtype.TypeDate},
		{"22 novembre 2026", fieldtype.TypeDate},
		{"tomorrow", fieldtype.TypeDate},
		{"10:30", fieldtype.TypeDate},
		{"🙂", fieldtype.TypeDate},
		{"2026-11-22\x00x", fieldtype.TypeDate},
		{"2026-11-22'; DROP TABLE leads; --", fieldtype.TypeDate},
		{strings.Repeat("2026-11-22 ", 100_000), fieldtype.TypeDate},
	})
}

func TestConvertDateDefaultsToUTC(t *testing.T) {
	t.Parallel()
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Date}, []conversion{
		{"1970-01-01", int64(0)},
		{"1969-12-31T23:59:59.999", int64(-1)},
	})
}

func TestConvertDateWhereClocksChange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ zone, text, want string }{
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T01:00:00-02:00"},         // no midnight
		{"Africa/Cairo", "2024-04-26", "2024-04-26T01:00:00+03:00"},              // no midnight
		{"America/New_York", "2026-03-08T02:30", "2026-03-08T03:30:00-04:00"},    // skipped
		{"America/New_York", "2026-11-01T01:30", "2026-11-01T01:30:00-04:00"},    // shown twice
		{"Europe/Berlin", "2026-10-25T02:30", "2026-10-25T02:30:00+02:00"},       // shown twice
		{"Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-04T02:45:00+11:00"}, // half an hour skipped
		{"Pacific/Apia", "2011-12-30", "2011-12-31T00:00:00+14:00"},              // no such day
	} {
		want, err := time.Parse(time.RFC3339, tt.want)
		if err != nil {
			t.Fatal(err)
		}
		rules := fieldtype.Rules{Type: fieldtype.Date, Location: zone(t, tt.zone)}
		if got := outcome(t, rules, tt.text); got != want.UnixMilli() {
			t.Errorf("%s %s: got %v, want %s", tt.zone, tt.text, got, tt.want)
		}
	}
}

func TestDateRoundTrip(t *testing.T) {
	t.Parallel()
	zones := []string{"UTC", "Asia/Kolkata", "America/New_York", "Europe/London", "Asia/Kathmandu", "Pacific/Apia", "Africa/Cairo"}
	rapid.Check(t, func(t *rapid.T) {
		loc := zone(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		from, to := time.Date(1950, 1, 2, 0, 0, 0, 0, loc), time.Date(2199, 12, 30, 0, 0, 0, 0, loc)
		moment := time.UnixMilli(rapid.Int64Range(from.UnixMilli(), to.UnixMilli()).Draw(t, "moment")).In(loc)
		day := time.Date(moment.Year(), moment.Month(), moment.Day(), 0, 0, 0, 0, loc)
		if day.Day() != moment.Day() {
			return // this day has no midnight: see TestConvertDateWhereClocksChange
		}
		texts := map[string]int64{
			moment.Format("2006-01-02T15:04:05.000Z07:00"):       moment.UnixMilli(),
			moment.UTC().Format("2006-01-02 15:04:05.000Z07:00"): moment.UnixMilli(),
			moment.Truncate(time.Second).Format(time.RFC3339):    moment.Truncate(time.Second).UnixMilli(),
		}
		for _, layout := range []string{
			"2006-01-02", "2006/01/02", "2006/1/2", "2 Jan 2006", "02 January 2006", "Jan 2, 2006", "January 2 2006",
			"2-Jan-2006", "02-January-2006", "2006-01-02T00:00", "2006-01-02T00:00:00.000",
		} {
			texts[day.Format(layout)] = day.UnixMilli()
		}
		if day.Day() > 12 || day.Day() == int(day.Month()) {
			for _, layout := range []string{"02/01/2006", "2.1.2006", "02-01-2006", "01/02/2006", "1-2-2006"} {
				texts[day.Format(layout)] = day.UnixMilli()
			}
		}
		if day.Weekday() == time.Monday {
			year, week := day.ISOWeek()
			texts[fmt.Sprintf("%04d-W%02d", year, week)] = day.UnixMilli()
		}
		if day.Day() == 1 {
			texts[day.Format("2006-01")] = day.UnixMilli()
		}
		if ms := moment.UnixMilli(); ms >= 1e12 {
			texts[strconv.FormatInt(ms, 10)] = ms
		}
		rules := fieldtype.Rules{Type: fieldtype.Date, Location: loc}
		for text, want := range texts {
			value, err := rules.Convert([]string{text})
			if err != nil || value.JSON != want {
				t.Fatalf("%q: got %v, %v; want %d", text, value.JSON, err, want)
			}
		}
	})
}
