package delivery

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// stall is an outbox whose disk does not answer for that long, and what then becomes of the write.
type stall struct {
	takes  time.Duration
	failed error
}

// lateStory is one visitor's lead in a stall, past which it is sent at once.
type lateStory struct {
	way   way
	known bool
	wait  time.Duration // above 0: the lane begins the attempt with the append
	stall stall
	fault string        // what the lead meets that is sent at once; empty: nothing
	after time.Duration // how long after Submit it is sent
	crash bool          // the process dies before the stall ends, and the write is on disk
}

// A lead that the outbox does not keep in time is sent past it, and the append that comes through
// later sends nothing twice: no action, no lead. What could not be sent past it is delivered.
func TestLateAppend(t *testing.T) {
	t.Parallel()
	const long = appendTimeout + 5*time.Second
	for name, story := range map[string]lateStory{
		"comes later":                     {stall: stall{takes: long}},
		"comes while the lead is sent":    {stall: stall{takes: appendTimeout + time.Second}},
		"comes before the lead is sent":   {stall: stall{takes: appendTimeout + time.Second}, after: 2 * time.Second},
		"comes as the patience ends":      {stall: stall{takes: appendTimeout}},
		"comes an hour later":             {stall: stall{takes: time.Hour}},
		"fails":                           {stall: stall{takes: long, failed: errors.New("input/output error")}},
		"the answer is lost":              {stall: stall{takes: long}, fault: sandbox.FaultDroppedAfterStore},
		"the request is lost":             {stall: stall{takes: long}, fault: sandbox.FaultDropped},
		"TeleCRM is down for a moment":    {stall: stall{takes: long}, fault: sandbox.FaultServerError},
		"an answer lost while it is kept": {stall: stall{takes: appendTimeout + time.Second}, fault: sandbox.FaultSlowAfterStore},
	} {
		for wayName, way := range ways() {
			for _, known := range []bool{false, true} {
				for _, wait := range []time.Duration{0, 3 * time.Second} {
					story.way, story.known, story.wait = way, known, wait
					t.Run(name+"/"+wayName+map[bool]string{true: "/known", false: "/new"}[known]+map[bool]string{true: "/later", false: "/now"}[wait == 0], func(t *testing.T) {
						t.Parallel()
						story.play(t)
					})
				}
			}
		}
	}
}

// If the process dies between, an attempt that was to begin with the append is looked into.
func TestCrashBeforeTheLateAppend(t *testing.T) {
	t.Parallel()
	for wayName, way := range ways() {
		for _, known := range []bool{false, true} {
			t.Run(wayName+map[bool]string{true: "/known", false: "/new"}[known], func(t *testing.T) {
				t.Parallel()
				lateStory{
					way: way, known: known, wait: 3 * time.Second, crash: true, stall: stall{takes: time.Hour},
				}.play(t)
			})
		}
	}
}

func (story lateStory) play(t *testing.T) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, story.way, situation{known: story.known, configure: func(c *sandbox.Config) { c.Latency = 1500 * time.Millisecond }})
		defer w.crm.Close()
		account := w.account(t)
		w.liveWith(t, account)
		time.Sleep(time.Minute) // in which it learns which fields are locked
		w.store.stalls(story.stall.takes, story.stall.failed)
		s := w.submission(entryID)
		_, err := w.engine.Submit(t.Context(), s, story.wait)
		var direct outbox.Settlement
		if err != nil {
			time.Sleep(story.after)
			if story.fault != "" {
				w.crm.Inject(sandbox.Faults()[story.fault])
			}
			direct = w.sendOnce(t, account, s)
		}
		if story.crash {
			w.store.land()
			w.die()
			w.liveWith(t, account)
			time.Sleep(time.Second)
		}
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if err := w.engine.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		story.check(t, w, direct)
	})
}

// sendOnce sends a lead past the outbox, within a visitor's budget, unless the outbox has it.
func (w *world) sendOnce(t *testing.T, account Account, s Submission) outbox.Settlement {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	settlement, _, err := w.engine.SendOnce(ctx, account, s, func() { t.Error("sent ahead of its turn") })
	if err != nil && !errors.Is(err, ErrKept) {
		t.Error(err)
	}
	return settlement
}

func (story lateStory) check(t *testing.T, w *world, direct outbox.Settlement) {
	t.Helper()
	if n := w.notes(); n > 1 {
		t.Errorf("the action is there %d times: %v", n, w.requests)
	}
	if n := len(w.crm.Leads()); n > 1 {
		t.Errorf("there are %d leads: %v", n, w.requests)
	}
	entry, err := w.store.Get(t.Context(), entryID)
	if story.stall.failed != nil {
		if err == nil {
			t.Errorf("the append that failed left an entry: %+v", entry)
		}
		return
	}
	switch {
	case errors.Is(err, outbox.ErrNotFound) && direct.State == outbox.Delivered: // withdrawn
	case err != nil:
		t.Errorf("the entry: %v", err)
	case entry.State == outbox.Waiting:
		t.Errorf("it waits still: %s; %v", entry.Reason, w.requests)
	case entry.State == outbox.Delivered:
		w.checkDelivered(t, entry)
	case direct.State == outbox.Delivered && (!story.crash || !story.way.asyncOnly): // nobody can find out what the Async API did
		t.Errorf("it was delivered at once, and is parked: %s; %v", entry.Reason, w.requests)
	}
	if w.engine.appends.size() != 0 {
		t.Error("something of it is left in memory")
	}
}
