package caddytelecrm

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

// tracerName names the spans' origin.
const tracerName = "github.com/leadwire/caddy-telecrm"

// The attributes of spans: ids, names from configs, and codes.
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

// isTraced reports whether ctx holds a span, because a `tracing` directive is
// at work.
func isTraced(ctx context.Context) bool {
	return trace.SpanContextFromContext(ctx).IsValid()
}

// startSpan starts a span below the one that ctx holds.
func startSpan(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	return trace.SpanFromContext(ctx).TracerProvider().Tracer(tracerName).Start(ctx, name, options...)
}

// trace begins the span of a submission that arrives with ctx.
func (h *Handler) trace(ctx context.Context, s *submission) {
	if isTraced(ctx) {
		_, s.span = startSpan(ctx, "telecrm submission", trace.WithAttributes(
			attributeID.String(s.id), attributeForm.String(h.Form), attributeAccount.String(h.account.name())))
	}
}

// traced returns ctx with the submission's span in it, if there is one.
func (s *submission) traced(ctx context.Context) context.Context {
	if s.span == nil {
		return ctx
	}
	return trace.ContextWithSpan(ctx, s.span)
}

func (s *submission) endSpan() {
	if s.span == nil {
		return
	}
	s.span.SetAttributes(attributeOutcome.String(string(s.outcome)), attributeAttempts.Int(s.sent))
	if s.leadID != "" {
		s.span.SetAttributes(attributeLeadID.String(s.leadID))
	}
	if s.outcome == outcomeUnavailable {
		s.span.SetStatus(codes.Error, "")
	}
	s.span.End()
}

// tracesEnd is where the last submission that was traced sent its spans. Only
// a request says where to, so what happens outside of one goes there too.
type tracesEnd struct {
	provider atomic.Pointer[trace.TracerProvider]
}

// remember takes up where the span of a submission, if it has one, goes.
func (e *tracesEnd) remember(span trace.Span) {
	if span != nil {
		provider := span.TracerProvider()
		e.provider.Store(&provider)
	}
}

// traceAttempt makes a span of an attempt at an entry: below that of its
// submission while the visitor waits for it, and later the root of a trace of
// its own.
func (a *App) traceAttempt(ctx context.Context, entry outbox.Entry) (under context.Context, ended func(outbox.Settlement)) {
	below, last := isTraced(ctx), a.pooled.traces.provider.Load()
	if !below && last == nil {
		return ctx, func(outbox.Settlement) {}
	}
	const name = "telecrm delivery"
	attributes := trace.WithAttributes(attributeID.String(entry.ID), attributeForm.String(entry.Form),
		attributeAccount.String(entry.Account), attributeAttempts.Int(entry.Attempts))
	var span trace.Span
	if below {
		under, span = startSpan(ctx, name, attributes)
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

// startRequestSpan starts the span of a request to TeleCRM; nil if whoever
// makes it is not traced. No trace headers go to TeleCRM.
func startRequestSpan(ctx context.Context, account string, endpoint telecrm.Endpoint) trace.Span {
	if !isTraced(ctx) {
		return nil
	}
	_, span := startSpan(ctx, "telecrm "+string(endpoint), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attributeAccount.String(account), attributeEndpoint.String(string(endpoint))))
	return span
}

func endRequestSpan(span trace.Span, status int) {
	if span == nil {
		return
	}
	if status != 0 {
		span.SetAttributes(attributeStatus.Int(status))
	}
	if status == 0 || status >= http.StatusBadRequest {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
