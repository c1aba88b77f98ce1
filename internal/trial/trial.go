// Package trial marks posts that are only tried, and records how a form's handler judges them.
// Nothing of such a post is kept, counted or sent.
package trial

import (
	"context"

	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/mapping"
)

// Outcome says what would become of a post. The words are those of the handler's outcomes, except
// Sent.
type Outcome string

// Sent means that the lead would go to TeleCRM.
const Sent Outcome = "sent"

// Guard is a guard that the post has to pass.
type Guard struct {
	Name   string `json:"guard"`
	Result Result `json:"result"`
	Detail string `json:"detail,omitempty"`
}

// Result says whether a guard lets the post pass.
type Result string

// The results of a guard.
const (
	Passes   Result = "passes"
	Fails    Result = "fails"
	Off      Result = "off"
	NotTried Result = "not tried"
)

// Passed returns Passes or Fails.
func Passed(passed bool) Result {
	if passed {
		return Passes
	}
	return Fails
}

// Record is how a handler judges a post.
type Record struct {
	// Seal means that the post comes from a page of the site as it is served, so it has the trap and
	// the stamp that the handler puts there.
	Seal bool

	// Form is the name of the form whose handler took the post; "" if none did.
	Form    string
	Outcome Outcome
	// Reason says why the post could not be read.
	Reason string

	Posted  *form.Form // as read, without the trap and the stamp of the page
	Draft   mapping.Draft
	Guards  []Guard
	Signals guard.Opinion
}

// Add adds a guard.
func (r *Record) Add(name string, result Result, detail string) {
	r.Guards = append(r.Guards, Guard{name, result, detail})
}

type key struct{}

// With returns a context whose request is only tried. The handler fills in the record.
func With(ctx context.Context, record *Record) context.Context {
	return context.WithValue(ctx, key{}, record)
}

// Of returns the record of a request that is only tried, or nil.
func Of(ctx context.Context) *Record {
	record, _ := ctx.Value(key{}).(*Record)
	return record
}
