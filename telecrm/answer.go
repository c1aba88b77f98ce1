package telecrm

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Verdict is what an answer means for the lead that was sent.
type Verdict int

// The verdicts.
const (
	// Retry: the lead may be accepted later, unchanged.
	Retry Verdict = iota
	// Created: the lead is in TeleCRM. See the answer's Remarks and Actions
	// for what of it is not, and its LeadID: empty means unconfirmed.
	Created
	// Rejected: this lead will never be accepted as it is.
	Rejected
	// Duplicate: another lead has the same identifier; nothing was stored.
	Duplicate
	// Hold: the account's settings or subscription are at fault; no lead of
	// this account will be accepted until somebody mends them.
	Hold
	// Done: the request about a lead that is there was carried out. See the
	// answer's Remarks and Actions for what of it was not stored.
	Done
	// Missing: no lead has that id, or none has it any more.
	Missing
	// Accepted: the Async API has taken the lead. What becomes of it is never
	// told (https://docs.telecrm.in/async-api/overview).
	Accepted
)

// String returns the verdict as one lower-case word.
func (v Verdict) String() string {
	switch v {
	case Created:
		return "created"
	case Rejected:
		return "rejected"
	case Duplicate:
		return "duplicate"
	case Hold:
		return "hold"
	case Retry:
		return "retry"
	case Done:
		return "done"
	case Missing:
		return "missing"
	case Accepted:
		return "accepted"
	}
	return "unknown"
}

// Answer is what became of one request.
type Answer struct {
	Verdict Verdict

	// Status is the HTTP status; 0 if there was no answer.
	Status int

	// Code is the code of the API's error envelope, such as INVALID_LEAD
	// (https://docs.telecrm.in/sync-api/overview); often empty.
	Code string

	// Message is the API's own words about an error. They may quote the
	// lead's values: do not log them and do not show them to a visitor.
	Message string

	// LeadID is the new lead's id, usable in later calls. With [Done] it is
	// that of the request. With [Duplicate] it is that of the lead that is
	// there, should TeleCRM ever name it.
	LeadID string

	// Actions says what became of each action, in the order sent, of at most
	// 200.
	Actions []ActionResult

	// Remarks are the parts of the request that were not stored although the
	// others were (https://docs.telecrm.in/sync-api/leads/pitfalls). Their text
	// may quote a value. Of more than 200 the last says how many were left
	// out.
	Remarks []Remark

	// RetryAfter is how long the server asked to be left alone; 0 if it did
	// not. It is at most a day.
	RetryAfter time.Duration

	// Date is the time of day at the server, as it said; zero if it did not.
	Date time.Time

	// Ambiguous tells that the request may have been carried out although
	// the verdict is Retry.
	Ambiguous bool

	// Err says why there was no usable answer; nil if there was one. It
	// holds neither the token nor anything of the lead.
	Err error
}

// ActionResult is what became of one action.
type ActionResult struct {
	ID     string // empty unless created
	Status string // CREATED or IGNORED as far as is known
}

// Stored reports whether the action is in the timeline.
func (r ActionResult) Stored() bool { return r.Status == "CREATED" }

// Remark tells of one part of a request that was not stored.
type Remark struct {
	Field  string // a path into the request, such as fields.rating
	Status string // IGNORED as far as is known
	Text   string
}

// Confirmed reports whether TeleCRM named the lead that it created.
func (a Answer) Confirmed() bool { return a.Verdict == Created && a.LeadID != "" }

// Reason describes the answer in a few words fit for logs: verdict, status,
// code and error, never a value or the API's own text.
func (a Answer) Reason() string {
	var b strings.Builder
	b.WriteString(a.Verdict.String())
	if a.Status != 0 {
		fmt.Fprintf(&b, ", HTTP %d", a.Status)
	}
	if a.Code != "" {
		fmt.Fprintf(&b, " %s", a.Code)
	}
	if a.Err != nil {
		fmt.Fprintf(&b, ": %v", a.Err)
	}
	return b.String()
}

// Format writes [Answer.Reason], for every verb, because the other parts may
// quote the lead.
func (a Answer) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte(a.Reason()))
}

// longestRetryAfter bounds what a Retry-After may ask for: a longer one is a
// mistake at the other end, and the day after is soon enough to look again.
const longestRetryAfter = 24 * time.Hour

// retryAfter reads a Retry-After header: whole seconds or an HTTP date.
func retryAfter(header string, now time.Time) time.Duration {
	if header == "" {
		return 0
	}
	seconds, err := strconv.ParseUint(header, 10, 63)
	if err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(longestRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(at.Sub(now), 0), longestRetryAfter)
	}
	return 0
}

// date reads a Date header; zero if it holds none.
func date(header string) time.Time {
	at, err := http.ParseTime(header)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}
