package sandbox_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// Each API needs its own token, and an existing lead.
func TestLeadRefusals(t *testing.T) {
	t.Parallel()
	const (
		update = `{"fields":{"city":"Pune"}}`
		action = `{"actions":[{"type":"1043"}]}`
		upsert = `{"fields":{"phone":"918123456789","city":"Pune"}}`
		nobody = leadPath + "/64c1f0aa12bb34cc56dd78ee"
	)
	s, id := newKnown(t)
	lead := leadPath + "/" + id
	elsewhere := strings.Replace(lead, enterprise, "66aa00", 1)
	for _, tt := range []struct {
		name, path, token, body string
		status                  int
		code                    string // empty: a page
	}{
		{"get nobody", nobody, token, "", 404, "LEAD_NOT_FOUND"},
		{"update nobody", nobody, token, update, 404, "LEAD_NOT_FOUND"},
		{"append to nobody", nobody + "/action", token, action, 404, "LEAD_NOT_FOUND"},
		{"id in other letters", leadPath + "/" + strings.ToUpper(id) + "0", token, "", 404, "LEAD_NOT_FOUND"},
		{"id that is a path", leadPath + "/..%2F" + id, token, "", 404, "LEAD_NOT_FOUND"},

		{"get, wrong token", lead, "other", "", 401, "NOT_AUTHORIZED"},
		{"get, async token", lead, asyncToken, "", 401, "NOT_AUTHORIZED"},
		{"get, unknown enterprise", elsewhere, token, "", 401, "NOT_AUTHORIZED"},
		{"update, async token", lead, asyncToken, update, 401, "NOT_AUTHORIZED"},
		{"update, unknown enterprise", elsewhere, token, update, 401, "NOT_AUTHORIZED"},
		{"append, async token", lead + "/action", asyncToken, action, 401, "NOT_AUTHORIZED"},
		{"fields, async token", syncRoot + "/custom-fields", asyncToken, "", 401, "NOT_AUTHORIZED"},
		{"actions, async token", syncRoot + "/custom-actions", asyncToken, "", 401, "NOT_AUTHORIZED"},
		{"pipeline, unknown enterprise", strings.Replace(syncRoot, enterprise, "66aa00", 1) + "/lead-stage-pipeline", token, "", 401, "NOT_AUTHORIZED"},
		{"member, wrong token", syncRoot + "/team-members/agent7@example.org", "other", "", 401, "NOT_AUTHORIZED"},
		{"nobody of the team", syncRoot + "/team-members/agent8@example.org", token, "", 404, "TEAM_MEMBER_NOT_FOUND"},
		{"member without an address", syncRoot + "/team-members/agent7", token, "", 400, "BAD_REQUEST"},
		{"change of actions", syncRoot + "/custom-actions", token, `{}`, 405, ""},
		{"create, async token", leadPath, asyncToken, known, 401, "NOT_AUTHORIZED"},
		{"upsert, sync token", asyncPath, token, upsert, 401, "NOT_AUTHORIZED"},
		{"upsert, no token", asyncPath, "", upsert, 401, "NOT_AUTHORIZED"},
		{"upsert, unknown enterprise", "/enterprise/66aa00/autoupdatelead", asyncToken, upsert, 401, "NOT_AUTHORIZED"},

		{"read of actions", lead + "/action", token, "", 405, ""},
		{"change of fields", syncRoot + "/custom-fields", token, `{}`, 405, ""},
		{"read of upserts", asyncPath, asyncToken, "", 405, ""},
		{"no id", leadPath + "//action", token, action, 404, ""},
		{"upsert on the sync host", syncRoot + "/autoupdatelead", asyncToken, upsert, 404, ""},
		{"create on the async host", "/enterprise/" + enterprise + "/lead", token, known, 404, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before := s.Leads()
			w := ask(t, s, tt.path, tt.token, tt.body)
			if tt.code != "" {
				checkAnswer(t, w, tt.status, tt.code)
			} else if w.Code != tt.status || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
				t.Errorf("status %d with %s, want a page with %d", w.Code, w.Body, tt.status)
			}
			if diff := cmp.Diff(before, s.Leads()); diff != "" {
				t.Errorf("a refused request changed the leads:\n%s", diff)
			}
		})
	}
}

