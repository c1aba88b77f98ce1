package handlertest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// traced posts a form to h within a span, as Caddy's tracing handler does.
func (h testHandler) traced(t *testing.T, spans *tracetest.SpanRecorder) {
	t.Helper()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	r := postForm(meera)
	ctx, span := provider.Tracer("caddy").Start(r.Context(), "handler")
	if _, _, err := h.serve(r.WithContext(ctx)); err != nil {
		t.Fatal(err)
	}
	span.End()
}

// tree waits for want spans and lists them as "parent > span".
func tree(t *testing.T, spans *tracetest.SpanRecorder, want int) []string {
	t.Helper()
	eventually(t, fmt.Sprintf("the end of %d spans", want), func() bool { return len(spans.Ended()) >= want })
	names := make(map[trace.SpanID]string)
	for _, span := range spans.Ended() {
		names[span.SpanContext().SpanID()] = span.Name()
	}
	var list []string
	for _, span := range spans.Ended() {
		list = append(list, strings.TrimPrefix(names[span.Parent().SpanID()]+" > "+span.Name(), " > "))
	}
	slices.Sort(list)
	return list
}

// A delivery that the visitor waits for is part of their trace; a later one has its own trace.
// Spans contain only ids and codes.
func TestSpans(t *testing.T) {
	for _, test := range []struct {
		name, deliver, fault string
		want                 []string
	}{
		{"waited for", "now", sandbox.FaultStatus200, []string{
			"handler", "handler > telecrm submission", "telecrm delivery > telecrm create", "telecrm submission > telecrm delivery",
		}},
		{"later", "later", sandbox.FaultStatus200, []string{
			"handler", "handler > telecrm submission", "telecrm delivery", "telecrm delivery > telecrm create",
		}},
		{"refused", "now", sandbox.FaultInvalidLead, []string{
			"handler", "handler > telecrm submission", "telecrm delivery > telecrm create", "telecrm submission > telecrm delivery",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			crm := newCRM(t)
			h := newHandler(t, crm.url, simpleBlock)
			withOutbox(t, h)
			h.Deliver = test.deliver
			crm.Inject(sandbox.Faults()[test.fault])
			spans := tracetest.NewSpanRecorder()
			h.traced(t, spans)
			if got := tree(t, spans, len(test.want)); !slices.Equal(got, test.want) {
				t.Errorf("spans\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
			checkSpans(t, spans, h.submission(t)["id"].(string))
		})
	}
}

// Without an outbox the request's span is a child of the submission's.
func TestSpansWithoutAnOutbox(t *testing.T) {
	h := newHandler(t, newCRM(t).url, simpleBlock)
	spans := tracetest.NewSpanRecorder()
	h.traced(t, spans)
	want := []string{"handler", "handler > telecrm submission", "telecrm submission > telecrm create"}
	if got := tree(t, spans, len(want)); !slices.Equal(got, want) {
		t.Errorf("spans %q, want %q", got, want)
	}
	checkSpans(t, spans, h.submission(t)["id"].(string))
}

// checkSpans checks that a span has the submission's id and that no span has a secret.
func checkSpans(t *testing.T, spans *tracetest.SpanRecorder, id string) {
	t.Helper()
	ids := 0
	for _, span := range spans.Ended() {
		var text strings.Builder
		for _, attribute := range span.Attributes() {
			fmt.Fprintf(&text, "%s=%s ", attribute.Key, attribute.Value.String())
		}
		fmt.Fprint(&text, span.Events(), span.Status(), span.Links())
		if strings.Contains(text.String(), "telecrm.id="+id) {
			ids++
		}
		for _, secret := range []string{testToken, "Meera", "8123456789"} {
			if strings.Contains(text.String(), secret) {
				t.Errorf("span %[2]s contains %[1]q: %[3]s", secret, span.Name(), text.String())
			}
		}
	}
	if ids == 0 {
		t.Error("no span has the submission's id")
	}
}

// Requests to TeleCRM do not carry trace headers.
func TestNoTraceHeadersGoToTeleCRM(t *testing.T) {
	headers := make(chan http.Header, 1)
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers <- r.Header
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(crm.Close)
	h := newHandler(t, crm.URL, simpleBlock)
	h.traced(t, tracetest.NewSpanRecorder())
	for name := range <-headers {
		if !slices.Contains([]string{"Accept", "Accept-Encoding", "Authorization", "Content-Length", "Content-Type", "User-Agent"}, name) {
			t.Errorf("unexpected request header %s", name)
		}
	}
}
