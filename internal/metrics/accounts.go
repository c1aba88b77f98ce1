package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// accountGauges reports the state of each configured account at each scrape. It reads no outbox. An
// account without an outbox is never on hold.
type accountGauges struct {
	held, state, lastError *prometheus.Desc
	open                   func() []*dispatch.Dispatcher
	direct                 func() []delivery.Status
}

func newAccountGauges(name func(string) string, open func() []*dispatch.Dispatcher, direct func() []delivery.Status) *accountGauges {
	return &accountGauges{
		held: prometheus.NewDesc(name("account_held"),
			"1 if delivery for the account is on hold.", []string{"account"}, nil),
		state: prometheus.NewDesc(name("account_state"),
			"1 for the state of the account's deliveries, 0 for the other states.", []string{"account", "state"}, nil),
		lastError: prometheus.NewDesc(name("account_last_error_timestamp_seconds"),
			"When the account last had an error that was not the fault of a lead, by cause; 0 if never.", []string{"account", "cause"}, nil),
		open:   open,
		direct: direct,
	}
}

// Describe implements [prometheus.Collector].
func (g *accountGauges) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- g.held
	descriptions <- g.state
	descriptions <- g.lastError
}

// Collect implements [prometheus.Collector].
func (g *accountGauges) Collect(metrics chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	delivered := g.delivered()
	for account, s := range worst(delivered) {
		gauge(g.held, boolean(s.Held), account)
	}
	for account, s := range worst(slices.Concat(delivered, g.direct())) {
		for _, condition := range delivery.Conditions() {
			gauge(g.state, boolean(condition == s.Condition), account, string(condition))
		}
		for _, cause := range telecrm.Causes() {
			seconds := 0.0
			if at := s.LastErrors[cause]; !at.IsZero() {
				seconds = float64(at.UnixMilli()) / 1000
			}
			gauge(g.lastError, seconds, account, string(cause))
		}
	}
}

func boolean(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// delivered returns the status of each account with an outbox.
func (g *accountGauges) delivered() (list []delivery.Status) {
	for _, d := range g.open() {
		list = append(list, d.Engine.Status()...)
	}
	return list
}

// worst returns the worst status of each account by its label. An account has two while a reload
// replaces the outbox.
func worst(list []delivery.Status) map[string]delivery.Status {
	worst := make(map[string]delivery.Status)
	for _, s := range list {
		name := label(s.Account)
		if known, exists := worst[name]; !exists || s.Condition.WorseThan(known.Condition) {
			worst[name] = s
		}
	}
	return worst
}
