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
)

// simulate runs a simulation without a crash and passes the time of each request to check.
func simulate(t *testing.T, policy policyCase, s scenario, setUp func(*simulation, *Account), check func(*simulation, []time.Time)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulation(t, policy, s)
		defer sim.crm.Close()
		account := sim.account(t)
		setUp(sim, &account)
		var asked []time.Time
		sim.asked = func() { asked = append(asked, time.Now()) }
		sim.startWith(t, account)
		sim.submit()
		sim.await()
		if err := sim.engine.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		check(sim, asked)
	})
}

// Every request for an existing lead keeps the rate limit.
func TestDuplicateKeepsRateLimit(t *testing.T) {
	t.Parallel()
	simulate(t, policyCases()["update"], scenarios()["id in search"], func(_ *simulation, account *Account) {
		account.Rate, account.Burst, account.Updates = 0.1, 1, false
	}, func(sim *simulation, asked []time.Time) {
		if len(asked) != 4 {
			t.Fatalf("%d requests, want 4: %v", len(asked), sim.requests)
		}
		for i := 1; i < len(asked); i++ {
			if gap := asked[i].Sub(asked[i-1]); gap < 10*time.Second-time.Millisecond {
				t.Errorf("request %d came %v after the previous one", i+1, gap)
			}
		}
	})
}

// A Retry-After between two steps postpones the rest of the attempt. Earlier steps are repeated
// only if that is harmless.
func TestRetryAfterBetweenSteps(t *testing.T) {
	t.Parallel()
	for _, op := range []sandbox.Op{sandbox.OpSearch, sandbox.OpUpdate, sandbox.OpAppend} {
		t.Run(string(op), func(t *testing.T) {
			t.Parallel()
			simulate(t, policyCases()["update"], scenarios()["id in search"], func(sim *simulation, account *Account) {
				account.Updates = false
				sim.crm.Inject(sandbox.Fault{
					Op: op, Status: http.StatusTooManyRequests, Body: `{"error":{"code":"TOO_MANY_REQUESTS"}}`,
					Header: http.Header{"Retry-After": {"60"}},
				})
			}, func(sim *simulation, asked []time.Time) {
				last := slices.IndexFunc(sim.requests, func(r string) bool { return strings.HasSuffix(r, suffixOf(op)) })
				if gap := asked[last+1].Sub(asked[last]); gap < time.Minute {
					t.Errorf("next request after %v: %v", gap, sim.requests)
				}
				sim.check(t)
				if n := sim.countNotes(); n != 1 {
					t.Errorf("the action was stored %d times", n)
				}
			})
		})
	}
}

func suffixOf(op sandbox.Op) string {
	return map[sandbox.Op]string{sandbox.OpSearch: "/search", sandbox.OpUpdate: "/old", sandbox.OpAppend: "/action"}[op]
}

// Values that TeleCRM does not store in an existing lead are reported as remarks.
func TestDuplicateRemarks(t *testing.T) {
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
				sim := newSimulation(t, policyCases()["update"], scenarios()[test.s])
				defer sim.crm.Close()
				var got []string
				sim.hooks.Settled = func(r Report) {
					answer := r.Answer
					for _, remark := range answer.Remarks {
						got = append(got, remark.Field)
						if remark.Status == "" || remark.Text == "" {
							t.Errorf("incomplete remark: %+v", remark)
						}
					}
				}
				sim.start(t)
				sim.submit()
				sim.await()
				if err := sim.engine.Stop(t.Context()); err != nil {
					t.Error(err)
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("remarks on %v, want %v", got, test.want)
				}
			})
		})
	}
}

// An entry is parked if its next step needs a token that the account no longer has.
func TestMissingToken(t *testing.T) {
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
				t.Errorf("settlement %+v", s)
			}
		})
	}
}

// If an attempt never reached TeleCRM and another enquiry of the same person has created a lead
// since, that lead does not count as ours.
func TestAnotherEnquiryCreatedTheLead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		policy    string
		delivered bool
	}{
		"with actions": {"actions", true},
		"update":       {"update, no actions", true},
		"no actions":   {"actions, none", false},
		"park":         {"park", false},
		"upsert":       {"upsert", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, shapes := range []func(*sandbox.Config){nil, func(c *sandbox.Config) { c.LiveShapes = true }} {
				synctest.Test(t, func(t *testing.T) {
					sim := crashedBeforeCreate(t, policyCases()[test.policy], scenario{configure: shapes})
					defer sim.crm.Close()
					sim.s.remembered = true
					sim.createExisting()
					sim.start(t)
					sim.await()
					if err := sim.engine.Stop(t.Context()); err != nil {
						t.Error(err)
					}
					sim.check(t)
					entry, err := sim.store.Get(t.Context(), entryID)
					if err != nil || entry.State == outbox.Delivered != test.delivered {
						t.Errorf("entry is %s: %s; %v", entry.State, entry.Reason, sim.requests)
					}
				})
			}
		})
	}
}
