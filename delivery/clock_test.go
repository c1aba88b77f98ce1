package delivery

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

const day = 24 * time.Hour

// life is one process: with which clock it starts, how long it runs, and by how much TeleCRM's
// clock differs when it is asked.
type life struct {
	clock   time.Duration // how far the machine's clock is from the truth
	off     time.Duration // for how long the machine was off before
	runs    time.Duration
	crm     *time.Duration // how far TeleCRM's clock is from the truth; nil: it is not asked
	parks   bool           // an entry is parked as it starts
	expired bool           // an entry has expired when it ends
}

// Parked entries are kept for 90 days, whatever the clock shows, and for no longer than the clock
// needs to be trusted.
func TestExpiryDoesNotBelieveEveryClock(t *testing.T) {
	t.Parallel()
	const years = 73 * 365 * day
	right := new(time.Duration(0))
	for name, lives := range map[string][]life{
		"right":                    {{parks: true, runs: 100 * day, expired: true}},
		"right, restarted daily":   append([]life{{parks: true, runs: day}}, append(slices.Repeat([]life{{off: time.Hour, runs: day}}, 85), life{off: time.Hour, runs: 3 * day, expired: true})...),
		"off for long":             {{parks: true, runs: 10 * day}, {off: 100 * day, runs: time.Hour, crm: right, expired: true}},
		"off for long, not asked":  {{parks: true, runs: 10 * day}, {off: 100 * day, runs: time.Hour}},
		"ahead":                    {{parks: true, runs: 10 * day}, {clock: years, runs: 10 * day}},
		"ahead, asked":             {{parks: true, runs: 10 * day}, {clock: years, runs: 10 * day, crm: right}},
		"ahead from the beginning": {{clock: years, parks: true, runs: 10 * day}, {runs: 10 * day}},
		"ahead by two days":        {{parks: true, runs: 89 * day}, {clock: 2 * day, runs: time.Hour}},
		"ahead, then right":        {{parks: true, runs: 80 * day}, {clock: years, runs: day, crm: right}, {runs: 5 * day, crm: right}, {runs: 90 * day, crm: right, expired: true}},
		"behind":                   {{runs: 100 * day}, {clock: -years, parks: true, runs: day}, {runs: day}, {runs: day, crm: right}, {runs: 90 * day, expired: true}},
		"behind from the beginning": {
			{clock: -years, parks: true, runs: day}, {runs: day}, {runs: day, crm: right}, {runs: 90 * day, expired: true},
		},
		"the CRM's is wrong":              {{parks: true, runs: 80 * day, crm: new(years)}, {runs: 20 * day, crm: new(years)}},
		"not asked for long, but running": {{parks: true, runs: 10 * day}, {off: 30 * day, runs: 100 * day, expired: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newMemory()
				for i, l := range lives {
					time.Sleep(l.off)
					l.live(t, store)
					if expired := len(store.entries) == 0 && slices.ContainsFunc(lives[:i+1], func(l life) bool { return l.parks }); expired != l.expired {
						t.Errorf("life %d: expired %v, want %v", i+1, expired, l.expired)
					}
				}
			})
		})
	}
}

func (l life) live(t *testing.T, store *memory) {
	t.Helper()
	begin := time.Now()
	e := newEngine(store, func() time.Time { return time.Now().Add(l.clock) })
	e.Configure(Config{KeepParked: 90 * day, KeepDelivered: 7 * day})
	if l.parks {
		now := e.now()
		if err := store.Append(t.Context(), outbox.Entry{ID: "1", State: outbox.Parked, CreatedAt: now, SettledAt: now}); err != nil {
			t.Fatal(err)
		}
	}
	if l.crm != nil {
		e.compareClock(telecrm.Answer{Date: time.Now().Add(*l.crm)})
	}
	time.Sleep(l.runs - time.Since(begin))
	if err := e.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}
