// Package tracing makes the spans of submissions, of attempts to deliver them and of requests to
// TeleCRM. There are spans only where a `tracing` directive is at work. They hold ids, names from
// the config and codes.
package tracing

import (
	"context"
	"net/http"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

const tracerName = "github.com/leadwire/caddy-telecrm"

// The attributes of spans.
const (
	attributeID       = attribute.Key("telecrm.id")
	attributeForm     = attribute.Key("telecrm.form")
	attributeOutcome  = attribute.Key("telecrm.outcome")
	attributeLeadID   = attribute.Key("telecrm.lead_id")
	attributeAccount  = attribute.Key("telecrm.account")
	attributeAttempts = attribute.Key("telecrm.attempts")
	attributeState    = attribute.Key("telecrm.state")
	attributeEndpoint = attribute.Key("telecrm.endpoint")
	attributeStatus   = attribute.Key("http.response.status_code")
)

func isTraced(ctx context.Context) bool {
	return trace.SpanContextFromContext(ctx).IsValid()
}

// start starts a child of the span in ctx.
func start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	return trace.SpanFromContext(ctx).TracerProvider().Tracer(tracerName).Start(ctx, name, options...)
}

// Submission is the span of a submission. The zero Submission is one outside of a trace.
type Submission struct{ span trace.Span }

// StartSubmission starts the span of a submission that arrives with ctx.
func StartSubmission(ctx context.Context, id, form, account string) Submission {
	if !isTraced(ctx) {
		return Submission{}
	}
	_, span := start(ctx, "telecrm submission", trace.WithAttributes(
		attributeID.String(id), attributeForm.String(form), attributeAccount.String(account)))
	return Submission{span}
}

// In returns ctx with the submission's span in it.
func (s Submission) In(ctx context.Context) context.Context {
	if s.span == nil {
		return ctx
	}
	return trace.ContextWithSpan(ctx, s.span)
}

// Result is the result of a submission, as its span shows it.
type Result struct {
	Outcome  string
	Attempts int
	LeadID   string
	Failed   bool
}

// End ends the span.
func (s Submission) End(r Result) {
	if s.span == nil {
		return
	}
	s.span.SetAttributes(attributeOutcome.String(r.Outcome), attributeAttempts.Int(r.Attempts))
	if r.LeadID != "" {
		s.span.SetAttributes(attributeLeadID.String(r.LeadID))
	}
	if r.Failed {
		s.span.SetStatus(codes.Error, "")
	}
	s.span.End()
}

// Attempts makes spans of attempts to deliver. Only a request says where its spans are exported, so
// attempts outside of a request are exported to where the last traced submission was.
type Attempts struct {
	last atomic.Pointer[trace.TracerProvider]
}

// Remember notes where the spans of a submission are exported.
func (a *Attempts) Remember(s Submission) {
	if s.span != nil {
		provider := s.span.TracerProvider()
		a.last.Store(&provider)
	}
}

// Start starts the span of an attempt at an entry: a child of its submission's span while the
// visitor waits, and later the root of a trace of its own. The caller calls ended.
func (a *Attempts) Start(ctx context.Context, entry outbox.Entry) (under context.Context, ended func(outbox.Settlement)) {
	isChild, last := isTraced(ctx), a.last.Load()
	if !isChild && last == nil {
		return ctx, func(outbox.Settlement) {}
	}
	const name = "telecrm delivery"
	attributes := trace.WithAttributes(attributeID.String(entry.ID), attributeForm.String(entry.Form),
		attributeAccount.String(entry.Account), attributeAttempts.Int(entry.Attempts))
	var span trace.Span
	if isChild {
		under, span = start(ctx, name, attributes)
	} else {
		under, span = (*last).Tracer(tracerName).Start(ctx, name, attributes, trace.WithNewRoot())
	}
	return under, func(s outbox.Settlement) {
		span.SetAttributes(attributeState.String(string(s.State)))
		if s.LeadID != "" {
			span.SetAttributes(attributeLeadID.String(s.LeadID))
		}
		if s.State != outbox.Delivered {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// StartRequest starts the span of a request to TeleCRM. The caller calls ended with the HTTP
// status, or 0 if there was no answer. No trace headers go to TeleCRM.
func StartRequest(ctx context.Context, account string, endpoint telecrm.Endpoint) (ended func(status int)) {
	if !isTraced(ctx) {
		return func(int) {}
	}
	_, span := start(ctx, "telecrm "+string(endpoint), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attributeAccount.String(account), attributeEndpoint.String(string(endpoint))))
	return func(status int) {
		if status != 0 {
			span.SetAttributes(attributeStatus.Int(status))
		}
		if status == 0 || status >= http.StatusBadRequest {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}
