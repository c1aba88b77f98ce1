package metrics

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/spool"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
	"github.com/leadwire/caddy-telecrm/telecrm"
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
func TestFieldLabels(t *testing.T) {
	labels := FieldLabels{"fields.phone": "phone", "actions[0]": "actions[0]"}
	for field, want := range map[string]string{
		"fields.phone":        "phone",
		"actions[0]":          "actions[0]",
		"fields.918123456789": otherField,
		"phone\xff":           otherField,
		"":                    otherField,
	} {
		if got := labels.Of(field); got != want {
			t.Errorf("label of %q is %q, want %q", field, got, want)
		}
	}
	if got := FieldLabels(nil).Of("fields.phone"); got != otherField {
		t.Errorf("without a form the label is %q", got)
	}
}

// fileOutbox is an outbox in a file, whose store a test can wrap.
type fileOutbox struct {
	file string
	wrap func(outbox.Store) outbox.Store
}

func (o *fileOutbox) Resource() (string, error) { return o.file, nil }

func (o *fileOutbox) Open(logger *zap.Logger) (outbox.Store, error) {
	store, err := sqlstore.Open(context.Background(), o.file, sqlstore.Options{Logger: logger})
	if err == nil && o.wrap != nil {
		store := o.wrap(store)
		return store, nil
	}
	return store, err
}

// open opens an outbox for a config with one account, to which nothing is sent.
func open(t *testing.T, wrap func(outbox.Store) outbox.Store) *dispatch.Dispatcher {
	t.Helper()
	guest := &fileOutbox{filepath.Join(t.TempDir(), "outbox.db"), wrap}
	d, err := dispatch.Open(guest.file, guest, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	d.Adopt(guest, dispatch.Config{
		Delivery: delivery.Config{Logger: zap.NewNop(), Accounts: []delivery.Account{{Name: "default", Rate: 1, Burst: 1}}},
		Heir:     func(string) (delivery.Account, bool) { return delivery.Account{}, false },
	})
	t.Cleanup(func() {
		d.Release(guest)
		_ = d.Close()
	})
	return d
}

// hangingStore is an outbox that does not answer from some time on.
type hangingStore struct {
	outbox.Store

	hangs *atomic.Bool
	letGo chan struct{}
}

func (s hangingStore) Counts(ctx context.Context) ([]outbox.Count, error) {
	if !s.hangs.Load() {
		return s.Store.Counts(ctx)
	}
	<-s.letGo
	return nil, outbox.ErrClosed
}

// An outbox that hangs costs the scrape its own numbers alone. However many scrapes come, it is
// asked once.
func TestGaugesOfAnOutboxThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hangs atomic.Bool
		letGo := make(chan struct{})
		hanging := open(t, func(store outbox.Store) outbox.Store { return hangingStore{store, &hangs, letGo} })
		hangs.Store(true)
		t.Cleanup(func() { close(letGo) })
		gauges := newOutboxGauges(func(name string) string { return name }, func() []*dispatch.Dispatcher { return []*dispatch.Dispatcher{hanging} })
		for range 2 {
			if got := gathered(t, gauges); len(got) > 0 {
				t.Errorf("gathered %q", got)
			}
		}
	})
}

