// Package logline makes the log line of a submission.
package logline

import (
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/form"
)

// Submission is what the log says of a submission. Empty parts are left out.
type Submission struct {
	Form, ID, Outcome string
	Attempts          int
	Took              time.Duration

	LeadID      string
	Reason      string
	Repeats     string // the id of the submission that this one repeats
	SpamSignals string

	// Wrong are the inputs that the visitor is asked to correct, and why.
	Wrong []string
	// Names of inputs, which visitors choose.
	Unmapped, Files, Skipped []string
}

// mostFields is the number of fields if nothing is left out.
const mostFields = 13

// Fields returns the line's fields.
func (s Submission) Fields() []zap.Field {
	fields := make([]zap.Field, 0, mostFields)
	fields = append(fields,
		zap.String("form", s.Form),
		zap.String("id", s.ID),
		zap.String("outcome", s.Outcome),
		zap.Int("attempts", s.Attempts),
		zap.Duration("duration", s.Took))
	text := func(name, value string) {
		if value != "" {
			fields = append(fields, zap.String(name, value))
		}
	}
	text("lead_id", s.LeadID)
	text("reason", s.Reason)
	text("repeats", s.Repeats)
	text("spam_signals", s.SpamSignals)
	list := func(name string, values []string) {
		if len(values) > 0 {
			fields = append(fields, zap.Strings(name, values))
		}
	}
	list("wrong", s.Wrong)
	list("unmapped_inputs", form.LoggableNames(s.Unmapped))
	list("skipped_files", form.LoggableNames(s.Files))
	list("skipped_inputs", form.LoggableNames(s.Skipped))
	return fields
}
