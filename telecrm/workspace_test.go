package telecrm_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// clientOf returns a client whose every request gets the response.
func clientOf(t *testing.T, status int, body string) *telecrm.Client {
	t.Helper()
	return newClient(t, telecrm.Config{Transport: transport(func(req *http.Request) (*http.Response, error) {
		return respond(req, status, http.Header{}, body), nil
	})})
}

func TestActionDefinitionsReads(t *testing.T) {
	t.Parallel()
	slot := telecrm.FieldDefinition{APIName: "slot", Type: "DROPDOWN", Options: []string{"Morning", "Evening"}}
	note := telecrm.FieldDefinition{APIName: "note", Type: "TEXT"}
	for name, tt := range map[string]struct {
		list string
		want []telecrm.ActionDefinition
	}{
		"detail": {
			`[{"code":"ACTION_1042","displayName":"Callback asked","score":5,"source":"USER","fieldSchema":{"slot":{"type":"dropdown","options":["Morning",{"label":"Evening"}]},"note":{"type":"TEXT"}}}]`,
			[]telecrm.ActionDefinition{{Code: "1042", Name: "Callback asked", Fields: []telecrm.FieldDefinition{note, slot}, HasFields: true}},
		},
		"summary":       {`[{"code":"ACTION_1042","displayName":"Callback asked","source":"USER"}]`, []telecrm.ActionDefinition{{Code: "1042", Name: "Callback asked"}}},
		"number":        {`[{"code":7}]`, []telecrm.ActionDefinition{{Code: "7"}}},
		"others":        {`[{"code":"OUTGOING_CALL"},{"code":"ACTION_3","source":"SYSTEM"},{"code":"ACTION_"},null,5,{}]`, []telecrm.ActionDefinition{}},
		"unusual field": {`[{"code":"ACTION_1","fieldSchema":{"note":7}}]`, []telecrm.ActionDefinition{{Code: "1", Fields: []telecrm.FieldDefinition{{APIName: "note"}}, HasFields: true}}},
		"none":          {`[]`, []telecrm.ActionDefinition{}},
	} {
		got := clientOf(t, 200, `{"customActions":`+tt.list+`}`).ActionDefinitions(context.Background())
		if diff := cmp.Diff(telecrm.ActionDefinitions{Actions: tt.want}, got); diff != "" || !got.OK() {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestPipelineReads(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body string
		want telecrm.Pipeline
	}{
		"documented": {
			`{"leadStages":[{"stageid":"s","stageType":"OPEN","activeStatuses":[{"statusid":1,"label":"Fresh"}],"archivedStatuses":[{"label":"Cold"}]},{"activeStatuses":[{"label":"Won"}]}],
			"activeLeadLostReasons":[{"reasonid":4,"reasonLabel":"Too costly"}],"archivedLeadLostReasons":[{"reasonLabel":"Moved"}]}`,
			telecrm.Pipeline{Statuses: []string{"Fresh", "Won"}, ArchivedStatuses: []string{"Cold"}, LostReasons: []string{"Too costly"}, ArchivedLostReasons: []string{"Moved"}},
		},
		"live":        {`{"statuses":[{"name":"Fresh"},"Won",{"status":"Lost"}],"lostReasons":[{"label":"Too costly"}]}`, telecrm.Pipeline{Statuses: []string{"Fresh", "Won", "Lost"}, LostReasons: []string{"Too costly"}}},
		"without any": {`{"leadStages":[]}`, telecrm.Pipeline{}},
	} {
		got := clientOf(t, 200, tt.body).Pipeline(context.Background())
		if diff := cmp.Diff(tt.want, got); diff != "" || !got.OK() {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestMemberReads(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status     int
		body       string
		exists, ok bool
	}{
		"member":    {200, `{"name":"Asha","email":"agent7@example.org","status":"Active"}`, true, true},
		"nobody":    {404, `{"error":{"code":"TEAM_MEMBER_NOT_FOUND","message":"x"}}`, false, true},
		"malformed": {400, `{"error":{"code":"BAD_REQUEST","message":"x"}}`, false, false},
		"HTML 404":  {404, `<html>`, false, false},
		"HTML 200":  {200, `<html>`, false, false},
	} {
		got := clientOf(t, tt.status, tt.body).Member(context.Background(), "agent7@example.org")
		if got.Exists != tt.exists || got.OK() != tt.ok {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// A workspace without lists must not look like one that has nothing.
func TestWorkspaceWithoutListsIsAFailure(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `[]`, `null`, `{"customActions":null,"leadStages":null}`, `{"customActions":7,"leadStages":7}`} {
		client := clientOf(t, 200, body)
		if got := client.ActionDefinitions(context.Background()); got.OK() || got.Failure.Verdict != telecrm.Retry {
			t.Errorf("%s: got actions %+v", body, got)
		}
		if got := client.Pipeline(context.Background()); got.OK() || got.Failure.Verdict != telecrm.Retry {
			t.Errorf("%s: got pipeline %+v", body, got)
		}
	}
}
