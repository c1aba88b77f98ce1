package delivery

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// An account that updates leads asks for the locked fields once in six hours, also across reloads,
// and not at all if the fields have become known in another way.
func TestLockedFieldsAreAskedForOnce(t *testing.T) {
	t.Parallel()
	for name, isLearned := range map[string]bool{"asked": false, "learned": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				locked := []telecrm.FieldDefinition{{APIName: "source", Type: "TEXT", Locked: true}, {APIName: "city", Type: "TEXT"}}
				crm := &fakeCRM{create: created, definitions: telecrm.Definitions{Fields: locked}}
				r := newRig(t, crm)
				defer r.stop()
				want := 1
				for reload := range 3 {
					account := r.account("default", crm)
					account.Updates, account.Fields = true, NewWorkspaceFields()
					if isLearned && reload == 0 {
						account.Fields.Learn(locked, time.Now())
						want = 0
					}
					r.config.Accounts = []Account{account}
					r.engine.Configure(r.config)
					time.Sleep(time.Minute)
					synctest.Wait()
				}
				l, err := r.engine.lane("default")
				if err != nil {
					t.Fatal(err)
				}
				if names := l.lockedNames(); !names["source"] || names["city"] {
					t.Errorf("locked: %v", names)
				}
				if asked := crm.timesAsked(); asked != want {
					t.Errorf("asked %d times, want %d", asked, want)
				}
				time.Sleep(7 * time.Hour)
				synctest.Wait()
				if asked := crm.timesAsked(); asked != want+1 {
					t.Errorf("asked %d times after six hours, want %d", asked, want+1)
				}
			})
		})
	}
}
