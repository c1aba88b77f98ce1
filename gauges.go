package caddytelecrm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
)

const (
	// gaugesFresh is how long what was read of an outbox is told again: two
	// scrapers that come together cost one reading.
	gaugesFresh = time.Second
	// gaugesPatience is how long a scrape waits for an outbox. It then goes
	// without: an outbox that hangs must not hide all other metrics.
	gaugesPatience = 2 * time.Second
)

// outboxGauges tell, when they are asked, what is in the open outboxes and
// which accounts are held.
type outboxGauges struct {
	entries, oldest, held *prometheus.Desc
	now                   func() time.Time

	mu      sync.Mutex
	open    map[*pooledOutbox]bool
	last    contents
	reading chan struct{} // closed when the reading under way ends; nil if none is
}

// contents are what the open outboxes hold.
type contents struct {
	at      time.Time // when it was read
	entries map[string]map[outbox.State]int
	oldest  map[string]time.Time // when the oldest waiting entry was submitted; zero: none waits
}

func newOutboxGauges(name func(string) string) *outboxGauges {
	return &outboxGauges{
		entries: prometheus.NewDesc(name("outbox_entries"), "Leads in the outbox.", []string{"account", "state"}, nil),
		oldest: prometheus.NewDesc(name("outbox_oldest_waiting_seconds"),
			"How long ago the oldest lead that waits was submitted; 0 if none waits.", []string{"account"}, nil),
		held: prometheus.NewDesc(name("account_held"),
			"Whether TeleCRM turns the account away, so that nothing is sent but a probe now and then.", []string{"account"}, nil),
		now:  time.Now,
		open: make(map[*pooledOutbox]bool),
	}
}

func (g *outboxGauges) add(p *pooledOutbox) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open[p] = true
	g.last = contents{}
}

func (g *outboxGauges) remove(p *pooledOutbox) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, p)
	g.last = contents{}
}

// Describe implements [prometheus.Collector].
func (g *outboxGauges) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- g.entries
	descriptions <- g.oldest
	descriptions <- g.held
}

// Collect implements [prometheus.Collector]. It never waits for long. What an
// outbox does not tell in time is left out.
func (g *outboxGauges) Collect(metrics chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	for account, held := range g.accounts() {
		gauge(g.held, held, account)
	}
	read := g.read()
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

// accounts are the configured ones, with 1 for those that are held.
func (g *outboxGauges) accounts() map[string]float64 {
	accounts := make(map[string]float64)
	for _, p := range g.outboxes() {
		for _, status := range p.engine.Status() {
			held := 0.0
			if status.Held {
				held = 1
			}
			name := label(status.Account)
			accounts[name] = max(accounts[name], held)
		}
	}
	return accounts
}

func (g *outboxGauges) outboxes() []*pooledOutbox {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Collect(maps.Keys(g.open))
}

// read returns what the outboxes hold: as it was last read, if that was a
// moment ago, or else as it is. There is one reading at a time, however many
// ask and however long it takes.
func (g *outboxGauges) read() contents {
	g.mu.Lock()
	if g.now().Sub(g.last.at) < gaugesFresh {
		defer g.mu.Unlock()
		return g.last
	}
	if g.reading == nil {
		g.reading = make(chan struct{})
		go g.readAll(slices.Collect(maps.Keys(g.open)), g.reading)
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

// readAll reads the outboxes and ends as soon as they have answered, which
// they are given as long for as a scrape waits.
func (g *outboxGauges) readAll(open []*pooledOutbox, done chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), gaugesPatience)
	defer cancel()
	sum := contents{entries: make(map[string]map[outbox.State]int), oldest: make(map[string]time.Time)}
	for _, p := range open {
		part, err := p.contents(ctx)
		if errors.Is(err, outbox.ErrClosed) {
			continue // since the scrape began
		}
		if err != nil {
			p.logger.Warn("the metrics go without the outbox", zap.Error(err))
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

// add adds what another outbox holds: while a reload changes the file, two are
// open.
func (c contents) add(other contents) {
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

// contents reads what the outbox holds, by accounts that are configured or
// have entries.
func (p *pooledOutbox) contents(ctx context.Context) (contents, error) {
	counts, err := p.store.Counts(ctx)
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
	for _, status := range p.engine.Status() {
		see(label(status.Account))
	}
	for _, count := range counts {
		name := label(count.Account)
		see(name)[count.State] += count.Entries
		if count.State != outbox.Waiting || count.Entries == 0 {
			continue
		}
		oldest, err := p.store.List(ctx, outbox.Filter{State: outbox.Waiting, Account: count.Account, Limit: 1})
		if err != nil {
			return contents{}, fmt.Errorf("account %s: %w", count.Account, err)
		}
		if len(oldest) > 0 {
			c.oldest[name] = oldest[0].CreatedAt
		}
	}
	return c, nil
}
