//go:build linux

package faulttest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// A create is cut off before it is stored, and then somebody else creates the person. The plugin
// does not take that lead for its own: it adds the visitor's message to it.
func TestSomebodyElseCreatesThePerson(t *testing.T) {
	t.Parallel()
	visitors := sized(40, 1000)
	r := newRig(t, settings{})
	r.people = 2 * visitors
	for range visitors {
		r.crm.fail(always(sandbox.FaultDropped))
		r.crm.createElsewhere(t, r.one(t))
		r.crm.heal()
		r.one(t) // so that the account is not paused
	}
	deadline := time.Now().Add(sized(time.Minute, 5*time.Minute))
	for r.unsettled() > 0 || time.Since(r.crm.quietSince()) < quiet {
		if time.Now().After(deadline) {
			t.Fatalf("%d leads are still waiting\n%s", r.unsettled(), tail(r.Log()))
		}
		pass(t, 100*time.Millisecond)
	}
	posts := r.all()
	allThanked(t, posts)
	if lost := r.unrecorded(); len(lost) > 0 {
		t.Errorf("LOST: of %d thanked visitors, the messages of %d are not in a timeline; the first is %q", len(posts), len(lost), lost[0])
	}
	r.verifyTimelines(t)
	doubled := 0
	for _, n := range r.notes() {
		doubled += n - 1
	}
	t.Logf("\n| fault | posts | thanked | lost | doubled | wait of the thanked |\n| create cut before it is stored, the person created by somebody else | %d | %d | %d | %d | %s |",
		len(posts), count(posts, http.StatusSeeOther), len(r.unrecorded()), doubled, waits(posts))
}

// createElsewhere creates the visitor's lead directly in the CRM.
func (c *crm) createElsewhere(t *testing.T, p post) {
	t.Helper()
	body := fmt.Sprintf(`{"fields":{"phone":%q,"name":"Walk-in","message":"Asked at the counter"}}`, p.phone()[1:])
	r := httptest.NewRequest(http.MethodPost, "/autoupdate/v2/enterprise/"+enterpriseID+"/lead", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+firstToken)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	c.sandbox.ServeHTTP(w, r)
	if w.Code != http.StatusCreated {
		t.Fatalf("creating a lead elsewhere: %d %s", w.Code, w.Body)
	}
}
