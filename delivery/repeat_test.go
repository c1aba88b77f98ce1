package delivery

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// A lead that the outbox refuses as a repeat is not sent, and leaves neither a slot nor its
// identifier taken.
func TestRepeats(t *testing.T) {
	for name, wait := range map[string]time.Duration{"now": 3 * time.Second, "later": 0} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, &fakeCRM{create: created}, func(r *rig) {
				mark := outbox.Mark{Key: "the same lead", For: time.Minute}
				submission := func(n int) Submission {
					return Submission{
						ID: fmt.Sprintf("01900000-0000-7000-9000-%012d", n), Account: "default", Form: "enquiry", Mark: mark,
						Job: Job{Lead: telecrm.Lead{Fields: map[string]any{"phone": phoneA}}},
					}
				}
				if _, err := r.engine.Submit(context.Background(), submission(0), wait); err != nil {
					r.t.Fatal(err)
				}
				synctest.Wait()
				if e := r.entry(submission(0).ID); e.State != outbox.Delivered || e.Mark != mark {
					r.t.Fatalf("entry %+v", e)
				}
				r.store.setError(&outbox.RepeatError{ID: submission(0).ID})
				begun := time.Now()
				for n := range 2 * maxWindow {
					_, submitted := r.engine.Submit(context.Background(), submission(1+n), wait)
					parked := r.engine.Park(context.Background(), submission(1+n), "possible spam")
					for _, err := range []error{submitted, parked} {
						if repeat, is := errors.AsType[*outbox.RepeatError](err); !is || repeat.ID != submission(0).ID {
							r.t.Fatalf("error %v", err)
						}
					}
				}
				if took := time.Since(begun); took > 0 {
					r.t.Errorf("repeats waited %v", took)
				}
				r.store.setError(nil)
				synctest.Wait()
				if calls, appends := len(r.crm.calls()), r.engine.appends.size(); calls != 1 || appends != 0 {
					r.t.Errorf("%d requests, %d appends in flight", calls, appends)
				}
				id, _ := r.submit(phoneA, wait)
				synctest.Wait()
				if e := r.entry(id); e.State != outbox.Delivered {
					r.t.Errorf("a later lead is %+v", e)
				}
			})
		})
	}
}
