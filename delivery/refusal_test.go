package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// If TeleCRM refuses the leads of different people for the same reason, the account is at fault: at
// most one visitor is asked to correct a lead, no lead stays parked, and every lead is delivered
// after TeleCRM is fixed.
func TestEveryLeadRefused(t *testing.T) {
	var fixed atomic.Bool
	inBubble(t, brokenUntil(&fixed, rejected), func(r *rig) {
		var ids []string
		blamed := 0
		for i := range 60 {
			id, outcome := r.submit(fmt.Sprintf("9181234567%02d", i), 3*time.Second)
			ids = append(ids, id)
			if outcome.State == outbox.Parked {
				blamed++
			}
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		r.t.Logf("%d of %d visitors were asked to correct their lead; %d requests", blamed, len(ids), len(r.crm.calls()))
		if blamed > 1 {
			r.t.Errorf("%d visitors were asked to correct their lead", blamed)
		}
		for _, id := range ids {
			if e := r.entry(id); e.State != outbox.Waiting {
				r.t.Errorf("a lead is %s: %s", e.State, e.Reason)
			}
		}
		if s := r.engine.Status()[0]; !s.Held || !strings.Contains(s.HeldReason, "HTTP 400 INVALID_LEAD") {
			r.t.Errorf("status %+v", s)
		}
		fixed.Store(true)
		time.Sleep(12 * time.Minute)
		synctest.Wait()
		for _, id := range ids {
			if e := r.entry(id); e.State != outbox.Delivered {
				r.t.Errorf("a lead is %s: %s", e.State, e.Reason)
			}
		}
		if got := r.eventLog(); !slices.Equal(got, []string{"held default", "resumed default"}) {
			r.t.Errorf("events %v", got)
		}
	})
}

// The same holds if all leads are refused before any of them is recorded.
func TestEveryLeadRefusedAtOnce(t *testing.T) {
	var fixed atomic.Bool
	fixed.Store(true)
	crm := brokenUntil(&fixed, rejected)
	answer := crm.create
	crm.create = func(ctx context.Context, n int, lead telecrm.Lead) telecrm.Answer {
		time.Sleep(time.Second)
		return answer(ctx, n, lead)
	}
	inBubble(t, crm, func(r *rig) {
		for i := range 20 { // opens the window
			r.submit(fmt.Sprintf("9181234566%02d", i), time.Hour)
		}
		fixed.Store(false)
		var ids []string
		for i := range 20 {
			id, _ := r.submit(fmt.Sprintf("9181234567%02d", i), 0)
			ids = append(ids, id)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		for _, id := range ids {
			if e := r.entry(id); e.State != outbox.Waiting {
				r.t.Errorf("a lead is %s: %s", e.State, e.Reason)
			}
		}
		fixed.Store(true)
		r.resume("default", true)
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, id := range ids {
			if e := r.entry(id); e.State != outbox.Delivered {
				r.t.Errorf("a lead is %s: %s", e.State, e.Reason)
			}
		}
	})
}

// While TeleCRM accepts other leads, refused leads are parked and their visitors are asked to
// correct them, even if several follow each other.
func TestSomeLeadsRefused(t *testing.T) {
	crm := poisonCRM(rejected)
	inBubble(t, crm, func(r *rig) {
		var bad, good []string
		blamed := 0
		for i := range 50 {
			phone := fmt.Sprintf("918123456%03d", i)
			if refused := i%10 < 5; refused {
				phone = fmt.Sprintf("%s%02d", poisonPrefix, i)
			}
			id, outcome := r.submit(phone, 3*time.Second)
			if strings.HasPrefix(phone, poisonPrefix) {
				bad = append(bad, id)
			} else {
				good = append(good, id)
			}
			if outcome.State == outbox.Parked {
				blamed++
			}
			time.Sleep(5 * time.Second)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		for _, id := range bad {
			if e := r.entry(id); e.State != outbox.Parked || e.Reason != rejected.Reason() {
				r.t.Errorf("a refused lead is %s: %s", e.State, e.Reason)
			}
		}
		r.t.Logf("%d visitors were asked to correct their lead", blamed)
		if wait := r.longestWait(good); wait > time.Minute {
			r.t.Errorf("another lead waited %v", wait)
		}
		if blamed == 0 {
			r.t.Error("no visitor was asked to correct their lead")
		}
	})
}

// Refusals of one person do not put the account on hold. The person is asked each time to correct
// the number, unless it was submitted recently.
func TestOnePersonRefused(t *testing.T) {
	inBubble(t, &fakeCRM{create: answers(rejected)}, func(r *rig) {
		for range 10 {
			if _, outcome := r.submit(phoneA, 3*time.Second); outcome.State != outbox.Parked || outcome.Answer.Verdict != telecrm.Rejected {
				r.t.Errorf("outcome %+v", outcome)
			}
			time.Sleep(11 * time.Minute)
			synctest.Wait()
		}
		if s := r.engine.Status()[0]; s.Held {
			r.t.Errorf("status %+v", s)
		}
	})
}

// If every lead of one form is refused and those of another are accepted, at most one visitor is
// asked to correct a lead, and nothing is put on hold.
func TestOneFormRefused(t *testing.T) {
	inBubble(t, poisonCRM(rejected), func(r *rig) {
		blamed := 0
		for i := range 20 {
			outcome, err := r.engine.Submit(context.Background(), Submission{
				ID: fmt.Sprintf("01900000-0000-7000-9000-%012d", i), Account: "default", Form: "callback",
				Job: Job{Lead: telecrm.Lead{Fields: map[string]any{"phone": fmt.Sprintf("%s%02d", poisonPrefix, i)}}},
			}, 3*time.Second)
			if err != nil {
				r.t.Fatal(err)
			}
			if outcome.State == outbox.Parked {
				blamed++
			}
			synctest.Wait()
			if _, outcome := r.submit(fmt.Sprintf("918123456%03d", i), 3*time.Second); outcome.State != outbox.Delivered {
				r.t.Errorf("a lead of another form is %s", outcome.State)
			}
			synctest.Wait()
		}
		if blamed > 1 {
			r.t.Errorf("%d visitors were asked to correct their lead", blamed)
		}
		if got := r.eventLog(); len(got) != 0 {
			r.t.Errorf("events %v", got)
		}
	})
}

// A new identifier in the configuration is tried at once.
func TestRefusalsEndWithAnotherIdentifier(t *testing.T) {
	var fixed atomic.Bool
	inBubble(t, brokenUntil(&fixed, rejected), func(r *rig) {
		for i := range refusalStreak {
			r.submit(fmt.Sprintf("9181234567%02d", i), 0)
			synctest.Wait()
		}
		if s := r.engine.Status()[0]; !s.Held {
			r.t.Fatalf("status %+v", s)
		}
		fixed.Store(true)
		r.config.Accounts[0].Identifier = "email"
		r.engine.Configure(r.config)
		synctest.Wait()
		if n := len(r.settledAs(outbox.Delivered)); n != refusalStreak {
			r.t.Errorf("%d leads delivered, want %d", n, refusalStreak)
		}
	})
}
