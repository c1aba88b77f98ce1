package form_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/leadwire/caddy-telecrm/form"
)

// TestReadLimits checks bodies exactly at a limit, and one above it.
func TestReadLimits(t *testing.T) {
	tests := []struct {
		name, contentType string
		limits            form.Limits
		at, above         string
	}{
		{"body", urlencoded, form.Limits{Body: 4}, "a=bc", "a=bcd"},
		{"body of separators", urlencoded, form.Limits{Body: 4}, "&&&&", "&&&&&"},
		{"fields", urlencoded, form.Limits{Fields: 2}, "a=1&a=2", "a=1&a=2&a=3"},
		{"fields without skipped ones", urlencoded, form.Limits{Fields: 2}, "a=1&&=x&=y&&b=2", "a=1&&=x&b=2&c"},
		{"name", urlencoded, form.Limits{Name: 3}, "abc=1", "abcd=1"},
		{"name, decoded", urlencoded, form.Limits{Name: 3}, "%E2%82%AC=1", "%E2%82%ACa=1"},
		{"value", urlencoded, form.Limits{Value: 3}, "a=123", "a=1234"},
		{"value, decoded", urlencoded, form.Limits{Value: 3}, "a=%E2%82%AC", "a=%E2%82%AC+"},

		{"body", formData, form.Limits{Body: int64(len(part(`name="a"`, "1") + end))}, part(`name="a"`, "1") + end, part(`name="a"`, "12") + end},
		{"body with an epilogue", formData, form.Limits{Body: 8}, end + "1", end + "12"},
		{"body with a preamble", formData, form.Limits{Body: 10}, "1\r\n" + end, "12\r\n" + end},
		{"body with a file", formData, form.Limits{Body: int64(len(part(`name="a"; filename=""`, "") + end))}, part(`name="a"; filename=""`, "") + end, part(`name="a"; filename=""`, "1") + end},
		{"fields", formData, form.Limits{Fields: 2}, part(`name="a"`, "1") + part(`name="a"`, "2") + end, strings.Repeat(part(`name="a"`, "1"), 3) + end},
		{"fields with a file", formData, form.Limits{Fields: 2}, part(`name="a"`, "1") + part(`name="f"; filename="f"`, "") + end, part(`name="a"`, "1") + part(`name="f"; filename="f"`, "") + part(`name="a"`, "1") + end},
		{"fields that are empty file inputs", formData, form.Limits{Fields: 2}, strings.Repeat(part(`name="f"; filename=""`, ""), 2) + end, strings.Repeat(part(`name="f"; filename=""`, ""), 3) + end},
		{"name", formData, form.Limits{Name: 3}, part(`name="abc"`, "1") + end, part(`name="abcd"`, "1") + end},
		{"name of a file", formData, form.Limits{Name: 3}, part(`name="abc"; filename="f"`, "1") + end, part(`name="abcd"; filename="f"`, "1") + end},
		{"value", formData, form.Limits{Value: 3}, part(`name="a"`, "123") + end, part(`name="a"`, "1234") + end},
		{"value of line breaks", formData, form.Limits{Value: 3}, part(`name="a"`, "\r\n\r") + end, part(`name="a"`, "\r\n\r\n") + end},
		{"value, but not a file", formData, form.Limits{Value: 3}, part(`name="a"; filename="f"`, strings.Repeat("x", 9999)) + end, part(`name="f"; filename="f"`, "1234") + part(`name="a"`, "1234") + end},

		{"body", jsonObject, form.Limits{Body: 7}, `{"a":1}`, `{"a":12}`},
		{"body with white space", jsonObject, form.Limits{Body: 7}, `{    } `, `{     } `},
		{"fields", jsonObject, form.Limits{Fields: 2}, `{"a":1,"a":2}`, `{"a":1,"a":2,"a":3}`},
		{"fields in an array", jsonObject, form.Limits{Fields: 2}, `{"a":[1,2]}`, `{"a":[1,2,3]}`},
		{"fields without absent ones", jsonObject, form.Limits{Fields: 2}, `{"a":null,"b":[null,1],"c":[],"d":2,"":3}`, `{"a":null,"b":[null,1],"c":2,"d":3}`},
		{"name", jsonObject, form.Limits{Name: 3}, `{"abc":1}`, `{"abcd":1}`},
		{"name, decoded", jsonObject, form.Limits{Name: 3}, `{"\u20ac":1}`, `{"\u20aca":1}`},
		{"value", jsonObject, form.Limits{Value: 3}, `{"a":"123"}`, `{"a":"1234"}`},
		{"value, decoded", jsonObject, form.Limits{Value: 3}, `{"a":"\u20ac"}`, `{"a":"\u20ac1"}`},
		{"value in an array", jsonObject, form.Limits{Value: 3}, `{"a":["123"]}`, `{"a":["1","1234"]}`},
		{"number", jsonObject, form.Limits{Value: 3}, `{"a":123}`, `{"a":1234}`},
		{"boolean", jsonObject, form.Limits{Value: 4}, `{"a":true}`, `{"a":false}`},
	}
	for _, test := range tests {
		t.Run(test.contentType+" "+test.name, func(t *testing.T) {
			if _, err := form.Read(strings.NewReader(test.at), test.contentType, test.limits, nil); err != nil {
				t.Errorf("at the limit: %v", err)
			}
			got, err := form.Read(strings.NewReader(test.above), test.contentType, test.limits, nil)
			wantRefused(t, got, err, form.ErrTooLarge)
		})
	}
}