func TestGauges(t *testing.T) {
	opened := open(t, nil)
	now := time.Now().Truncate(time.Millisecond)
	for i, account := range []string{"default", "default", "gone\xff"} {
		entry := outbox.Entry{
			ID: fmt.Sprintf("01900000-0000-7000-8000-%012d", i), Account: account,
			CreatedAt: now.Add(-time.Hour), DueAt: now.Add(time.Hour),
		}
		if err := opened.Store.Append(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
	}
	all := []*dispatch.Dispatcher{opened}
	gauges := newOutboxGauges(func(name string) string { return name }, func() []*dispatch.Dispatcher { return all })
	gauges.now = func() time.Time { return now }
	want := []string{
		"outbox_entries{default,delivered} 0", "outbox_entries{default,parked} 0", "outbox_entries{default,waiting} 2",
		"outbox_entries{gone\uFFFD,delivered} 0", "outbox_entries{gone\uFFFD,parked} 0", "outbox_entries{gone\uFFFD,waiting} 1",
		"outbox_oldest_waiting_seconds{default} 3600", "outbox_oldest_waiting_seconds{gone\uFFFD} 3600",
	}
	if got := gathered(t, gauges); !slices.Equal(got, want) {
		t.Errorf("gathered\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	all = nil
	if got := gathered(t, gauges); len(got) > 0 {
		t.Errorf("gathered %q of an outbox that is closed", got)
	}
}

// The state of an account and its last errors are gauges with a fixed set of labels, even if the
// outbox hangs.
func TestAccountGauges(t *testing.T) {
	var hangs atomic.Bool
	letGo := make(chan struct{})
	opened := open(t, func(store outbox.Store) outbox.Store { return hangingStore{store, &hangs, letGo} })
	hangs.Store(true)
	t.Cleanup(func() { close(letGo) })
	gauges := newAccountGauges(func(name string) string { return name }, func() []*dispatch.Dispatcher { return []*dispatch.Dispatcher{opened} },
		func() []delivery.Status { return []delivery.Status{{Account: "x", Condition: delivery.Failing}} })
	var want []string
	for _, cause := range telecrm.Causes() {
		want = append(want, fmt.Sprintf("account_last_error_timestamp_seconds{default,%s} 0", cause),
			fmt.Sprintf("account_last_error_timestamp_seconds{x,%s} 0", cause))
	}
	want = append(want, "account_held{default} 0",
		"account_state{default,failing} 0", "account_state{default,on hold} 0", "account_state{default,paused} 0",
		"account_state{default,sending} 1", "account_state{default,slow} 0",
		"account_state{x,failing} 1", "account_state{x,on hold} 0", "account_state{x,paused} 0",
		"account_state{x,sending} 0", "account_state{x,slow} 0")
	slices.Sort(want)
	if got := gathered(t, gauges); !slices.Equal(got, want) {
		t.Errorf("gathered\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// gathered lists what a registry makes of the gauges.
func gathered(t *testing.T, gauges prometheus.Collector) []string {
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

// Every account counts from 0 for every result.
func TestResultsAreStates(t *testing.T) {
	want := []string{"waiting", "delivered", "parked", resultDropped}
	if got := results(); !slices.Equal(got, want) {
		t.Errorf("results %q, want %q", got, want)
	}
	CountAttempt("x", outbox.Settlement{State: outbox.Waiting, Uncounted: true}, delivery.Outcome{}.Answer)
	if got := counted(t, "caddy_telecrm_deliveries_total", "x"); got != 0 {
		t.Errorf("an attempt that was put off counts: %v", got)
	}
}

// counted sums the counters of a name that have the label value.
func counted(t *testing.T, name, value string) (sum float64) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := Register(registry); err != nil {
		t.Fatal(err)
	}
	if err := Register(registry); err != nil {
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

// The gauges say that the outbox cannot be used, and how many leads are in spools.
func TestGaugesOfSpools(t *testing.T) {
	dir := t.TempDir()
	var usable atomic.Bool
	openSpool := func(ctx context.Context, file string) (spool.Spool, error) {
		return sqlstore.Open(ctx, file, sqlstore.Options{LockTimeout: time.Millisecond})
	}
	opened := open(t, func(store outbox.Store) outbox.Store {
		return spool.Open(t.Context(), spool.Options{
			Open: func(context.Context) (outbox.Store, error) {
				if !usable.Load() {
					return nil, outbox.ErrInUse
				}
				return store, nil
			},
			OpenSpool: openSpool,
			Prefixes:  func() []string { return []string{filepath.Join(dir, "outbox.db.spool-")} },
			Retry:     time.Millisecond,
			MaxRetry:  time.Millisecond,
		})
	})
	gauges := newOutboxGauges(func(name string) string { return name }, func() []*dispatch.Dispatcher { return []*dispatch.Dispatcher{opened} })
	want := func(away, spooled int) {
		t.Helper()
		got := gathered(t, gauges)
		for _, line := range []string{fmt.Sprintf("outbox_away{} %d", away), fmt.Sprintf("outbox_spool_entries{} %d", spooled)} {
			if !slices.Contains(got, line) {
				t.Errorf("gathered %q, want %q", got, line)
			}
		}
	}
	now := time.Now()
	if err := opened.Store.Append(t.Context(), outbox.Entry{ID: uuid.NewString(), Account: "default", CreatedAt: now, DueAt: now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	want(1, 1)
	usable.Store(true)
	store, _ := opened.Spooling()
	for deadline := now.Add(20 * time.Second); len(store.Status().Spools) > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	gauges.now = func() time.Time { return time.Now().Add(time.Minute) } // the last reading is old
	want(0, 0)
}
