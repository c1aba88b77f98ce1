package telecrm

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Verdict is what an answer means for the lead.
type Verdict int

// The verdicts.
const (
	// Retry means that the lead may be accepted later, unchanged.
	Retry Verdict = iota
	// Created means that the lead is in TeleCRM. The answer's Remarks and Actions list what was not
	// stored. An empty LeadID means that the creation is unconfirmed.
	Created
	// Rejected means that this lead will never be accepted as it is.
	Rejected
	// Duplicate means that another lead has the same identifier. Nothing was stored.
	Duplicate
	// Hold means that the account's settings or subscription are wrong. No lead of the account will
	// be accepted until they are fixed.
	Hold
	// Done means that the request about an existing lead was carried out. The answer's Remarks and
	// Actions list what was not stored.
	Done
	// Missing means that no lead has the id, or that it was deleted.
	Missing
	// Accepted means that the Async API took the lead. It never reports the outcome
	// (https://docs.telecrm.in/async-api/overview).
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

// Answer is the result of one request.
type Answer struct {
	Verdict Verdict

	// Status is the HTTP status; 0 if there was no response.
	Status int

	// Code is the code of the API's error envelope, such as INVALID_LEAD
	// (https://docs.telecrm.in/sync-api/overview); often empty.
	Code string

	// Message is the API's error text. It may quote the lead's values: do not log it or show it to
	// a visitor.
	Message string

	// LeadID is the new lead's id, for later calls. With [Done] it is the id of the request. With
	// [Duplicate] it is the id of the existing lead, if TeleCRM ever names it.
	LeadID string

	// Actions are the results of the actions in the order sent, at most 200.
	Actions []ActionResult

	// Remarks list the parts of the request that were not stored, while others were
	// (https://docs.telecrm.in/sync-api/leads/pitfalls). Their text may quote a value. If there are
	// more than 200, the last remark says how many were omitted.
	Remarks []Remark

	// RetryAfter is how long the server asked to wait, at most a day; 0 if it did not ask.
	RetryAfter time.Duration

	// Date is the server's time; zero if it did not send one.
	Date time.Time

	// Ambiguous means that the request may have been carried out although the verdict is Retry.
	Ambiguous bool

	// Err is the reason for an unusable or missing response; nil otherwise. It never contains the
	// token or data of the lead.
	Err error
}

// ActionResult is the result of one action.
type ActionResult struct {
	ID     string // empty unless created
	Status string // CREATED or IGNORED, as far as known
}

// Stored reports whether the action was added to the timeline.
func (r ActionResult) Stored() bool { return r.Status == "CREATED" }

// Remark names one part of a request that was not stored.
type Remark struct {
	Field  string // a path in the request, such as fields.rating
	Status string // IGNORED, as far as known
	Text   string
}

// Confirmed reports whether TeleCRM named the lead that it created.
func (a Answer) Confirmed() bool { return a.Verdict == Created && a.LeadID != "" }

// Reason returns the status, code and error for logs, or the verdict if there is none of them. It
// never contains values of the lead or the API's text.
func (a Answer) Reason() string {
	var status, cause string
	if a.Status != 0 {
		status = strings.TrimSpace(fmt.Sprintf("HTTP %d %s", a.Status, a.Code))
	}
	if a.Err != nil {
		cause = a.Err.Error()
	}
	switch {
	case status != "" && cause != "":
		return status + ": " + cause
	case status != "" || cause != "":
		return status + cause
	}
	return a.Verdict.String()
}

// Format writes [Answer.Reason] for every verb, because the other parts may quote the lead.
func (a Answer) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte(a.Reason()))
}

// longestRetryAfter bounds Retry-After. A longer one is a mistake of the server.
const longestRetryAfter = 24 * time.Hour

// retryAfter parses a Retry-After header: whole seconds or an HTTP date.
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

// date parses a Date header; it returns zero if that is invalid.
func date(header string) time.Time {
	if header == "" {
		return time.Time{}
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}
