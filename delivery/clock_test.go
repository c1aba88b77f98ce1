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

// process is one run of Caddy in a test.
type process struct {
	clock    time.Duration // the error of the system clock
	downtime time.Duration // before the process starts
	uptime   time.Duration
	crm      *time.Duration // the error of TeleCRM's clock; nil: no request
	parks    bool           // an entry is parked at the start
	expired  bool           // the entry has expired at the end
}

// Parked entries are kept for 90 days, even if the clock is wrong, and not much longer once it can
// be trusted.
func TestExpiryDoesNotBelieveEveryClock(t *testing.T) {
	t.Parallel()
	const years = 73 * 365 * day
	right := new(time.Duration(0))
	for name, lives := range map[string][]process{
		"right":                     {{parks: true, uptime: 100 * day, expired: true}},
		"right, restarted daily":    append([]process{{parks: true, uptime: day}}, append(slices.Repeat([]process{{downtime: time.Hour, uptime: day}}, 85), process{downtime: time.Hour, uptime: 3 * day, expired: true})...),
		"long downtime":             {{parks: true, uptime: 10 * day}, {downtime: 100 * day, uptime: time.Hour, crm: right, expired: true}},
		"long downtime, no request": {{parks: true, uptime: 10 * day}, {downtime: 100 * day, uptime: time.Hour}},
		"ahead":                     {{parks: true, uptime: 10 * day}, {clock: years, uptime: 10 * day}},
		"ahead, requests":           {{parks: true, uptime: 10 * day}, {clock: years, uptime: 10 * day, crm: right}},
		"ahead from the start":      {{clock: years, parks: true, uptime: 10 * day}, {uptime: 10 * day}},
		"ahead by two days":         {{parks: true, uptime: 89 * day}, {clock: 2 * day, uptime: time.Hour}},
		"ahead, then right":         {{parks: true, uptime: 80 * day}, {clock: years, uptime: day, crm: right}, {uptime: 5 * day, crm: right}, {uptime: 90 * day, crm: right, expired: true}},
		"behind":                    {{uptime: 100 * day}, {clock: -years, parks: true, uptime: day}, {uptime: day}, {uptime: day, crm: right}, {uptime: 90 * day, expired: true}},
		"behind from the start": {
			{clock: -years, parks: true, uptime: day}, {uptime: day}, {uptime: day, crm: right}, {uptime: 90 * day, expired: true},
		},
		"TeleCRM's is wrong":               {{parks: true, uptime: 80 * day, crm: new(years)}, {uptime: 20 * day, crm: new(years)}},
		"no request for long, but running": {{parks: true, uptime: 10 * day}, {downtime: 30 * day, uptime: 100 * day, expired: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newMemory()
				for i, l := range lives {
					time.Sleep(l.downtime)
					l.run(t, store)
					if expired := len(store.entries) == 0 && slices.ContainsFunc(lives[:i+1], func(l process) bool { return l.parks }); expired != l.expired {
						t.Errorf("process %d: expired %v, want %v", i+1, expired, l.expired)
					}
				}
			})
		})
	}
}

func (l process) run(t *testing.T, store *memory) {
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
	time.Sleep(l.uptime - time.Since(begin))
	if err := e.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}
