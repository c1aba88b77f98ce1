package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// exposed maps the names of exposed metrics to the values of each label. The parts of a histogram
// are separate.
type exposed map[string]map[string][]string

var sampleLine = regexp.MustCompile(`^([a-z_]+)(?:\{(.*)\})? \S+$`)

var labelPair = regexp.MustCompile(`([a-z_]+)="((?:[^"\\]|\\.)*)"`)

// parseMetrics parses the text format.
func parseMetrics(t *testing.T, text string) exposed {
	t.Helper()
	metrics := make(exposed)
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(line, "caddy_telecrm_") {
			continue
		}
		match := sampleLine.FindStringSubmatch(line)
		if match == nil {
			t.Fatalf("invalid sample: %s", line)
		}
		if metrics[match[1]] == nil {
			metrics[match[1]] = make(map[string][]string)
		}
		for _, pair := range labelPair.FindAllStringSubmatch(match[2], -1) {
			metrics[match[1]][pair[1]] = append(metrics[match[1]][pair[1]], pair[2])
		}
	}
	return metrics
}

// baseName returns a metric's name without the suffix of a histogram's part.
func baseName(name string) string {
	for _, part := range []string{"_bucket", "_sum", "_count"} {
		if strings.HasSuffix(name, "_seconds"+part) {
			return strings.TrimSuffix(name, part)
		}
	}
	return name
}

// runningMetrics returns the metrics of a server after one post.
func runningMetrics(t *testing.T) exposed {
	t.Helper()
	s := serve(t, enquiry, "check daily")
	s.crm.Inject(sandbox.Faults()[sandbox.FaultRemarks].On(sandbox.OpCreate))
	s.post(t, "/contact", ravi)
	return s.checkedMetrics(t)
}

// checkedMetrics returns the metrics once the forms have been checked.
func (s *server) checkedMetrics(t *testing.T) exposed {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		metrics := parseMetrics(t, get(t, "http://"+s.admin+"/metrics"))
		if metrics["caddy_telecrm_check_findings"] != nil {
			return metrics
		}
		if time.Now().After(deadline) {
			t.Fatal("the forms have not been checked")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// documentedMetric matches the row of a metric in a document.
var documentedMetric = regexp.MustCompile("(?m)^\\| `(caddy_telecrm_[a-z_]+)` \\| (.*?) \\|")

// A running Caddy exposes exactly the documented metrics and labels. The dashboard and the alert
// rules use all of the metrics and no others.
func TestDocumentedMetrics(t *testing.T) {
	metrics := runningMetrics(t)
	running := make(map[string][]string)
	for name, labels := range metrics {
		running[baseName(name)] = slices.Sorted(maps.Keys(labels))
		running[baseName(name)] = slices.DeleteFunc(running[baseName(name)], func(label string) bool { return label == "le" })
	}
	documented := make(map[string][]string)
	for _, match := range documentedMetric.FindAllStringSubmatch(read(t, "docs/monitoring.md"), -1) {
		if match[2] == "none" {
			documented[match[1]] = nil
			continue
		}
		documented[match[1]] = slices.Sorted(slices.Values(strings.Split(strings.ReplaceAll(match[2], "`", ""), ", ")))
	}
	if len(documented) != 13 {
		t.Errorf("%d metrics are documented, want 13", len(documented))
	}
	for name := range running {
		if !slices.Equal(running[name], documented[name]) {
			t.Errorf("%s: got labels %q, documented %q", name, running[name], documented[name])
		}
		delete(documented, name)
	}
	if len(documented) > 0 {
		t.Errorf("documented but not exposed: %v", documented)
	}
	// One machine does not have these; the tests of the fleet look at them.
	for _, match := range documentedMetric.FindAllStringSubmatch(read(t, "docs/fleet.md"), -1) {
		metrics[match[1]] = make(map[string][]string)
		for _, label := range regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(match[2], -1) {
			metrics[match[1]][label[1]] = nil
		}
	}
	used := make(map[string]bool)
	for place, expression := range expressions(t) {
		for _, problem := range checkExpression(metrics, expression, used) {
			t.Errorf("%s: %s in %s", place, problem, expression)
		}
	}
	for name := range running {
		if !used[name] {
			t.Errorf("neither the dashboard nor an alert rule uses %s", name)
		}
	}
}

// checkExpression finds the problems that it should.
func TestExpressionsAreChecked(t *testing.T) {
	metrics := exposed{"caddy_telecrm_x_total": {"form": {"/contact"}, "outcome": {"created"}}}
	for expression, want := range map[string]int{
		`sum by (form) (increase(caddy_telecrm_x_total{outcome="created"}[5m])) > 0`: 0,
		`caddy_telecrm_x_total{form=~"$form"}`:                                       0,
		`caddy_telecrm_y_total`:                                                      1,
		`caddy_telecrm_x_total{outcome="create"}`:                                    1,
		`caddy_telecrm_x_total{account="a"}`:                                         1,
		`sum by (account) (caddy_telecrm_x_total)`:                                   1,
		`summ(caddy_telecrm_x_total)`:                                                1,
	} {
		if got := checkExpression(metrics, expression, map[string]bool{}); len(got) != want {
			t.Errorf("%s: %q, want %d problems", expression, got, want)
		}
	}
}

// expressions returns the expressions of the dashboard and the alert rules, by place.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	list := make(map[string]string)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Query, Type string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "docs/grafana-dashboard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, panel := range dashboard.Panels {
		for i, target := range panel.Targets {
			list[fmt.Sprintf("panel %q, target %d", panel.Title, i)] = target.Expr
		}
	}
	for _, variable := range dashboard.Templating.List {
		if variable.Type != "query" {
			continue
		}
		match := regexp.MustCompile(`^label_values\(([a-z_]+), ([a-z]+)\)$`).FindStringSubmatch(variable.Query)
		if match == nil {
			t.Fatalf("variable %s: %s", variable.Name, variable.Query)
		}
		list["variable "+variable.Name] = fmt.Sprintf("sum by (%s) (%s)", match[2], match[1])
	}

	type rule struct {
		Alert       string
		Expr        string
		For         string
		Labels      map[string]string
		Annotations map[string]string
	}
	var rules struct {
		Groups []struct {
			Name  string
			Rules []rule
		}
	}
	file, err := os.Open(filepath.Join("docs", "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	if err := decoder.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	for _, group := range rules.Groups {
		for _, r := range group.Rules {
			if r.Alert == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("incomplete alert rule: %+v", r)
			}
			list["alert "+r.Alert] = r.Expr
		}
	}
	if len(list) < 10 {
		t.Fatalf("only %d expressions", len(list))
	}
	return list
}

