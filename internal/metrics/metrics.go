// Package metrics counts submissions, deliveries, remarks and requests to TeleCRM, and reports the
// contents of the open outboxes.
//
// The collectors live as long as the process. Every config registers them in its own registry, so a
// reload does not reset them. All labels come from configs or from fixed sets: neither visitors nor
// TeleCRM can create time series.
package metrics

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leadwire/caddy-telecrm/internal/dailycheck"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/internal/tracing"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

var collectors = newCollectors()

type collectorSet struct {
	submissions    *prometheus.CounterVec
	submissionTime *prometheus.HistogramVec
	deliveries     *prometheus.CounterVec
	remarks        *prometheus.CounterVec
	requestTime    *prometheus.HistogramVec
	outboxes       *outboxGauges
	accounts       *accountGauges
	findings       *findingGauges
}

func newCollectors() *collectorSet {
	name := func(name string) string { return prometheus.BuildFQName("caddy", "telecrm", name) }
	return &collectorSet{
		submissions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("submissions_total"),
			Help: "Posts of a form, by outcome.",
		}, []string{"form", "outcome"}),
		submissionTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    name("submission_duration_seconds"),
			Help:    "How long visitors waited for the answer to a post.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"form"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("deliveries_total"),
			Help: "Attempts to deliver a lead to TeleCRM, by result.",
		}, []string{"account", "result"}),
		remarks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("remarks_total"),
			Help: "Parts of leads that TeleCRM did not store as they were sent.",
		}, []string{"form", "field"}),
		requestTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    name("crm_request_duration_seconds"),
			Help:    "How long requests to TeleCRM took, by endpoint and HTTP status.",
			Buckets: []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"account", "endpoint", "code"}),
		outboxes: newOutboxGauges(name, dispatch.All),
		accounts: newAccountGauges(name, dispatch.All, dispatch.Direct),
		findings: newFindingGauges(name, dailycheck.Last),
	}
}

// Register registers the metrics in a config's registry. Registering them again has no effect.
func Register(registry prometheus.Registerer) error {
	c := collectors
	for _, collector := range []prometheus.Collector{
		c.submissions, c.submissionTime, c.deliveries, c.remarks, c.requestTime, c.outboxes, c.accounts, c.findings,
	} {
		err := registry.Register(collector)
		if _, registered := errors.AsType[prometheus.AlreadyRegisteredError](err); err != nil && !registered {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}

// otherField is the label of remarks on fields that the config does not name.
const otherField = "other"

// FieldLabels maps the field names in remarks to the labels of a form's fields.
type FieldLabels map[string]string

// Of returns the label of the field named in a remark. The name comes from TeleCRM, so it may be
// anything.
func (l FieldLabels) Of(field string) string {
	if label, known := l[field]; known {
		return label
	}
	return otherField
}

// Expect starts the counters of a config's remarks and deliveries at 0, so that the first event
// counts as an increase.
func Expect(forms map[string]FieldLabels, accounts []string) {
	for form, fields := range forms {
		for _, field := range fields {
			collectors.remarks.WithLabelValues(label(form), label(field))
		}
		collectors.remarks.WithLabelValues(label(form), otherField)
	}
	for _, account := range accounts {
		for _, r := range results() {
			collectors.deliveries.WithLabelValues(label(account), r)
		}
	}
}

// Form counts the submissions of one form.
type Form struct {
	outcomes map[string]prometheus.Counter
	took     prometheus.Observer
}

// NewForm returns the counters of a form, one for each outcome. All start at 0.
func NewForm(name string, outcomes []string) Form {
	f := Form{
		outcomes: make(map[string]prometheus.Counter),
		took:     collectors.submissionTime.WithLabelValues(label(name)),
	}
	for _, o := range outcomes {
		f.outcomes[o] = collectors.submissions.WithLabelValues(label(name), o)
	}
	return f
}

// Count counts a submission that has been answered.
func (f Form) Count(outcome string, took time.Duration) {
	if counter, known := f.outcomes[outcome]; known {
		counter.Inc()
	}
	f.took.Observe(took.Seconds())
}

// resultDropped is the result for a lead that TeleCRM did not accept and that is not in an outbox.
// The other results are the states of an outbox.
const resultDropped = "dropped"

// results returns all results of an attempt.
func results() []string {
	list := make([]string, 0, len(outbox.States())+1)
	for _, state := range outbox.States() {
		list = append(list, string(state))
	}
	return append(list, resultDropped)
}

// CountAttempt counts an attempt to deliver a lead from an outbox. It ignores an attempt that was
// postponed before anything was sent.
func CountAttempt(account string, s outbox.Settlement, answer telecrm.Answer) {
	if s.Uncounted && answer.Status == 0 {
		return
	}
	collectors.deliveries.WithLabelValues(label(account), string(s.State)).Inc()
}

// CountOnlyAttempt counts the single attempt to deliver a lead that is not in an outbox.
func CountOnlyAttempt(account string, s outbox.Settlement) {
	result := resultDropped
	if s.State == outbox.Delivered {
		result = string(outbox.Delivered)
	}
	collectors.deliveries.WithLabelValues(label(account), result).Inc()
}

// CountRemarks counts remarks on a form's lead.
func CountRemarks(form string, fields FieldLabels, remarks []telecrm.Remark) {
	for _, r := range remarks {
		collectors.remarks.WithLabelValues(label(form), label(fields.Of(r.Field))).Inc()
	}
}

// Observer measures and traces the requests of an account.
func Observer(account func() string) telecrm.Observer {
	return func(ctx context.Context, endpoint telecrm.Endpoint) func(int) {
		account := label(account())
		start := time.Now()
		ended := tracing.StartRequest(ctx, account, endpoint)
		return func(status int) {
			collectors.requestTime.WithLabelValues(account, string(endpoint), codeOf(status)).Observe(time.Since(start).Seconds())
			ended(status)
		}
	}
}

// codeOf returns the status as a label: the number if TeleCRM or a proxy in front of it is known to
// answer it, otherwise its class.
func codeOf(status int) string {
	switch status {
	case 0:
		return codeNone
	case http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent,
		http.StatusBadRequest, http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden,
		http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestTimeout, http.StatusConflict,
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return strconv.Itoa(status)
	}
	if status < 100 || status > 599 {
		return codeOther
	}
	return strconv.Itoa(status/100) + "xx"
}

// Codes of requests without an HTTP status, and with an invalid one.
const (
	codeNone  = "none"
	codeOther = "other"
)

// label returns a name from a config as a label, which must be UTF-8.
func label(name string) string {
	return strings.ToValidUTF8(name, "\uFFFD")
}
