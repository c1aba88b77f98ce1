package attribution

import (
	"strconv"
	"strings"
	"time"
)

const (
	// sameVisit is the time in which another touch belongs to the same visit, as it does in Google
	// Analytics.
	sameVisit = 30 * time.Minute
	maxVisits = 9999
	// maxSkew is how far ahead another machine's clock may be.
	maxSkew = 5 * time.Minute
)

// Which says which touches to keep.
type Which string

// Touches to keep.
const (
	FirstTouch Which = "first"
	LastTouch  Which = "last"
	BothTouch  Which = "both"
)

// WhichNames lists the words for [Which].
func WhichNames() []string { return []string{string(FirstTouch), string(LastTouch), string(BothTouch)} }

// Record is what is known about a visitor.
type Record struct {
	First, Last Touch
	// Visits counts the visits with a touch. Others are not noted.
	Visits int
	// Seen is the time of the latest touch.
	Seen time.Time
	// IsDirect says that the visitor has not come from anywhere, as far as their cookies tell.
	IsDirect bool
}

// IsZero reports whether nothing is known.
func (r Record) IsZero() bool { return r.First.IsZero() && r.Last.IsZero() }

// with returns the record after another touch, and whether that has changed it.
func (r Record) with(t Touch, keep Which) (Record, bool) {
	before := r
	r.IsDirect = false
	isNewVisit := r.Seen.IsZero() || t.At.Sub(r.Seen) >= sameVisit
	if isNewVisit {
		r.Visits = min(r.Visits+1, maxVisits)
	}
	if keep == LastTouch {
		r.First = Touch{}
	} else if r.First.IsZero() {
		r.First = t
	}
	if keep == FirstTouch {
		r.Last = Touch{}
	} else if isNewVisit || !t.isRepeatOf(r.Last) {
		r.Last = t
	}
	r.Seen = t.At
	changed := isNewVisit || !r.First.equals(before.First) || !r.Last.equals(before.Last)
	return r, changed
}

func (t Touch) equals(other Touch) bool { return t.At.Equal(other.At) && t.isRepeatOf(other) }

// at returns the record without touches that are older than keep.
func (r Record) at(now time.Time, keep time.Duration) Record {
	isOld := func(t Touch) bool { return now.Sub(t.At) >= keep }
	if !r.First.IsZero() && isOld(r.First) {
		r.First = r.Last // the first one that is still known
	}
	if isOld(r.First) {
		r.First = Touch{}
	}
	if isOld(r.Last) {
		r.Last = Touch{}
	}
	if r.IsZero() {
		return Record{}
	}
	return r
}

// Prefix begins the names of the placeholders for a [Record].
const Prefix = "telecrm."

// Value returns the value of a placeholder, such as telecrm.first.utm_source or telecrm.visits, and
// whether there is such a placeholder.
func (r Record) Value(placeholder string) (string, bool) {
	name, isOurs := strings.CutPrefix(placeholder, Prefix)
	which, part, hasPart := strings.Cut(name, ".")
	switch {
	case !isOurs:
	case part == "channel" && r.IsDirect && (which == "first" || which == "last"):
		return channelDirect, true
	case which == "first" && hasPart:
		return r.First.Value(part), true
	case which == "last" && hasPart:
		return r.Last.Value(part), true
	case name == "visits":
		return strconv.Itoa(r.Visits), true
	}
	return "", false
}

// IsPlaceholder reports whether [Record.Value] has a value for the placeholder.
func IsPlaceholder(name string) bool {
	return strings.HasPrefix(name, "telecrm.first.") || strings.HasPrefix(name, "telecrm.last.") || name == "telecrm.visits"
}