func TestReadDefaultLimits(t *testing.T) {
	pairs := func(n int) string { return strings.TrimSuffix(strings.Repeat("a=1&", n), "&") }
	tests := []struct{ name, at, above string }{
		{"body", strings.Repeat("&", 64<<10), strings.Repeat("&", 64<<10+1)},
		{"fields", pairs(1000), pairs(1001)},
		{"name", strings.Repeat("n", 1024), strings.Repeat("n", 1025)},
		{"value", "a=" + strings.Repeat("v", form.MostCharacters), "a=" + strings.Repeat("v", form.MostCharacters+1)},
	}
	for _, test := range tests {
		for _, limits := range []form.Limits{{}, {Body: -1, Fields: -1, Name: -1, Value: -1}, form.DefaultLimits()} {
			t.Run(fmt.Sprintf("%s of %+v", test.name, limits), func(t *testing.T) {
				if _, err := form.Read(strings.NewReader(test.at), urlencoded, limits, nil); err != nil {
					t.Errorf("at the limit: %v", err)
				}
				got, err := form.Read(strings.NewReader(test.above), urlencoded, limits, nil)
				wantRefused(t, got, err, form.ErrTooLarge)
			})
		}
	}
}

func TestReadLargestLimits(t *testing.T) {
	limits := form.Limits{Body: math.MaxInt64, Fields: math.MaxInt, Name: math.MaxInt, Value: math.MaxInt}
	bodies := map[string]string{
		urlencoded: "a=1",
		formData:   part(`name="a"`, "1") + end,
		jsonObject: `{"a":"1"}`,
	}
	for contentType, body := range bodies {
		got, err := form.Read(strings.NewReader(body), contentType, limits, nil)
		if err != nil {
			t.Fatalf("%s: %v", contentType, err)
		}
		wantEntries(t, got, entries("a", "1"))
	}
}

// endless reads as its head, followed by its tail forever. It counts the bytes read.
type endless struct {
	head, tail string
	taken      int64
}

func (e *endless) Read(p []byte) (int, error) {
	for n := 0; n < len(p); {
		if e.head == "" {
			e.head = e.tail
		}
		copied := copy(p[n:], e.head)
		e.head = e.head[copied:]
		n += copied
	}
	e.taken += int64(len(p))
	return len(p), nil
}

