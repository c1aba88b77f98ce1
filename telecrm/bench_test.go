package telecrm_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

func BenchmarkCreateLead(b *testing.B) {
	const answer = `{"lead_id":"64c1f0aa12bb34cc56dd78ee","actions":[{"action_id":"64c1f0aa12bb34cc56dd78ef","status":"CREATED"}],"remarks":[]}`
	lead := invented()
	lead.Actions = []telecrm.Action{{Type: "1042", Fields: map[string]any{"note": "Asked for a call"}}}

	create := func(b *testing.B, client *telecrm.Client) {
		b.Helper()
		b.ReportAllocs()
		for b.Loop() {
			if got := client.CreateLead(context.Background(), lead); !got.Confirmed() {
				b.Fatalf("answer is %v", got)
			}
		}
	}
	// Without the network.
	b.Run("stub", func(b *testing.B) {
		create(b, newClient(b, telecrm.Config{
			Transport: transport(func(req *http.Request) (*http.Response, error) {
				_, _ = io.Copy(io.Discard, req.Body)
				return respond(req, 201, http.Header{}, answer), nil
			}),
		}))
	})
	// With HTTP over loopback, including the server.
	b.Run("loopback", func(b *testing.B) {
		create(b, newClient(b, telecrm.Config{BaseURL: newServer(b, answering(201, typeJSON, answer))}))
	})
}
