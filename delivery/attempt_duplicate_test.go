package delivery

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/sandbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// inWorld plays a story without a death, after setting up the account, and returns when each
// request was made.
func inWorld(t *testing.T, way way, s situation, setUp func(*world, *Account), check func(*world, []time.Time)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, way, s)
		defer w.crm.Close()
		account := w.account(t)
		setUp(w, &account)
		var asked []time.Time
		w.asked = func() { asked = append(asked, time.Now()) }
		w.liveWith(t, account)
		w.submit()
		w.pass()
		if err := w.engine.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		check(w, asked)
	})
}

// Every request for a known person waits for its turn under crm_rate.
func TestKnownPersonKeepsThePace(t *testing.T) {
	t.Parallel()
	inWorld(t, ways()["update"], situations()["id in search"], func(_ *world, account *Account) {
		account.Rate, account.Burst, account.Updates = 0.1, 1, false
	}, func(w *world, asked []time.Time) {
		if len(asked) != 4 {
			t.Fatalf("%d requests, want 4: %v", len(asked), w.requests)
		}
		for i := 1; i < len(asked); i++ {
			if gap := asked[i].Sub(asked[i-1]); gap < 10*time.Second-time.Millisecond {
				t.Errorf("request %d came %v after the one before", i+1, gap)
			}
		}
	})
}

// A Retry-After in the middle puts the rest off, and nothing before it is done again but the
// harmless.
func TestRetryAfterBetweenSteps(t *testing.T) {
	t.Parallel()
	for _, op := range []sandbox.Op{sandbox.OpSearch, sandbox.OpUpdate, sandbox.OpAppend} {
		t.Run(string(op), func(t *testing.T) {
			t.Parallel()
			inWorld(t, ways()["update"], situations()["id in search"], func(w *world, account *Account) {
				account.Updates = false
				w.crm.Inject(sandbox.Fault{
					Op: op, Status: http.StatusTooManyRequests, Body: `{"error":{"code":"TOO_MANY_REQUESTS"}}`,
					Header: http.Header{"Retry-After": {"60"}},
				})
			}, func(w *world, asked []time.Time) {
				last := slices.IndexFunc(w.requests, func(r string) bool { return strings.HasSuffix(r, suffixOf(op)) })
				if gap := asked[last+1].Sub(asked[last]); gap < time.Minute {
					t.Errorf("asked again after %v: %v", gap, w.requests)
				}
				w.check(t)
				if n := w.notes(); n != 1 {
					t.Errorf("the action is there %d times", n)
				}
			})
		})
	}
}

func suffixOf(op sandbox.Op) string {
	return map[sandbox.Op]string{sandbox.OpSearch: "/search", sandbox.OpUpdate: "/old", sandbox.OpAppend: "/action"}[op]
}

// What was not stored of a second enquiry is remarked, under its name.
func TestRemarksOfASecondEnquiry(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		s    string
		want []string // fields of the remarks
	}{
		"a locked field":   {"id remembered", []string{"fields.source"}},
		"a refused update": {"update refused", []string{"fields.source", "fields"}},
		"a dropped value":  {"update drops", []string{"fields.source", "fields.rating"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, ways()["update"], situations()[test.s])
				defer w.crm.Close()
				var got []string
				w.hooks.Settled = func(_ outbox.Entry, _ outbox.Settlement, answer telecrm.Answer) {
					for _, remark := range answer.Remarks {
						got = append(got, remark.Field)
						if remark.Status == "" || remark.Text == "" {
							t.Errorf("a remark says too little: %+v", remark)
						}
					}
				}
				w.live(t)
				w.submit()
				w.pass()
				if err := w.engine.Stop(t.Context()); err != nil {
					t.Error(err)
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("remarks about %v, want %v", got, test.want)
				}
			})
		})
	}
}

// An entry that has begun one way stays when the account's tokens no longer allow it.
func TestTokensTakenAway(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]string{"update": stepUpdate, "append": stepAppend, "upsert": stepUpsert} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &attempt{
				account: &Account{},
				entry:   outbox.Entry{Step: step, LeadID: "64c1"},
				now:     time.Now,
				runner:  directRunner{},
			}
			s := e.run(t.Context()).settlement
			if s.State != outbox.Parked || !strings.Contains(s.Reason, "token") || s.Step != step || s.LeadID != "64c1" {
				t.Errorf("settled as %+v", s)
			}
		})
	}
}

// An attempt that never reached TeleCRM is not taken for the one that created the lead, when
// another enquiry of the same person did so since.
func TestAnotherEnquiryCreatedTheLead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		way       string
		delivered bool
	}{
		"with actions":    {"actions", true},
		"to be updated":   {"update, no actions", true},
		"with nothing":    {"actions, none", false},
		"to be parked":    {"park", false},
		"by an async one": {"upsert", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, shapes := range []func(*sandbox.Config){nil, func(c *sandbox.Config) { c.LiveShapes = true }} {
				synctest.Test(t, func(t *testing.T) {
					const beforeCreate = 3
					w := newWorld(t, ways()[test.way], situation{configure: shapes}, beforeCreate)
					defer w.crm.Close()
					w.live(t)
					w.mu.Lock()
					w.moments = 0
					w.mu.Unlock()
					w.submit()
					w.pass()
					w.die()
					time.Sleep(time.Second)
					w.s.remembered = true
					w.createKnown()
					w.live(t)
					w.pass()
					if err := w.engine.Stop(t.Context()); err != nil {
						t.Error(err)
					}
					w.check(t)
					entry, err := w.store.Get(t.Context(), entryID)
					if err != nil || entry.State == outbox.Delivered != test.delivered {
						t.Errorf("entry is %s: %s; %v", entry.State, entry.Reason, w.requests)
					}
				})
			}
		})
	}
}
