package dailycheck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

const page = `<form method="post" action="/enquire"><label>Phone <input name="phone" type="tel" autocomplete="tel" required></label></form>`

// bench is a running config with a form, and the log of its checks.
type bench struct {
	t   *testing.T
	key string // of the workspace

	mu      sync.Mutex
	page    string
	failure *telecrm.Answer
	waitErr error
	waits   time.Duration
	takes   time.Duration // to read the config

	learned []string
	asked   atomic.Int64
	log     *observer.ObservedLogs
	logger  *zap.Logger
	running *Daily
}

// benches counts them, because what is known of a workspace outlives a test.
var benches atomic.Int64

func newBench(t *testing.T) *bench {
	t.Helper()
	core, log := observer.New(zap.DebugLevel)
	b := &bench{t: t, key: fmt.Sprint("workspace ", benches.Add(1)), page: page, log: log, logger: zap.New(core)}
	b.start()
	return b
}

// set changes what the next check sees.
func (b *bench) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func (b *bench) start() { b.running = Start(Config{Read: b.read, Logger: b.logger}) }

// reload starts the next config before it stops the one before, as Caddy does.
func (b *bench) reload() {
	before := b.running
	b.start()
	before.Stop()
}

func (b *bench) read() (*check.Config, map[*check.Account]Account, error) {
	b.mu.Lock()
	takes, page, waits, waitErr := b.takes, b.page, b.waits, b.waitErr
	b.mu.Unlock()
	time.Sleep(takes)
	a := &check.Account{Name: "default", Identifier: "phone"}
	f := &check.Form{
		Name: "/enquire", Account: a, Takes: func(_, path string) bool { return path == "/enquire" },
		Fields: []mapping.Field{{Name: "phone"}}, Country: "IN", ThankYou: "/",
	}
	site := &check.Site{Files: fstest.MapFS{"index.html": {Data: []byte(page)}}, Root: "site", Forms: []*check.Form{f}}
	reached := Account{
		Key: b.key, API: (*workspace)(b),
		Wait: func(ctx context.Context) error {
			select {
			case <-time.After(waits):
			case <-ctx.Done():
			}
			return waitErr
		},
		Learn: func(fields []telecrm.FieldDefinition, _ time.Time) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.learned = nil
			for _, field := range fields {
				b.learned = append(b.learned, field.APIName)
			}
		},
	}
	return &check.Config{Sites: []*check.Site{site}, Accounts: []*check.Account{a}}, map[*check.Account]Account{a: reached}, nil
}

// workspace is TeleCRM.
type workspace bench

func (w *workspace) FieldDefinitions(context.Context) telecrm.Definitions {
	w.asked.Add(1)
	w.mu.Lock()
	failure := w.failure
	w.mu.Unlock()
	if failure != nil {
		return telecrm.Definitions{Failure: failure}
	}
	return telecrm.Definitions{Fields: []telecrm.FieldDefinition{{APIName: "phone", Type: "PHONE", Identifier: true}}}
}

func (w *workspace) ActionDefinitions(context.Context) telecrm.ActionDefinitions {
	w.asked.Add(1)
	return telecrm.ActionDefinitions{}
}

func (w *workspace) Pipeline(context.Context) telecrm.Pipeline {
	w.asked.Add(1)
	return telecrm.Pipeline{Statuses: []string{"Fresh"}}
}

func (w *workspace) Member(context.Context, string) telecrm.Member { return telecrm.Member{} }

// pass lets time pass, and returns what was logged meanwhile.
func (b *bench) pass(d time.Duration) []string {
	time.Sleep(d)
	synctest.Wait()
	var lines []string
	for _, entry := range b.log.TakeAll() {
		lines = append(lines, fmt.Sprintf("%s %s", entry.Level, entry.ContextMap()["code"]))
	}
	return lines
}

func (b *bench) expect(d time.Duration, want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.pass(d)); diff != "" {
		b.t.Errorf("logged (-want +got):\n%s", diff)
	}
}

const (
	afterStart = 3 * time.Second
	day        = interval + interval/8 + time.Minute
)

