package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/internal/dailycheck"
)

// findingGauges reports the findings of the last check of the forms. Before the first check, and if
// it is off, there are none.
type findingGauges struct {
	findings *prometheus.Desc
	last     func() *dailycheck.Result
}

func newFindingGauges(name func(string) string, last func() *dailycheck.Result) *findingGauges {
	return &findingGauges{
		findings: prometheus.NewDesc(name("check_findings"),
			"Findings of the last check of the forms; the form is empty for those about an account or a site.", []string{"form", "severity"}, nil),
		last: last,
	}
}

// Describe implements [prometheus.Collector].
func (g *findingGauges) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- g.findings }

// Collect implements [prometheus.Collector].
func (g *findingGauges) Collect(metrics chan<- prometheus.Metric) {
	result := g.last()
	if result == nil {
		return
	}
	type labels struct {
		form     string
		severity check.Severity
	}
	counts := make(map[labels]int)
	for _, form := range append([]string{""}, result.Forms...) {
		for _, severity := range check.Severities() {
			counts[labels{label(form), severity}] = 0
		}
	}
	for _, f := range result.Report.Findings {
		counts[labels{label(f.Form), f.Severity}]++
	}
	for of, n := range counts {
		metrics <- prometheus.MustNewConstMetric(g.findings, prometheus.GaugeValue, float64(n), of.form, string(of.severity))
	}
}
