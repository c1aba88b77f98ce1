package sandbox_test

import (
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/sandbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// The client reads what the sandbox serves, in both shapes.
func TestWorkspaceIsRead(t *testing.T) {
	t.Parallel()
	schema := sandbox.DefaultSchema()
	schema.ArchivedStatuses, schema.ArchivedLostReasons = []string{"Cold"}, []string{"Moved"}
	for name, live := range map[string]bool{"documented": false, "live": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(newSandbox(t, func(c *sandbox.Config) { c.Schema, c.LiveShapes = schema, live }))
			t.Cleanup(server.Close)
			client, err := telecrm.New(telecrm.Config{Token: token, EnterpriseID: enterprise, BaseURL: server.URL + "/autoupdate/v2"})
			if err != nil {
				t.Fatal(err)
			}
			actions := client.ActionDefinitions(t.Context())
			want := []telecrm.ActionDefinition{
				{Code: "1042", Name: "Callback asked", HasFields: true, Fields: []telecrm.FieldDefinition{
					{APIName: "note", Type: "TEXT"},
					{APIName: "page", Type: "TEXT"},
					{APIName: "slot", Type: "DROPDOWN", Options: []string{"Morning", "Afternoon", "Evening"}},
				}},
				{Code: "1043", Name: "Brochure asked", HasFields: true},
			}
			if diff := cmp.Diff(want, actions.Actions); diff != "" || !actions.OK() {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
			pipeline := telecrm.Pipeline{
				Statuses: []string{"Fresh", "Contacted", "Won", "Lost"}, ArchivedStatuses: []string{"Cold"},
				LostReasons: []string{"Too costly", "No need", "Not reachable", "Chose another"}, ArchivedLostReasons: []string{"Moved"},
			}
			if live {
				pipeline.ArchivedStatuses, pipeline.ArchivedLostReasons = nil, nil
			}
			if diff := cmp.Diff(pipeline, client.Pipeline(t.Context())); diff != "" {
				t.Errorf("pipeline (-want +got):\n%s", diff)
			}
			for email, exists := range map[string]bool{"agent7@example.org": true, "agent8@example.org": false} {
				if got := client.Member(t.Context(), email); !got.OK() || got.Exists != exists {
					t.Errorf("%s: got %+v", email, got)
				}
			}
		})
	}
}
