package dailycheck

import (
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/check"
)

// Result is the result of the last check.
type Result struct {
	At time.Time
	// Forms are the names of the config's forms.
	Forms  []string
	Report *check.Report
}

// running holds the checks of the configs that run; the last one is in force.
var running struct {
	mu   sync.Mutex
	list []*Daily
}

// enter puts d in force. It continues from the result of the config before, so that a reload logs
// changes only.
func (d *Daily) enter() {
	running.mu.Lock()
	defer running.mu.Unlock()
	if n := len(running.list); n > 0 && !d.isOff {
		d.last = running.list[n-1].last
	}
	running.list = append(running.list, d)
}

// leave withdraws d. If it was in force, the config before it is again.
func (d *Daily) leave() {
	running.mu.Lock()
	defer running.mu.Unlock()
	running.list = slices.DeleteFunc(running.list, func(other *Daily) bool { return other == d })
}

// Last returns the last result, or nil if there is none. It must not be changed.
func Last() *Result {
	running.mu.Lock()
	defer running.mu.Unlock()
	if n := len(running.list); n > 0 {
		return running.list[n-1].last
	}
	return nil
}

// publish replaces the last result and logs what has changed.
func (d *Daily) publish(report *check.Report, forms []string) {
	running.mu.Lock()
	var before []check.Finding
	if d.last != nil {
		before = d.last.Report.Findings
	}
	d.last = &Result{time.Now(), forms, report}
	running.mu.Unlock()
	d.logChanges(before, report.Findings)
}

// maxLogged bounds the lines that one check logs about findings that appear or vanish.
const maxLogged = 20

func (d *Daily) logChanges(before, now []check.Finding) {
	log := d.config.Logger
	found, gone := missing(now, before), missing(before, now)
	for _, f := range found[:min(maxLogged, len(found))] {
		level := zap.WarnLevel
		if f.Severity == check.Note {
			level = zap.InfoLevel
		}
		log.Log(level, "the check of the forms found: "+f.Message, about(f)...)
	}
	if more := len(found) - maxLogged; more > 0 {
		log.Warn("the check of the forms found more; the operators' page lists all", zap.Int("more", more))
	}
	for _, f := range gone[:min(maxLogged, len(gone))] {
		log.Info("the check of the forms does not find any more: "+f.Message, about(f)...)
	}
	if more := len(gone) - maxLogged; more > 0 {
		log.Info("more findings of the check of the forms are gone", zap.Int("more", more))
	}
}

// missing returns the findings that are not among the others.
func missing(findings, others []check.Finding) []check.Finding {
	keys := make(map[string]bool, len(others))
	for _, f := range others {
		keys[f.Key()] = true
	}
	var list []check.Finding
	for _, f := range findings {
		if key := f.Key(); !keys[key] {
			keys[key] = true
			list = append(list, f)
		}
	}
	return list
}

// about returns the fields of a log line.
func about(f check.Finding) []zap.Field {
	fields := []zap.Field{zap.String("code", string(f.Code)), zap.String("severity", string(f.Severity))}
	for _, part := range []struct{ name, value string }{
		{"form", f.Form}, {"account", f.Account}, {"place", f.Place.String()}, {"write", strings.TrimSpace(f.Remedy)},
	} {
		if part.value != "" {
			fields = append(fields, zap.String(part.name, part.value))
		}
	}
	return fields
}