// A finding is logged once when it appears and once when it is gone, whatever reloads there are, and
// TeleCRM is asked once a day.
func TestChangesAreLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.expect(firstDelay - time.Millisecond)
		if Last() != nil {
			t.Error("checked during the start")
		}
		b.expect(afterStart)
		if b.asked.Load() != 3 || !slices.Equal(b.learned, []string{"phone"}) || len(Last().Report.Findings) > 0 {
			t.Errorf("asked %d times, learned %q, found %v", b.asked.Load(), b.learned, Last().Report.Findings)
		}
		b.set(func() { b.page = strings.Replace(page, `name="phone"`, `name="fone"`, 1) })
		b.reload()
		b.expect(afterStart, "warn input-not-in-form", "warn input-not-mapped")
		for range 3 {
			b.reload()
			b.expect(afterStart)
		}
		if b.asked.Load() != 3 {
			t.Errorf("asked %d times after reloads", b.asked.Load())
		}
		b.expect(day)
		if b.asked.Load() != 6 {
			t.Errorf("asked %d times after a day", b.asked.Load())
		}
		b.set(func() { b.page = page })
		b.expect(day, "info input-not-in-form", "info input-not-mapped")
		if got := Last(); !slices.Equal(got.Forms, []string{"/enquire"}) || time.Since(got.At) > day {
			t.Errorf("got %+v", got)
		}
		b.set(func() { b.page = strings.Replace(page, ` autocomplete="tel"`, "", 1) })
		b.expect(day, "info autocomplete-missing")
		b.running.Stop()
		b.set(func() { b.page = "x" })
		b.expect(2 * day)
		if Last() != nil {
			t.Error("a stopped check has a result")
		}
	})
}

// A config that is not checked has no result, and one that fails to start changes nothing.
func TestConfigsWithoutTheCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.expect(afterStart)
		before := Last()
		unchecked := Off()
		if Last() != nil {
			t.Error("a config that is not checked has a result")
		}
		unchecked.Stop()
		if Last() != before || before == nil {
			t.Errorf("got %v, want %v", Last(), before)
		}
		b.running.Stop()
	})
}

// While TeleCRM does not answer, what was known before counts. What could not be found out is asked
// again in an hour.
func TestWorkspaceThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer func() { b.running.Stop() }()
		b.set(func() { b.failure = &telecrm.Answer{Verdict: telecrm.Retry, Err: errors.New("no route to host")} })
		b.expect(afterStart, "warn workspace-unavailable")
		b.set(func() { b.failure = &telecrm.Answer{Verdict: telecrm.Retry, Status: 502} })
		b.expect(retryDelay + retryDelay/8)
		b.set(func() { b.failure = nil })
		b.expect(retryDelay+retryDelay/8, "info workspace-unavailable")
		b.set(func() { b.failure = &telecrm.Answer{Verdict: telecrm.Retry, Status: 502} })
		b.expect(2 * day)
		b.set(func() {
			b.failure = &telecrm.Answer{Verdict: telecrm.Hold, Status: 401, Code: telecrm.CodeNotAuthorized}
		})
		b.expect(day, "warn token-refused")
	})
}

// An account on hold is not asked, and nothing is said about it. The check is made again in an hour.
func TestAccountOnHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer func() { b.running.Stop() }()
		b.set(func() { b.waitErr = delivery.ErrOnHold })
		b.expect(afterStart)
		if b.asked.Load() != 0 || Last() == nil {
			t.Errorf("asked %d times, found %v", b.asked.Load(), Last())
		}
		b.set(func() { b.waitErr = nil })
		b.expect(retryDelay + retryDelay/8)
		if b.asked.Load() != 3 {
			t.Errorf("asked %d times after the hold", b.asked.Load())
		}
	})
}

// A check that waits for leads ends with its config.
func TestStopEndsTheCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.set(func() { b.waits = time.Minute })
		b.expect(afterStart)
		start := time.Now()
		b.running.Stop()
		if took := time.Since(start); took > 0 || Last() != nil {
			t.Errorf("took %v, published %v", took, Last())
		}
	})
}

// A disk that does not answer does not delay a reload, and what it says later does not count.
func TestStopDoesNotWaitForADisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.set(func() { b.takes = time.Minute })
		b.expect(afterStart)
		start := time.Now()
		b.running.Stop()
		if took := time.Since(start); took != stopPatience {
			t.Errorf("took %v", took)
		}
		b.expect(2 * time.Minute)
		if Last() != nil {
			t.Errorf("published %v", Last())
		}
	})
}

// However many findings there are, the log stays short.
func TestFewLinesForManyFindings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer func() { b.running.Stop() }()
		var inputs strings.Builder
		for i := range 300 {
			fmt.Fprintf(&inputs, `<label>X <input name="x%d"></label>`, i)
		}
		b.set(func() { b.page = strings.Replace(page, "</form>", inputs.String()+"</form>", 1) })
		if lines := b.pass(afterStart); len(lines) != maxLogged+1 || len(Last().Report.Findings) != 300 {
			t.Errorf("logged %d lines for %d findings", len(lines), len(Last().Report.Findings))
		}
		b.set(func() { b.page = page })
		if lines := b.pass(day); len(lines) != maxLogged+1 {
			t.Errorf("logged %d lines", len(lines))
		}
	})
}