func TestReadStopsAtTheBodyLimit(t *testing.T) {
	tests := []struct{ name, contentType, head, tail string }{
		{"separators", urlencoded, "", "&"},
		{"one value", urlencoded, "a=", "1"},
		{"preamble", formData, "", "\n"},
		{"boundary", formData, "--b", " "},
		{"header", formData, "--b\r\nContent-Disposition: form-data; name=\"", "a"},
		{"file", formData, strings.TrimSuffix(part(`name="f"; filename="f"`, ""), "\r\n"), "x"},
		{"epilogue", formData, end, "x"},
		{"white space", jsonObject, "", " "},
		{"one string", jsonObject, `{"a":"`, "1"},
	}
	for _, test := range tests {
		t.Run(test.contentType+" "+test.name, func(t *testing.T) {
			for _, limit := range []int64{1, 100, 4096, 5000, 64 << 10} {
				body := &endless{head: test.head, tail: test.tail}
				got, err := form.Read(body, test.contentType, form.Limits{Body: limit, Name: math.MaxInt, Value: math.MaxInt}, nil)
				if body.taken > limit+1 {
					t.Errorf("read %d bytes with a limit of %d", body.taken, limit)
				}
				// The reader may report a line as long as its buffer as malformed before it exceeds
				// the limit.
				if test.name == "boundary" && limit >= 4096 {
					wantRefused(t, got, err, form.ErrMalformed)
				} else {
					wantRefused(t, got, err, form.ErrTooLarge)
				}
			}
		})
	}
}

func TestReadStopsFloodOfPartsEarly(t *testing.T) {
	const fields, readAhead = 10, 4096
	for _, disposition := range []string{`name="a"`, `name="f"; filename="f"`, `name="f"; filename=""`, `name=""`, `name=""; filename="f"`} {
		flood := part(disposition, "")
		body := &endless{tail: flood}
		got, err := form.Read(body, formData, form.Limits{Body: math.MaxInt64, Fields: fields}, nil)
		wantRefused(t, got, err, form.ErrTooLarge)
		if most := int64((fields+1)*len(flood) + readAhead); body.taken > most {
			t.Errorf("%s: read %d bytes, want at most %d", disposition, body.taken, most)
		}
	}
}

func TestReadStopsLongValueEarly(t *testing.T) {
	head := strings.TrimSuffix(part(`name="a"`, ""), "\r\n")
	body := &endless{head: head, tail: "x"}
	got, err := form.Read(body, formData, form.Limits{Body: math.MaxInt64, Value: 100}, nil)
	wantRefused(t, got, err, form.ErrTooLarge)
	if most := int64(len(head) + form.MaxKept + 4096); body.taken > most {
		t.Errorf("read %d bytes, want at most %d", body.taken, most)
	}
}