var (
	selector = regexp.MustCompile(`(caddy_telecrm_[a-z_]+)(\{[^}]*\})?`)
	matcher  = regexp.MustCompile(`^([a-z_]+)(=~|=)"([^"]*)"$`)
	grouping = regexp.MustCompile(`\b(?:by|on) \(([a-z_, ]+)\)`)
	duration = regexp.MustCompile(`\[(?:\d+[smhd]|\$__rate_interval)\]`)
	word     = regexp.MustCompile(`[A-Za-z_$]\w*`)
)

// promWords lists the words of the query language in use.
var promWords = []string{"sum", "max", "increase", "rate", "histogram_quantile", "unless", "or", "group_left"}

// checkExpression returns the names in an expression that are not exposed, and adds the metrics
// that it uses to used. It knows the labels that Prometheus itself adds.
func checkExpression(metrics exposed, expression string, used map[string]bool) (problems []string) {
	labels := map[string]bool{"instance": true}
	for _, match := range selector.FindAllStringSubmatch(expression, -1) {
		name, matchers := match[1], strings.Trim(match[2], "{}")
		if metrics[name] == nil {
			problems = append(problems, "unknown metric "+name)
			continue
		}
		used[baseName(name)] = true
		for label := range metrics[name] {
			labels[label] = true
		}
		for _, one := range strings.FieldsFunc(matchers, func(r rune) bool { return r == ',' }) {
			m := matcher.FindStringSubmatch(one)
			switch {
			case m == nil:
				problems = append(problems, "invalid matcher "+one)
			case metrics[name][m[1]] == nil:
				problems = append(problems, name+" does not have the label "+m[1])
			case m[2] == "=" && !slices.Contains(metrics[name][m[1]], m[3]):
				problems = append(problems, fmt.Sprintf("%s is never %q", m[1], m[3]))
			case m[2] == "=~" && m[3] != "$"+m[1]:
				problems = append(problems, "expected the variable $"+m[1])
			}
		}
	}
	for _, match := range grouping.FindAllStringSubmatch(expression, -1) {
		for label := range strings.SplitSeq(match[1], ", ") {
			if !labels[label] && len(problems) == 0 {
				problems = append(problems, "unknown label "+label)
			}
		}
	}
	rest := expression
	for _, known := range []*regexp.Regexp{selector, grouping, duration} {
		rest = known.ReplaceAllString(rest, " ")
	}
	for _, w := range word.FindAllString(rest, -1) {
		if !slices.Contains(promWords, w) {
			problems = append(problems, "unknown word "+w)
		}
	}
	return problems
}

// Counters survive accepted and rejected reloads.
func TestMetricsSurviveReloads(t *testing.T) {
	p := newInProcess(t)
	site := strings.Replace(enquiry, "/contact", "/surviving", 1)
	p.mustLoad(t, site)
	count := func() int {
		for line := range strings.Lines(get(t, p.site+"/metrics")) {
			if value, ok := strings.CutPrefix(line, `caddy_telecrm_submissions_total{form="/surviving",outcome="created"} `); ok {
				n, err := strconv.Atoi(strings.TrimSpace(value))
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
		}
		t.Fatal("the form does not have a counter")
		return 0
	}
	before := count() // from earlier tests in the same process
	for i := range 3 {
		p.post(t, "/surviving", url.Values{"phone": {fmt.Sprintf("0812345680%d", i)}})
		if got := count() - before; got != i+1 {
			t.Errorf("%d submissions, want %d", got, i+1)
		}
		if i == 1 {
			if err := p.load(strings.Replace(site, "field name", "feild name", 1)); err == nil {
				t.Fatal("a config with a mistake was accepted")
			}
			continue
		}
		p.mustLoad(t, site+fmt.Sprintf("\nrespond /%d 204", i))
	}
	if got := count() - before; got != 3 {
		t.Errorf("%d submissions after reloads, want 3", got)
	}
}
