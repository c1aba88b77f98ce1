package attribution

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"time"
)

// paramNames are the names that take one byte in a cookie. A name's place in the list is its code,
// so the list may only grow.
func paramNames() []string {
	return []string{
		"", "utm_source", "utm_medium", "utm_campaign", "utm_id", "utm_term", "utm_content", "gclid", "gbraid", "wbraid", "dclid",
		"fbclid", "msclkid", "ttclid", "twclid", "li_fat_id", "utm_source_platform", "utm_creative_format", "utm_marketing_tactic",
	}
}

// rankOf returns a name's place among the parameters. Those without a code come last.
func rankOf(name string) int {
	if code := codeOf(name); code > 0 {
		return code
	}
	return math.MaxInt8
}

func codeOf(name string) int { return max(0, slices.Index(paramNames(), name)) }

// Parts that a record has.
const (
	hasFirst = 1 << iota
	hasLast
	lastIsFirst
)

// encode returns the record as text for a cookie.
func encode(r Record) string {
	var parts byte
	if !r.First.IsZero() {
		parts |= hasFirst
	}
	switch {
	case r.Last.IsZero():
	case parts == hasFirst && r.Last.equals(r.First):
		parts |= lastIsFirst
	default:
		parts |= hasLast
	}
	b := []byte{parts}
	b = binary.AppendUvarint(b, uint64(max(0, r.Visits))) //nolint:gosec // not negative
	b = appendTime(b, r.Seen)
	if parts&hasFirst != 0 {
		b = appendTouch(b, r.First)
	}
	if parts&hasLast != 0 {
		b = appendTouch(b, r.Last)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func appendTouch(b []byte, t Touch) []byte {
	b = appendTime(b, t.At)
	b = appendText(b, t.Landing)
	b = appendText(b, t.Referrer)
	b = append(b, byte(len(t.Params))) //nolint:gosec // at most maxParams
	for _, p := range t.Params {
		code := codeOf(p.Name)
		b = append(b, byte(code)) //nolint:gosec // the list is short
		if code == 0 {
			b = appendText(b, p.Name)
		}
		b = appendText(b, p.Value)
	}
	return b
}

func appendTime(b []byte, at time.Time) []byte {
	return binary.AppendUvarint(b, uint64(max(0, at.Unix()))) //nolint:gosec // not negative
}

// appendText appends a text of at most 255 bytes.
func appendText(b []byte, text string) []byte {
	text = cut(text, math.MaxUint8)
	return append(append(b, byte(len(text))), text...) //nolint:gosec // was cut
}

var errMalformed = errors.New("attribution: the record is malformed")

// decode reads what encode returned.
func decode(text string) (Record, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return Record{}, errMalformed
	}
	d := decoder{rest: b}
	parts := d.byte()
	r := Record{Visits: int(min(d.number(), maxVisits)), Seen: d.time()} //nolint:gosec // at most maxVisits
	if parts&hasFirst != 0 {
		r.First = d.touch()
	}
	switch {
	case parts&lastIsFirst != 0:
		r.Last = r.First
	case parts&hasLast != 0:
		r.Last = d.touch()
	}
	if d.failed || len(d.rest) > 0 || r.IsZero() {
		return Record{}, errMalformed
	}
	return r, nil
}

// decoder reads values from the front of rest. After a failure all of them are zero.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) take(n int) []byte {
	if d.failed || n > len(d.rest) {
		d.failed = true
		return make([]byte, n)
	}
	taken := d.rest[:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *decoder) byte() byte { return d.take(1)[0] }

func (d *decoder) text() string { return string(d.take(int(d.byte()))) }

func (d *decoder) number() uint64 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		d.failed = true
		return 0
	}
	d.take(size)
	return n
}

func (d *decoder) time() time.Time {
	const latest = 1 << 40
	seconds := d.number()
	if seconds > latest {
		d.failed = true
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0) //nolint:gosec // at most latest
}

func (d *decoder) touch() Touch {
	t := Touch{At: d.time(), Landing: d.text(), Referrer: d.text()}
	count := int(d.byte())
	if count > maxParams {
		d.failed = true
	}
	names := paramNames()
	for range count {
		if d.failed {
			break
		}
		var p Param
		if code := int(d.byte()); code >= len(names) {
			d.failed = true
		} else if p.Name = names[code]; code == 0 {
			p.Name = d.text()
		}
		p.Value = d.text()
		t.Params = append(t.Params, p)
	}
	return t
}

// shorten returns the record with less text: the longest text cut in half, or without the longest
// click's id, or without a parameter. It reports false if nothing is left to cut.
func shorten(r Record) (Record, bool) {
	isOne := r.Last.equals(r.First)
	touches := []*Touch{&r.First, &r.Last}
	if isOne {
		touches = touches[:1]
	}
	short := cutLongest(touches) || dropParam(touches)
	if isOne {
		r.Last = r.First
	}
	return r, short
}

// shortest is the length to which texts are cut before whole parameters are dropped.
const shortest = 16

// cutLongest cuts the longest text in half.
func cutLongest(touches []*Touch) bool {
	longest, apply := shortest, func() {}
	consider := func(text string, halve func()) {
		if len(text) > longest {
			longest, apply = len(text), halve
		}
	}
	half := func(text string) int { return max(shortest, len(text)/2) }
	for _, t := range touches {
		consider(t.Landing, func() { t.Landing = cutPath(t.Landing, half(t.Landing)) })
		site, path := splitAddress(t.Referrer)
		consider(path, func() { t.Referrer = site + cutPath(path, half(path)) })
		for i, p := range t.Params {
			if !isClickID(p.Name) {
				consider(p.Value, func() {
					t.Params = slices.Clone(t.Params)
					t.Params[i].Value = clean(p.Value, half(p.Value))
				})
			}
		}
	}
	apply()
	return longest > shortest
}

// dropParam drops the longest parameter.
func dropParam(touches []*Touch) bool {
	var from *Touch
	longest, at := 0, 0
	for _, t := range touches {
		for i, p := range t.Params {
			if size := len(p.Name) + len(p.Value); size > longest {
				longest, from, at = size, t, i
			}
		}
	}
	if from == nil {
		return false
	}
	from.Params = slices.Delete(slices.Clone(from.Params), at, at+1)
	return true
}