// Without an async token, the Async API refuses every request.
func TestUpsertWithoutAsyncToken(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	for _, sent := range []string{"", " ", token} {
		checkAnswer(t, ask(t, s, asyncPath, sent, phoneBody(1)), 401, "NOT_AUTHORIZED")
	}
}

func TestConflictNamesTheLead(t *testing.T) {
	t.Parallel()
	for _, named := range []bool{false, true} {
		s, id := newKnown(t, func(c *sandbox.Config) { c.ConflictID = named })
		w := create(t, s, known)
		if w.Code != http.StatusConflict || strings.Contains(w.Body.String(), `"lead_id":"`+id+`"`) != named {
			t.Errorf("named %t: status %d with %s", named, w.Code, w.Body)
		}
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s, id := newKnown(t)
	if s.Delete("64c1f0aa12bb34cc56dd78ee") {
		t.Error("a missing lead was deleted")
	}
	if !s.Delete(id) || s.Delete(id) {
		t.Error("the lead was not deleted")
	}
	checkAnswer(t, ask(t, s, leadPath+"/"+id, token, ""), 404, "LEAD_NOT_FOUND")
	if found := mustSearch(t, s, `{"fields":{"phone":"918123456789"}}`); len(found.phones()) != 0 {
		t.Errorf("a search still finds %v", found.phones())
	}
	if again := *mustCreate(t, s, known).LeadID; again == id {
		t.Error("the next lead with the identifier has the id of the deleted one")
	}
}

// Faults work in the same way for every operation.
func TestFaultsOfEveryOperation(t *testing.T) {
	t.Parallel()
	for op, request := range map[sandbox.Op]struct{ path, token, body string }{
		sandbox.OpUpdate: {leadPath + "/%s", token, `{"fields":{"city":"Pune"}}`},
		sandbox.OpAppend: {leadPath + "/%s/action", token, `{"actions":[{"type":"1043"}]}`},
		sandbox.OpUpsert: {asyncPath, asyncToken, `{"fields":{"phone":"918123456789","city":"Pune"}}`},
		sandbox.OpGet:    {leadPath + "/%s", token, ""},
		sandbox.OpFields: {syncRoot + "/custom-fields", token, ""},

		sandbox.OpActions:  {syncRoot + "/custom-actions", token, ""},
		sandbox.OpPipeline: {syncRoot + "/lead-stage-pipeline", token, ""},
		sandbox.OpMember:   {syncRoot + "/team-members/agent7@example.org", token, ""},
	} {
		for _, store := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, store %t", op, store), func(t *testing.T) {
				t.Parallel()
				s, id := newKnown(t)
				before := onlyLead(t, s)
				s.Inject(sandbox.Fault{Status: 500, Body: "{lead_id}", Store: store}.On(op))
				create(t, s, phoneBody(1)) // not met
				path := strings.Replace(request.path, "%s", id, 1)
				w := ask(t, s, path, request.token, request.body)
				after := s.Leads()[0]
				if w.Code != 500 {
					t.Errorf("status %d, want 500", w.Code)
				}
				if changed := !cmp.Equal(before, after); changed != (store && request.body != "") {
					t.Errorf("changed %t", changed)
				}
				if named := w.Body.String() == id; named != (store && (op == sandbox.OpUpdate || op == sandbox.OpAppend)) {
					t.Errorf("answered %s for lead %s", w.Body, id)
				}
				if again := ask(t, s, path, request.token, request.body); again.Code != 200 || s.Count(op) != 2 {
					t.Errorf("the request after the fault: status %d, count %d", again.Code, s.Count(op))
				}
			})
		}
	}
}