// The error comes with the part of the form that could be read, so that visitors need not type it
// again.
func TestReadKeepsWhatIsWithinTheLimits(t *testing.T) {
	long, huge := strings.Repeat("v", 50), strings.Repeat("v", form.MaxKept+1)
	photo := part(`name="photo"; filename="roof.jpg"`, strings.Repeat("x", 300))
	limits := form.Limits{Body: 300, Fields: 4, Name: 10, Value: 40}
	wide := limits
	wide.Body = 1 << 20
	for _, test := range []struct {
		name, contentType, body string
		limits                  form.Limits
		want                    []form.Entry
		tooLong, files          []string
		cut                     bool
	}{
		{"long value", urlencoded, "a=1&b=" + long + "&c=3", limits, entries("a", "1", "b", long, "c", "3"), []string{"b"}, nil, false},
		{"long value", formData, part(`name="b"`, long) + part(`name="c"`, "3") + end, limits, entries("b", long, "c", "3"), []string{"b"}, nil, false},
		{"long value", jsonObject, `{"b":"` + long + `","c":3}`, limits, entries("b", long, "c", "3"), []string{"b"}, nil, false},
		{"long values", urlencoded, "a=" + long + "&a=" + long, limits, entries("a", long, "a", long), []string{"a", "a"}, nil, false},
		{"long value that is not text", urlencoded, "a=1&b=%00" + long + "&c=3", limits, entries("a", "1", "c", "3"), []string{"b"}, nil, false},
		{"long value with NUL", formData, part(`name="b"`, "\x00"+long) + part(`name="c"`, "3") + end, limits, entries("c", "3"), []string{"b"}, nil, false},
		{"huge value", urlencoded, "a=1&b=" + huge + "&c=3", wide, entries("a", "1"), []string{"b"}, nil, true},
		{"huge value", formData, part(`name="a"`, "1") + part(`name="b"`, huge) + part(`name="c"`, "3") + end, wide, entries("a", "1"), []string{"b"}, nil, true},
		{"too many", urlencoded, "a=1&a=2&a=3&a=4&a=5", limits, entries("a", "1", "a", "2", "a", "3", "a", "4"), nil, nil, true},
		{"long name", urlencoded, "a=1&" + long + "=2&b=3", limits, entries("a", "1"), nil, nil, true},
		{"body", urlencoded, "a=1&b=2&" + strings.Repeat("&", 290) + "c=34", limits, entries("a", "1", "b", "2"), nil, nil, true},
		{"body of one pair", urlencoded, "a=" + strings.Repeat("v", 300), limits, entries("a", strings.Repeat("v", 298)), []string{"a"}, nil, true},
		{"body that ends within a value", urlencoded, "a=1&b=" + strings.Repeat("v", 300), limits, entries("a", "1", "b", strings.Repeat("v", 294)), []string{"b"}, nil, true},
		{"body that ends within a name", urlencoded, "a=1&" + strings.Repeat("n", 300), limits, entries("a", "1"), nil, nil, true},
		{"body that ends within a character", urlencoded, "a=" + strings.Repeat("%E0%A4%A8", 100), limits, entries("a", strings.Repeat("न", 99)), []string{"a"}, nil, true},
		{"body that ends within an escape", urlencoded, "a=v" + strings.Repeat("%20", 300), limits, entries("a", "v"+strings.Repeat(" ", 297)), []string{"a"}, nil, true},
		{"body that ends within a character", formData, part(`name="a"`, strings.Repeat("न", 200)) + end, limits, entries("a", strings.Repeat("न", 83)), []string{"a"}, nil, true},
		{"photo", formData, part(`name="a"`, "1") + part(`name="b"`, "2") + photo + part(`name="c"`, "3") + end, limits, entries("a", "1", "b", "2"), nil, []string{"photo"}, true},
		{"photo first", formData, photo + part(`name="c"`, "3") + end, limits, nil, nil, []string{"photo"}, true},
		{"body that ends within a value", formData, part(`name="a"`, "1") + part(`name="b"`, strings.Repeat("v", 300)) + end, limits, entries("a", "1", "b", strings.Repeat("v", 199)), []string{"b"}, nil, true},
		{"body", jsonObject, `{"a":1,"b":` + strings.Repeat(" ", 300) + `2}`, limits, nil, nil, nil, true},
	} {
		t.Run(test.contentType+" "+test.name, func(t *testing.T) {
			got, err := form.Read(strings.NewReader(test.body), test.contentType, test.limits, nil)
			wantRefused(t, got, err, form.ErrTooLarge)
			want := &form.Form{Entries: test.want, Files: test.files, TooLong: test.tooLong, Cut: test.cut}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("form (-want +got):\n%s", diff)
			}
		})
	}
}

