package telecrm_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// observed is one request as an observer saw it.
type observed struct {
	Endpoint telecrm.Endpoint
	Asker    string // value of the caller's context
	Status   int
}

type askerKey struct{}

// observer appends the observed requests to list.
func observer(list *[]observed) telecrm.Observer {
	return func(ctx context.Context, endpoint telecrm.Endpoint) func(int) {
		asker, _ := ctx.Value(askerKey{}).(string)
		return func(status int) { *list = append(*list, observed{endpoint, asker, status}) }
	}
}

func TestObserverSeesEveryRequest(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		answer transport
		status int
	}{
		{"answered", func(r *http.Request) (*http.Response, error) { return respond(r, 503, http.Header{}, ""), nil }, 503},
		{"not answered", func(*http.Request) (*http.Response, error) { return nil, errors.New("no route to host") }, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var got []observed
			config := telecrm.Config{Transport: tc.answer, Observe: observer(&got)}
			client := newClient(t, config)
			config.Token, config.EnterpriseID = testToken, testEnterprise
			async, err := telecrm.NewAsync(config)
			if err != nil {
				t.Fatal(err)
			}
			ctx := context.WithValue(t.Context(), askerKey{}, "me")
			client.CreateLead(ctx, invented())
			client.FindLeads(ctx, "phone", []string{"918123456789"})
			client.GetLead(ctx, "64c1f0aa12bb34cc56dd78ee")
			client.UpdateLead(ctx, "64c1f0aa12bb34cc56dd78ee", map[string]any{"city": "Pune"})
			client.AppendActions(ctx, "64c1f0aa12bb34cc56dd78ee", []telecrm.Action{{Type: "1042"}})
			client.FieldDefinitions(ctx)
			async.UpsertLead(ctx, invented())
			client.ActionDefinitions(ctx)
			client.Pipeline(ctx)
			client.Member(ctx, "agent7@example.org")
			var want []observed
			for _, endpoint := range telecrm.Endpoints() {
				want = append(want, observed{endpoint, "me", tc.status})
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("observed (-want +got):\n%s", diff)
			}
		})
	}
}

// Observers are not called for requests that are not sent.
func TestObserverIgnoresUnsentRequests(t *testing.T) {
	t.Parallel()
	var got []observed
	client := newClient(t, telecrm.Config{Observe: observer(&got)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	client.CreateLead(ctx, invented())
	client.GetLead(t.Context(), "")
	if len(got) > 0 {
		t.Errorf("observed %v", got)
	}
	if endpoints := telecrm.Endpoints(); len(slices.Compact(slices.Sorted(slices.Values(endpoints)))) != len(endpoints) {
		t.Errorf("an endpoint is listed twice: %v", endpoints)
	}
}
