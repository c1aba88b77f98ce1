package caddytelecrm

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// However a status may be made up, there are few codes.
func TestCodesAreBounded(t *testing.T) {
	codes := make(map[string]bool)
	for status := -1; status < 1200; status++ {
		codes[codeOf(status)] = true
	}
	if len(codes) > 30 {
		t.Errorf("%d codes", len(codes))
	}
	for status, want := range map[int]string{0: "none", 201: "201", 299: "2xx", 302: "3xx", 418: "4xx", 429: "429", 599: "5xx", 999: "other"} {
		if got := codeOf(status); got != want {
			t.Errorf("code of %d is %s, want %s", status, got, want)
		}
	}
}

// What TeleCRM writes into a remark makes no time series.
func TestRemarkLabels(t *testing.T) {
	h := newHandler(t, "http://127.0.0.1:1", simpleBlock+`
		unmapped notes
		action 1042 {
			field note message
			set page /x
		}
		action PAYMENT {
			set status PENDING
			set currency INR
			field amount
		}`)
	labels := h.mapping.remarkLabels()
	for field, want := range map[string]string{
		"fields.phone":             "phone",
		"fields.notes":             "notes",
		"actions[0]":               "actions[0]",
		"actions[0].type":          "actions[0]",
		"actions[0].fields.page":   "actions[0].fields.page",
		"actions[1].fields.amount": "actions[1].fields.amount",
		"action PAYMENT":           "actions[1]",
		"fields.918123456789":      otherField,
		"phone\xff":                otherField,
		"":                         otherField,
	} {
		if got := labels.of(field); got != want {
			t.Errorf("label of %q is %q, want %q", field, got, want)
		}
	}
	if got := remarkLabels(nil).of("fields.phone"); got != otherField {
		t.Errorf("without a form the label is %q", got)
	}
}

// hangingStore is an outbox that does not answer until it is let go.
type hangingStore struct {
	outbox.Store

	letGo chan struct{}
}

func (s hangingStore) Counts(context.Context) ([]outbox.Count, error) {
	<-s.letGo
	return nil, outbox.ErrClosed
}

// An outbox that hangs costs the scrape its own numbers alone, and however many
// scrapes come, it is asked once.
func TestGaugesOfAnOutboxThatHangs(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, simpleBlock)
	_, app, _ := withOutbox(t, h)
	gauges := newOutboxGauges(func(name string) string { return name })
	letGo := make(chan struct{})
	t.Cleanup(func() { close(letGo) })
	hanging := &pooledOutbox{store: hangingStore{app.pooled.store, letGo}, engine: app.pooled.engine, logger: zap.NewNop()}
	gauges.add(hanging)
	for range 2 {
		if got, want := gathered(t, gauges), []string{"account_held{default} 0"}; !slices.Equal(got, want) {
			t.Errorf("gathered %q, want %q", got, want)
		}
	}
}

func TestGauges(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, simpleBlock)
	_, app, _ := withOutbox(t, h)
	now := time.Now()
	for i, account := range []string{"default", "default", "gone\xff"} {
		entry := outbox.Entry{
			ID: fmt.Sprintf("01900000-0000-7000-8000-%012d", i), Account: account,
			CreatedAt: now.Add(-time.Hour), DueAt: now.Add(time.Hour),
		}
		if err := app.pooled.store.Append(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
	}
	gauges := newOutboxGauges(func(name string) string { return name })
	gauges.now = func() time.Time { return now }
	gauges.add(app.pooled)
	want := []string{
		"account_held{default} 0",
		"outbox_entries{default,delivered} 0", "outbox_entries{default,parked} 0", "outbox_entries{default,waiting} 2",
		"outbox_entries{gone\uFFFD,delivered} 0", "outbox_entries{gone\uFFFD,parked} 0", "outbox_entries{gone\uFFFD,waiting} 1",
		"outbox_oldest_waiting_seconds{default} 3600", "outbox_oldest_waiting_seconds{gone\uFFFD} 3600",
	}
	if got := gathered(t, gauges); !slices.Equal(got, want) {
		t.Errorf("gathered\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	gauges.remove(app.pooled)
	if got := gathered(t, gauges); len(got) > 0 {
		t.Errorf("gathered %q of an outbox that is closed", got)
	}
}

// gathered lists what a registry makes of the gauges.
func gathered(t *testing.T, gauges *outboxGauges) []string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(gauges)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, pair := range metric.GetLabel() {
				labels = append(labels, pair.GetValue())
			}
			list = append(list, fmt.Sprintf("%s{%s} %v", family.GetName(), strings.Join(labels, ","), metric.GetGauge().GetValue()))
		}
	}
	slices.Sort(list)
	return list
}

// Events for which there is no room are dropped, counted and logged, and
// nobody waits for those that nobody can handle.
func TestHeraldWithoutHandlers(t *testing.T) {
	core, log := observer.New(zapcore.WarnLevel)
	herald := newHerald(func() *eventOutlet { return nil }, zap.New(core))
	const many = manyEvents + 50
	for range many {
		herald.announce(event{eventParked, nil})
	}
	if err := herald.end(t.Context()); err != nil {
		t.Error(err)
	}
	herald.announce(event{eventParked, nil})
	entries := log.FilterMessage("events were dropped").All()
	var dropped int64
	for _, entry := range entries {
		dropped += entry.ContextMap()["events"].(int64)
	}
	if dropped != many {
		t.Errorf("%d events were logged as dropped, want %d", dropped, many)
	}
	if err := herald.end(t.Context()); err != nil {
		t.Error(err)
	}
}

// Every account counts from 0 for every result.
func TestResultsAreStates(t *testing.T) {
	want := []string{"waiting", "delivered", "parked", resultDropped}
	if got := results(); !slices.Equal(got, want) {
		t.Errorf("results %q, want %q", got, want)
	}
	meters.attempted("x", outbox.Settlement{State: outbox.Waiting, Uncounted: true}, delivery.Outcome{}.Answer)
	if got := counted(t, "caddy_telecrm_deliveries_total", "x"); got != 0 {
		t.Errorf("an attempt that was put off counts: %v", got)
	}
}

// counted sums the counters of a name that have the label value.
func counted(t *testing.T, name, value string) (sum float64) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := meters.register(registry); err != nil {
		t.Fatal(err)
	}
	if err := meters.register(registry); err != nil {
		t.Errorf("registering again: %v", err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			for _, pair := range metric.GetLabel() {
				if family.GetName() == name && pair.GetValue() == value {
					sum += metric.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}