// TestReadAllocatesWithinBounds reads bodies that are built to cost more memory than they have
// bytes.
func TestReadAllocatesWithinBounds(t *testing.T) {
	const mebibyte = 1 << 20
	full := func(head, repeated string) string {
		return head + strings.Repeat(repeated, (64<<10-len(head)-len(end))/len(repeated))
	}
	var headers strings.Builder
	for i := range 9000 {
		fmt.Fprintf(&headers, "%x:\r\n", i)
	}
	tests := []struct {
		name, contentType, body string
		limits                  form.Limits
		most                    uint64
	}{
		{"separators", urlencoded, full("", "&"), form.Limits{}, mebibyte / 2},
		{"names alone", urlencoded, full("", "a&"), form.Limits{}, mebibyte},
		{"escapes", urlencoded, full("a=", "%41"), form.Limits{}, mebibyte / 2},
		{"empty parts", formData, full("", part(`name="a"`, "")) + end, form.Limits{}, 4 * mebibyte},
		{"file of 8 MiB", formData, part(`name="f"; filename="f"`, strings.Repeat("x", 8*mebibyte)) + end, form.Limits{Body: 16 * mebibyte}, mebibyte / 2},
		{"distinct headers", formData, "--b\r\n" + headers.String() + "\r\n\r\n" + end, form.Limits{}, 4 * mebibyte},
		{"parameters", formData, full("--b\r\nContent-Disposition: form-data", ";a=1") + "\r\n\r\n" + end, form.Limits{}, mebibyte / 2},
		{"depth", jsonObject, full(`{"a":`, "["), form.Limits{}, mebibyte / 2},
		{"depth at once", jsonObject, full("", "["), form.Limits{}, mebibyte / 2},
		{"absent values", jsonObject, full("{", `"":[],`) + `"a":null}`, form.Limits{}, 2 * mebibyte},
		{"half escapes", jsonObject, full(`{"a":"`, `\u`), form.Limits{}, mebibyte / 2},
		{"surrogate pairs", jsonObject, full(`{"a":"`, `\ud83d\ude00`) + `"}`, form.Limits{}, mebibyte},

		// A form with a file input may have a large body, but not more text in it.
		{"value of 2 MiB", urlencoded, "a=" + strings.Repeat("x", 2*mebibyte), form.Limits{Body: 4 * mebibyte}, 2 * mebibyte},
		{"escaped value of 2 MiB", urlencoded, "a=" + strings.Repeat("%41", 2*mebibyte/3), form.Limits{Body: 4 * mebibyte}, 2 * mebibyte},
		{"name of 2 MiB", urlencoded, strings.Repeat("x", 2*mebibyte), form.Limits{Body: 4 * mebibyte}, 2 * mebibyte},
		{"separators of 2 MiB", urlencoded, strings.Repeat("&", 2*mebibyte), form.Limits{Body: 4 * mebibyte}, 2 * mebibyte},
		{"values of 2 MiB", urlencoded, strings.Repeat("a="+strings.Repeat("x", 9999)+"&", 2*mebibyte/10_000), form.Limits{Body: 4 * mebibyte}, 2 * mebibyte},
		{"values of 2 MiB", formData, strings.Repeat(part(`name="a"`, strings.Repeat("x", 9999)), 2*mebibyte/10_000) + end, form.Limits{Body: 4 * mebibyte}, 2 * mebibyte},
		{"header of 2 MiB", formData, "--b\r\nX: " + strings.Repeat("x", 2*mebibyte) + "\r\n\r\n" + end, form.Limits{Body: 4 * mebibyte}, 2 * mebibyte},
		{"headers of 2 MiB", formData, "--b\r\n" + strings.Repeat("X: x\r\n", 2*mebibyte/6) + "\r\n" + end, form.Limits{Body: 4 * mebibyte}, 4 * mebibyte},
		{"string of 2 MiB", jsonObject, `{"a":"` + strings.Repeat("x", 2*mebibyte) + `"}`, form.Limits{Body: 4 * mebibyte}, 4 * mebibyte},
		{"escaped string of 2 MiB", jsonObject, `{"a":"` + strings.Repeat(`\u0041`, 2*mebibyte/6) + `"}`, form.Limits{Body: 4 * mebibyte}, 4 * mebibyte},
		{"name of 2 MiB", jsonObject, `{"` + strings.Repeat("x", 2*mebibyte) + `":1}`, form.Limits{Body: 4 * mebibyte}, 4 * mebibyte},
		{"number of 2 MiB", jsonObject, `{"a":` + strings.Repeat("1", 2*mebibyte) + `}`, form.Limits{Body: 4 * mebibyte}, 4 * mebibyte},
		{"white space of 2 MiB", jsonObject, `{"a":` + strings.Repeat(" ", 2*mebibyte) + `1}`, form.Limits{Body: 4 * mebibyte}, 4 * mebibyte},
		{"values of 2 MiB", jsonObject, `{"a":[` + strings.Repeat(`"`+strings.Repeat("x", 9998)+`",`, 2*mebibyte/10_000) + `1]}`, form.Limits{Body: 4 * mebibyte}, 4 * mebibyte},
		{"string of 2 MiB", jsonObject + "; charset=shift_jis", `{"a":"` + strings.Repeat("x", 2*mebibyte) + `"}`, form.Limits{Body: 4 * mebibyte}, 8 * mebibyte},
	}
	for _, test := range tests {
		t.Run(test.contentType+" "+test.name, func(t *testing.T) {
			body := bytes.NewReader([]byte(test.body))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := form.Read(body, test.contentType, test.limits, nil)
			runtime.ReadMemStats(&after)
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > test.most {
				t.Errorf("a body of %d bytes allocated %d bytes, want at most %d (error: %v)", len(test.body), allocated, test.most, err)
			}
			if body.Len() == len(test.body) {
				t.Error("got nothing")
			}
		})
	}
}

