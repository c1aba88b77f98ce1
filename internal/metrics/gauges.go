package metrics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/outbox"
)

const (
	// gaugesFresh is how long a reading of the outboxes is valid. Two scrapers at the same time
	// share one reading.
	gaugesFresh = time.Second
	// gaugesPatience is how long a scrape waits for an outbox. An outbox that hangs must not hide
	// all other metrics.
	gaugesPatience = 2 * time.Second
)

// outboxGauges reports the contents of the open outboxes at each scrape.
type outboxGauges struct {
	entries, oldest, away, spooled *prometheus.Desc
	fleet                          fleetGauges
	open                           func() []*dispatch.Dispatcher
	now                            func() time.Time

	mu      sync.Mutex
	last    contents
	reading chan struct{} // closed when the current reading ends; nil when idle
}

// contents describes the contents of the open outboxes.
type contents struct {
	at      time.Time              // when it was read
	of      []*dispatch.Dispatcher // the outboxes
	entries map[string]map[outbox.State]int
	oldest  map[string]time.Time // when the oldest waiting entry was submitted; zero if none waits
	spooled int                  // entries in spools
	fleet   outbox.Fleet         // empty if no other machine uses them
}

func newOutboxGauges(name func(string) string, open func() []*dispatch.Dispatcher) *outboxGauges {
	return &outboxGauges{
		entries: prometheus.NewDesc(name("outbox_entries"), "Leads in the outbox.", []string{"account", "state"}, nil),
		oldest: prometheus.NewDesc(name("outbox_oldest_waiting_seconds"),
			"Age of the oldest waiting lead; 0 if none waits.", []string{"account"}, nil),
		away: prometheus.NewDesc(name("outbox_away"),
			"1 if leads are kept in a spool, or not kept, because the outbox cannot be used.", nil, nil),
		spooled: prometheus.NewDesc(name("outbox_spool_entries"), "Leads in spools, which also count as leads in the outbox.", nil, nil),
		fleet:   newFleetGauges(name),
		open:    open,
		now:     time.Now,
	}
}

// Describe implements [prometheus.Collector].
func (g *outboxGauges) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- g.entries
	descriptions <- g.oldest
	descriptions <- g.away
	descriptions <- g.spooled
	g.fleet.describe(descriptions)
}

// Collect implements [prometheus.Collector]. It leaves out an outbox that does not answer in time.
func (g *outboxGauges) Collect(metrics chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	away, spooling := g.isAway()
	if spooling {
		gauge(g.away, away)
	}
	read := g.read()
	g.fleet.collect(gauge, read.fleet)
	if spooling && read.entries != nil {
		gauge(g.spooled, float64(read.spooled))
	}
	for account, counts := range read.entries {
		for state, n := range counts {
			gauge(g.entries, float64(n), account, string(state))
		}
	}
	for account, submitted := range read.oldest {
		age := time.Duration(0)
		if !submitted.IsZero() {
			age = max(g.now().Sub(submitted), 0)
		}
		gauge(g.oldest, age.Seconds(), account)
	}
}

// isAway returns 1 if an open outbox cannot be used. spooling is false if none has spools.
func (g *outboxGauges) isAway() (away float64, spooling bool) {
	for _, d := range g.open() {
		store, ok := d.Spooling()
		spooling = spooling || ok
		if ok && store.Status().Trouble != nil {
			away = 1
		}
	}
	return away, spooling
}

// read returns the contents of the outboxes, at most a second old. Concurrent scrapes share one
// reading.
func (g *outboxGauges) read() contents {
	open := g.open()
	g.mu.Lock()
	if g.now().Sub(g.last.at) < gaugesFresh && slices.Equal(open, g.last.of) {
		defer g.mu.Unlock()
		return g.last
	}
	if g.reading == nil {
		g.reading = make(chan struct{})
		go g.readAll(open, g.reading)
	}
	reading := g.reading
	g.mu.Unlock()

	patience := time.NewTimer(gaugesPatience)
	defer patience.Stop()
	select {
	case <-reading:
	case <-patience.C:
		return contents{}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last
}

// readAll reads the outboxes. It ends when all have answered or gaugesPatience is over.
func (g *outboxGauges) readAll(open []*dispatch.Dispatcher, done chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), gaugesPatience)
	defer cancel()
	sum := contents{of: open, entries: make(map[string]map[outbox.State]int), oldest: make(map[string]time.Time)}
	for _, d := range open {
		part, err := contentsOf(ctx, d)
		if errors.Is(err, outbox.ErrClosed) {
			continue // closed since the scrape began
		}
		if err != nil {
			d.WarnUnread("the metrics", err)
			continue
		}
		sum.add(part)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	sum.at = g.now()
	g.last, g.reading = sum, nil
	close(done)
}

// add adds the contents of another outbox. Two are open while a reload changes the file.
func (c *contents) add(other contents) {
	c.spooled += other.spooled
	if len(other.fleet.Nodes) > 0 {
		c.fleet = other.fleet
	}
	for account, counts := range other.entries {
		if c.entries[account] == nil {
			c.entries[account] = make(map[outbox.State]int)
		}
		for state, n := range counts {
			c.entries[account][state] += n
		}
	}
	for account, submitted := range other.oldest {
		before := c.oldest[account]
		if before.IsZero() || !submitted.IsZero() && submitted.Before(before) {
			c.oldest[account] = submitted
		}
	}
}

// contentsOf reads the outbox's contents for all accounts that are configured or have entries.
func contentsOf(ctx context.Context, d *dispatch.Dispatcher) (contents, error) {
	counts, err := d.Store.Counts(ctx)
	if err != nil {
		return contents{}, err
	}
	c := contents{entries: make(map[string]map[outbox.State]int), oldest: make(map[string]time.Time)}
	see := func(account string) map[outbox.State]int {
		if c.entries[account] == nil {
			c.entries[account] = make(map[outbox.State]int)
			for _, state := range outbox.States() {
				c.entries[account][state] = 0
			}
			c.oldest[account] = time.Time{}
		}
		return c.entries[account]
	}
	for _, status := range d.Engine.Status() {
		see(label(status.Account))
	}
	for _, count := range counts {
		name := label(count.Account)
		see(name)[count.State] += count.Entries
		if count.State != outbox.Waiting || count.Entries == 0 {
			continue
		}
		oldest, err := d.Store.List(ctx, outbox.Filter{State: outbox.Waiting, Account: count.Account, Limit: 1})
		if err != nil {
			return contents{}, fmt.Errorf("account %s: %w", count.Account, err)
		}
		if len(oldest) > 0 {
			c.oldest[name] = oldest[0].CreatedAt
		}
	}
	c.fleet = fleetOf(ctx, d)
	if store, ok := d.Spooling(); ok {
		c.spooled, err = store.Spooled(ctx)
	}
	return c, err
}
