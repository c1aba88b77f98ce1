package caddytelecrm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// meters count for as long as the process lives. Every config has a registry
// of its own, in which they are registered anew, so that a reload sets nothing
// back to 0. All labels come from configs or from sets that are fixed here:
// nobody who posts a form, and nothing that TeleCRM says, makes a time series.
var meters = newMetrics()

type metrics struct {
	submissions    *prometheus.CounterVec
	submissionTime *prometheus.HistogramVec
	deliveries     *prometheus.CounterVec
	remarks        *prometheus.CounterVec
	requestTime    *prometheus.HistogramVec
	outboxes       *outboxGauges
}

func newMetrics() *metrics {
	name := func(name string) string { return prometheus.BuildFQName("caddy", "telecrm", name) }
	return &metrics{
		submissions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("submissions_total"),
			Help: "Posts of a form, by what became of them.",
		}, []string{"form", "outcome"}),
		submissionTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    name("submission_duration_seconds"),
			Help:    "How long visitors waited for the answer to a post.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"form"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("deliveries_total"),
			Help: "Attempts to deliver a lead to TeleCRM, by what became of the lead.",
		}, []string{"account", "result"}),
		remarks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("remarks_total"),
			Help: "Parts of leads that TeleCRM did not get, or did not store, as they were sent.",
		}, []string{"form", "field"}),
		requestTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    name("crm_request_duration_seconds"),
			Help:    "How long requests to TeleCRM took, by what they were for and the HTTP status of the answer.",
			Buckets: []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"account", "endpoint", "code"}),
		outboxes: newOutboxGauges(name),
	}
}

// register registers the metrics in the registry of a config. In one where
// they are registered already nothing changes.
func (m *metrics) register(registry prometheus.Registerer) error {
	for _, collector := range []prometheus.Collector{
		m.submissions, m.submissionTime, m.deliveries, m.remarks, m.requestTime, m.outboxes,
	} {
		err := registry.Register(collector)
		if _, registered := errors.AsType[prometheus.AlreadyRegisteredError](err); err != nil && !registered {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}

// expect has the counters of a config's remarks and deliveries begin at 0, so
// that the first of a kind is seen as an increase too.
func (m *metrics) expect(forms map[string]remarkLabels, accounts []*account) {
	for form, fields := range forms {
		for _, field := range fields {
			m.remarks.WithLabelValues(label(form), label(field))
		}
		m.remarks.WithLabelValues(label(form), otherField)
	}
	for _, acct := range accounts {
		for _, r := range results() {
			m.deliveries.WithLabelValues(label(acct.name()), r)
		}
	}
}

// formMeter counts the submissions of one form.
type formMeter struct {
	outcomes map[outcome]prometheus.Counter
	took     prometheus.Observer
}

// form returns the meter of a form, all of whose counters there are from now
// on.
func (m *metrics) form(name string) formMeter {
	meter := formMeter{
		outcomes: make(map[outcome]prometheus.Counter),
		took:     m.submissionTime.WithLabelValues(label(name)),
	}
	for _, o := range outcomes() {
		meter.outcomes[o] = m.submissions.WithLabelValues(label(name), string(o))
	}
	return meter
}

// count counts a submission that has been answered.
func (m formMeter) count(o outcome, took time.Duration) {
	if counter, known := m.outcomes[o]; known {
		counter.Inc()
	}
	m.took.Observe(took.Seconds())
}

// resultDropped is what becomes of a lead that is kept nowhere and that
// TeleCRM did not take. The other results are the states of an outbox.
const resultDropped = "dropped"

// results returns what can become of a lead in an attempt.
func results() []string {
	list := make([]string, 0, len(outbox.States())+1)
	for _, state := range outbox.States() {
		list = append(list, string(state))
	}
	return append(list, resultDropped)
}

// attempted counts an attempt at a lead of an outbox. One that was put off
// before anything was sent is none.
func (m *metrics) attempted(account string, s outbox.Settlement, answer telecrm.Answer) {
	if s.Uncounted && answer.Status == 0 {
		return
	}
	m.deliveries.WithLabelValues(label(account), string(s.State)).Inc()
}

// sentOnce counts the one attempt at a lead that no outbox keeps.
func (m *metrics) sentOnce(account string, s outbox.Settlement) {
	result := resultDropped
	if s.State == outbox.Delivered {
		result = string(outbox.Delivered)
	}
	m.deliveries.WithLabelValues(label(account), result).Inc()
}

// remarked counts remarks on a form's lead.
func (m *metrics) remarked(form string, fields remarkLabels, remarks []telecrm.Remark) {
	for _, r := range remarks {
		m.remarks.WithLabelValues(label(form), label(fields.of(r.Field))).Inc()
	}
}

// observer measures the requests of an account, and traces them.
func (m *metrics) observer(name func() string) telecrm.Observer {
	return func(ctx context.Context, endpoint telecrm.Endpoint) func(int) {
		account := label(name())
		start := time.Now()
		span := startRequestSpan(ctx, account, endpoint)
		return func(status int) {
			m.requestTime.WithLabelValues(account, string(endpoint), codeOf(status)).Observe(time.Since(start).Seconds())
			endRequestSpan(span, status)
		}
	}
}

// codeOf is the status as a label: those that TeleCRM is known to give, or
// that proxies in between do, by their number, and others by their class.
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

// The codes of requests that have no HTTP status, or none that there is.
const (
	codeNone  = "none"
	codeOther = "other"
)

// label makes a name from a config fit for a label, which takes only UTF-8.
func label(name string) string {
	return strings.ToValidUTF8(name, "\uFFFD")
}