// An input that the form does not need is skipped where it exceeds a limit, in each encoding. The
// rest of the form is read.
func TestReadSkipsWhatIsNotNeeded(t *testing.T) {
	limits := form.Limits{Fields: 3, Name: 20, Value: 40, Needs: func(input string) bool { return input == "a" || input == "b" || input == "café" }}
	long, huge := strings.Repeat("v", 41), strings.Repeat("v", form.MaxKept)
	question := "what_brings_you_here_today"
	many := entries("x", "1", "x", "2", "x", "3", "x", "4", "x", "5")
	for _, test := range []struct {
		name          string
		sent          []form.Entry
		want, skipped []form.Entry
	}{
		{"nothing", entries("a", "1", "x", "2"), entries("a", "1", "x", "2"), nil},
		{"long name", entries("a", "1", question, "yes", "b", "2"), entries("a", "1", "b", "2"), entries(question[:20], "yes")},
		{"long value", entries("x", long, "a", "1", "b", "2"), entries("a", "1", "b", "2"), entries("x", long)},
		{"huge value", entries("x", huge, "a", "1"), entries("a", "1"), entries("x", "")},
		{"many values", slices.Concat(many, entries("a", "1", "b", "2")), entries("x", "1", "x", "2", "x", "3", "a", "1", "b", "2"), entries("x", "4", "x", "5")},
		{"values between", slices.Concat(entries("a", "1"), many, entries("b", "2")), entries("a", "1", "x", "1", "x", "2", "x", "3", "b", "2"), entries("x", "4", "x", "5")},
		{"long name of three-byte letters", entries(strings.Repeat("प", 7), "1", "a", "1"), entries("a", "1"), entries(strings.Repeat("प", 6), "1")},
		{"needed and long at once", entries("a", "1", "x", long, "a", "2", "b", "3"), entries("a", "1", "a", "2", "b", "3"), entries("x", long)},
	} {
		for _, contentType := range []string{urlencoded, formData, jsonObject} {
			t.Run(contentType+" "+test.name, func(t *testing.T) {
				limits.Body = 1 << 20
				got, err := form.Read(strings.NewReader(encoded(t, contentType, test.sent)), contentType, limits, nil)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(&form.Form{Entries: test.want, Skipped: test.skipped}, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("form (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// encoded returns a body with the entries.
func encoded(t *testing.T, contentType string, sent []form.Entry) string {
	t.Helper()
	pieces := make([]string, 0, len(sent))
	for _, entry := range sent {
		switch contentType {
		case urlencoded:
			pieces = append(pieces, url.QueryEscape(entry.Name)+"="+url.QueryEscape(entry.Value))
		case formData:
			pieces = append(pieces, part(`name="`+entry.Name+`"`, entry.Value))
		default:
			pieces = append(pieces, fmt.Sprintf("%q:%q", entry.Name, entry.Value))
		}
	}
	switch contentType {
	case urlencoded:
		return strings.Join(pieces, "&")
	case formData:
		return strings.Join(pieces, "") + end
	}
	return "{" + strings.Join(pieces, ",") + "}"
}

// What the form needs is still limited, and so is what it does not need.
func TestReadLimitsWhatIsNeeded(t *testing.T) {
	limits := form.Limits{Body: 1 << 20, Fields: 3, Name: 20, Value: 40, Needs: func(input string) bool { return input != "x" }}
	for name, body := range map[string]string{
		"long value":  "x=1&a=" + strings.Repeat("v", 41),
		"long name":   strings.Repeat("a", 21) + "=1",
		"many values": "a=1&a=1&a=1&x=1&a=1",
		"a flood":     strings.Repeat("x&", 20_000),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := form.Read(strings.NewReader(body), urlencoded, limits, nil)
			wantRefused(t, got, err, form.ErrTooLarge)
		})
	}
}

// Text in another encoding may become too long when it is decoded.
func TestReadSkipsWhatBecomesTooLong(t *testing.T) {
	limits := form.Limits{Name: 8, Value: 8, Needs: func(input string) bool { return input == "a" }}
	got, err := form.Read(strings.NewReader("a=1&x=%E9%E9%E9%E9%E9&%E9%E9%E9%E9%E9=2&b=3"), urlencoded, limits, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &form.Form{Entries: entries("a", "1", "b", "3"), Skipped: entries("x", "ééééé", "éééé", "2"), Charset: "windows-1252"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("form (-want +got):\n%s", diff)
	}
}

// A limit in characters is the same for every script and encoding. A line break is one character, as
// for the maxlength of a page, though browsers post two.
func TestReadCountsCharacters(t *testing.T) {
	limits := form.Limits{Value: 400, Characters: 100}
	for _, letter := range []string{"a", "é", "न", "😀", "\r\n", "\n"} {
		for _, n := range []int{100, 101} {
			text := strings.Repeat(letter, n)
			for contentType, body := range map[string]string{
				urlencoded: "a=" + url.QueryEscape(text), formData: part(`name="a"`, text) + end, jsonObject: `{"a":` + strconv.Quote(text) + `}`,
			} {
				got, err := form.Read(strings.NewReader(body), contentType, limits, nil)
				if isLong := errors.Is(err, form.ErrTooLarge); isLong != (n > 100) || err != nil && !isLong {
					t.Errorf("%s: %d times %q: error %v", contentType, n, letter, err)
				}
				wantEntries(t, got, entries("a", text))
			}
		}
	}
	// Shift JIS has two bytes for a character.
	for n, want := range map[int]error{100: nil, 101: form.ErrTooLarge} {
		body := "a=" + strings.Repeat("%93%FA", n)
		if _, err := form.Read(strings.NewReader(body), urlencoded+"; charset=shift_jis", limits, nil); !errors.Is(err, want) {
			t.Errorf("%d characters in Shift JIS: error %v, want %v", n, err, want)
		}
	}
}

// The text of a form is limited apart from its body, which may have files. What the form does not need
// is skipped beyond the limit.
func TestReadLimitsText(t *testing.T) {
	limits := form.Limits{Body: 1 << 20, Text: 10, Needs: func(input string) bool { return input == "a" }}
	for name, test := range map[string]struct {
		sent, want, skipped []form.Entry
		err                 error
	}{
		"at the limit":    {entries("a", "1234", "x", "1234"), entries("a", "1234", "x", "1234"), nil, nil},
		"others beyond":   {entries("x", "1234", "x", "12345", "a", "1234"), entries("x", "1234", "a", "1234"), entries("x", "12345"), nil},
		"needed beyond":   {entries("a", "1234", "a", "12345"), nil, nil, form.ErrTooLarge},
		"names count too": {entries("a", "1234", "xxxxx", "1"), entries("a", "1234"), entries("xxxxx", "1"), nil},
	} {
		for _, contentType := range []string{urlencoded, formData, jsonObject} {
			t.Run(contentType+" "+name, func(t *testing.T) {
				got, err := form.Read(strings.NewReader(encoded(t, contentType, test.sent)), contentType, limits, nil)
				if test.err != nil {
					wantRefused(t, got, err, test.err)
					return
				}
				if diff := cmp.Diff(&form.Form{Entries: test.want, Skipped: test.skipped}, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
					t.Errorf("error %v, form (-want +got):\n%s", err, diff)
				}
			})
		}
	}
}

// A long JSON token is cut while it is read, wherever it is too long. The rest of the object is read.
func TestReadSkipsLongTokens(t *testing.T) {
	limits := form.Limits{Body: 1 << 24, Value: 40, Needs: func(input string) bool { return input == "a" }}
	long := strings.Repeat("x", form.MaxKept-12)
	for token, shifts := range map[string]int{
		`"` + long + strings.Repeat(`\"\\\u0022`, 9) + `"`: 10, `"` + long + strings.Repeat(`\ud83d\ude00`, 9) + `"`: 6, `"` + long + strings.Repeat(`é😀`, 9) + `"`: 6,
		`"` + long + `{}[],:   ` + long + `"`: 1, strings.Repeat("1", form.MaxKept+9): 1, strings.Repeat(" ", form.MaxKept+9) + "1": 1,
	} {
		for shift := range shifts {
			body := `{"x":` + strings.Replace(token, "x", strings.Repeat("y", shift+1), 1) + `, "a": "1"}`
			got, err := form.Read(strings.NewReader(body), jsonObject, limits, nil)
			if err != nil {
				t.Fatalf("…%s, %d more: %v", token[len(token)-20:], shift, err)
			}
			if got.First("a") != "1" || len(got.Skipped) > 1 {
				t.Errorf("…%s, %d more: got %v, %d skipped", token[len(token)-20:], shift, got.Entries, len(got.Skipped))
			}
		}
	}
}
