package telecrm_test

import (
	"context"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// sent is a received request.
type sent struct {
	Method, Host, Path string
	Header             http.Header
	Body               string
}

// recorder returns a transport that records requests and answers that the lead was created.
func recorder(got *[]sent) transport {
	return func(req *http.Request) (*http.Response, error) {
		var body []byte
		if req.Body != nil {
			var err error
			if body, err = io.ReadAll(req.Body); err != nil {
				return nil, err
			}
		}
		*got = append(*got, sent{
			Method: req.Method,
			Host:   req.URL.Scheme + "://" + req.URL.Host,
			Path:   req.URL.RequestURI(),
			Header: req.Header,
			Body:   string(body),
		})
		return respond(req, 201, http.Header{}, `{"lead_id":"1"}`), nil
	}
}

func TestCreateLeadSends(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		lead telecrm.Lead
		body string
	}{
		{
			name: "fields of every JSON type",
			lead: telecrm.Lead{Fields: map[string]any{
				"phone":        "918123456789",
				"name":         "Ravi Menon",
				"interests":    []string{"Solar", "Rooftop"},
				"rating":       3,
				"area":         156.5,
				"submitted_at": int64(1767240000000),
			}},
			body: `{"fields":{"area":156.5,"interests":["Solar","Rooftop"],"name":"Ravi Menon","phone":"918123456789","rating":3,"submitted_at":1767240000000}}`,
		},
		{
			name: "text unchanged",
			lead: telecrm.Lead{Fields: map[string]any{"phone": "12015550123", "note": "\"5 < 6\" & ப\n\u2028"}},
			body: `{"fields":{"note":"\"5 \u003c 6\" \u0026 ப\n\u2028","phone":"12015550123"}}`,
		},
		{
			name: "custom action",
			lead: telecrm.Lead{
				Fields:  map[string]any{"phone": "447400123456"},
				Actions: []telecrm.Action{{Type: "1042", Fields: map[string]any{"note": "Call after 5 pm", "at": 7}}},
			},
			body: `{"fields":{"phone":"447400123456"},"actions":[{"fields":{"at":7,"note":"Call after 5 pm"},"type":"1042"}]}`,
		},
		{
			name: "custom actions without fields",
			lead: telecrm.Lead{
				Fields:  map[string]any{"phone": "447400123456"},
				Actions: []telecrm.Action{{Type: "1042"}, {Type: "7", Fields: map[string]any{}}},
			},
			body: `{"fields":{"phone":"447400123456"},"actions":[{"fields":{},"type":"1042"},{"fields":{},"type":"7"}]}`,
		},
		{
			name: "payment, flat",
			lead: telecrm.Lead{
				Fields: map[string]any{"phone": "918123456789"},
				Actions: []telecrm.Action{{
					Type:   telecrm.ActionPayment,
					Fields: map[string]any{"status": "PENDING", "currency": "INR", "amount": "2499", "paymentid": "inv-7"},
				}},
			},
			body: `{"fields":{"phone":"918123456789"},"actions":[{"amount":"2499","currency":"INR","paymentid":"inv-7","status":"PENDING","type":"PAYMENT"}]}`,
		},
		{
			name: "payment whose fields would change its type",
			lead: telecrm.Lead{
				Fields:  map[string]any{"phone": "918123456789"},
				Actions: []telecrm.Action{{Type: telecrm.ActionPayment, Fields: map[string]any{"type": "1042"}}},
			},
			body: `{"fields":{"phone":"918123456789"},"actions":[{"type":"PAYMENT"}]}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var got []sent
			client := newClient(t, telecrm.Config{Transport: recorder(&got)})
			// Maps have random order; the body must not.
			for range 20 {
				client.CreateLead(context.Background(), tc.lead)
			}
			want := sent{
				Method: "POST",
				Host:   "https://next.telecrm.in",
				Path:   "/autoupdate/v2/enterprise/" + testEnterprise + "/lead",
				Header: http.Header{
					"Authorization": {"Bearer " + testToken},
					"Content-Type":  {"application/json"},
					"Accept":        {"application/json"},
					"User-Agent":    {"caddy-telecrm"},
				},
				Body: tc.body,
			}
			if len(got) != 20 {
				t.Fatalf("%d requests were sent, want 20", len(got))
			}
			for _, one := range got {
				if diff := cmp.Diff(want, one); diff != "" {
					t.Fatalf("request (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// The request on the server, including what the transport adds.
func TestCreateLeadArrives(t *testing.T) {
	t.Parallel()
	const body = `{"fields":{"email":"ravi@example.org","name":"Ravi Menon","phone":"918123456789"}}`
	arrived := make(chan sent, 1)
	base := newServer(t, func(_ http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading request: %v", err)
		}
		if r.ContentLength != int64(len(body)) {
			t.Errorf("Content-Length is %d, want %d", r.ContentLength, len(body))
		}
		arrived <- sent{Method: r.Method, Path: r.RequestURI, Body: string(text)}
	})
	client := newClient(t, telecrm.Config{BaseURL: base + "/autoupdate/v2/"})
	client.CreateLead(context.Background(), invented())
	want := sent{Method: "POST", Path: "/autoupdate/v2/enterprise/" + testEnterprise + "/lead", Body: body}
	if diff := cmp.Diff(want, <-arrived); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestCreateLeadNotEncodable(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{
		"not a number": math.NaN(),
		"a function":   func() {},
		"deep inside":  []any{map[string]any{"x": make(chan int)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []sent
			client := newClient(t, telecrm.Config{Transport: recorder(&got)})
			answer := client.CreateLead(context.Background(), telecrm.Lead{Fields: map[string]any{"phone": "918123456789", "x": value}})
			if answer.Verdict != telecrm.Rejected || answer.Err == nil || answer.Ambiguous {
				t.Errorf("answer is %v, want rejected with an error", answer)
			}
			if len(got) != 0 {
				t.Errorf("%d requests were sent", len(got))
			}
		})
	}
}

// Method, path and body of each request.
func TestEveryCallSends(t *testing.T) {
	t.Parallel()
	const (
		sync  = "https://next.telecrm.in/autoupdate/v2/enterprise/" + testEnterprise
		async = "https://next-api.telecrm.in/enterprise/" + testEnterprise
	)
	payment := telecrm.Action{Type: telecrm.ActionPayment, Fields: map[string]any{"status": "PENDING", "currency": "INR", "amount": "2499"}}
	ctx := context.Background()
	for name, tc := range map[string]struct {
		make              func(*telecrm.Client, *telecrm.AsyncClient)
		method, url, body string
	}{
		"update": {
			func(c *telecrm.Client, _ *telecrm.AsyncClient) {
				c.UpdateLead(ctx, leadID, map[string]any{"name": "Ravi Menon", "rating": 3})
			},
			"POST", sync + "/lead/" + leadID, `{"fields":{"name":"Ravi Menon","rating":3}}`,
		},
		"append": {
			func(c *telecrm.Client, _ *telecrm.AsyncClient) {
				c.AppendActions(ctx, leadID, []telecrm.Action{{Type: "1042", Fields: map[string]any{"note": "x"}}, payment})
			},
			"POST", sync + "/lead/" + leadID + "/action",
			`{"actions":[{"fields":{"note":"x"},"type":"1042"},{"amount":"2499","currency":"INR","status":"PENDING","type":"PAYMENT"}]}`,
		},
		"get": {
			func(c *telecrm.Client, _ *telecrm.AsyncClient) { c.GetLead(ctx, leadID) },
			"GET", sync + "/lead/" + leadID + "?includeActions=true&skip=0&limit=100", "",
		},
		"definitions": {
			func(c *telecrm.Client, _ *telecrm.AsyncClient) { c.FieldDefinitions(ctx) },
			"GET", sync + "/custom-fields?detail=false", "",
		},
		"actions": {
			func(c *telecrm.Client, _ *telecrm.AsyncClient) { c.ActionDefinitions(ctx) },
			"GET", sync + "/custom-actions?detail=true", "",
		},
		"pipeline": {
			func(c *telecrm.Client, _ *telecrm.AsyncClient) { c.Pipeline(ctx) },
			"GET", sync + "/lead-stage-pipeline", "",
		},
		"member": {
			func(c *telecrm.Client, _ *telecrm.AsyncClient) { c.Member(ctx, "a/b?c@example.org") },
			"GET", sync + "/team-members/a%2Fb%3Fc@example.org", "",
		},
		"upsert": {
			func(_ *telecrm.Client, c *telecrm.AsyncClient) {
				c.UpsertLead(ctx, telecrm.Lead{
					Fields:  map[string]any{"phone": "918123456789"},
					Actions: []telecrm.Action{{Type: "1042"}, {Type: "ACTION_7"}, payment},
				})
			},
			"POST", async + "/autoupdatelead",
			`{"fields":{"phone":"918123456789"},"actions":[{"fields":{},"type":"ACTION_1042"},{"fields":{},"type":"ACTION_7"},` +
				`{"amount":"2499","currency":"INR","status":"PENDING","type":"PAYMENT"}]}`,
		},
		"upsert without actions": {
			func(_ *telecrm.Client, c *telecrm.AsyncClient) {
				c.UpsertLead(ctx, telecrm.Lead{Fields: map[string]any{"phone": "918123456789"}})
			},
			"POST", async + "/autoupdatelead", `{"fields":{"phone":"918123456789"}}`,
		},
		"id that must be escaped": {
			func(c *telecrm.Client, _ *telecrm.AsyncClient) {
				c.AppendActions(ctx, "../search?x=1#y/%2e", []telecrm.Action{{Type: "1042"}})
			},
			"POST", sync + "/lead/..%2Fsearch%3Fx=1%23y%2F%252e/action", `{"actions":[{"fields":{},"type":"1042"}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []sent
			config := telecrm.Config{Transport: recorder(&got)}
			tc.make(newClient(t, config), newAsync(t, config))
			header := http.Header{
				"Authorization": {"Bearer " + testToken},
				"Accept":        {"application/json"},
				"User-Agent":    {"caddy-telecrm"},
			}
			if tc.body != "" {
				header.Set("Content-Type", "application/json")
			}
			if len(got) != 1 {
				t.Fatalf("%d requests were sent, want 1", len(got))
			}
			if url := got[0].Host + got[0].Path; got[0].Method != tc.method || url != tc.url || got[0].Body != tc.body {
				t.Errorf("sent %s %s\n%s\nwant %s %s\n%s", got[0].Method, url, got[0].Body, tc.method, tc.url, tc.body)
			}
			if diff := cmp.Diff(header, got[0].Header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
		})
	}
}

// Requests that would change nothing, or something else, are not sent.
func TestInvalidCallsAreNotSent(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	failure := func(s telecrm.Shown) telecrm.Answer { return *s.Failure }
	fields := map[string]any{"name": "Ravi Menon"}
	unwritable := map[string]any{"name": math.Inf(1)}
	for name, make := range map[string]func(*telecrm.Client) telecrm.Answer{
		"update of no lead":   func(c *telecrm.Client) telecrm.Answer { return c.UpdateLead(ctx, "", fields) },
		"update of dot":       func(c *telecrm.Client) telecrm.Answer { return c.UpdateLead(ctx, ".", fields) },
		"update of two dots":  func(c *telecrm.Client) telecrm.Answer { return c.UpdateLead(ctx, "..", fields) },
		"update of no field":  func(c *telecrm.Client) telecrm.Answer { return c.UpdateLead(ctx, leadID, nil) },
		"update without JSON": func(c *telecrm.Client) telecrm.Answer { return c.UpdateLead(ctx, leadID, unwritable) },
		"append to no lead":   func(c *telecrm.Client) telecrm.Answer { return c.AppendActions(ctx, "", asked) },
		"append to two dots":  func(c *telecrm.Client) telecrm.Answer { return c.AppendActions(ctx, "..", asked) },
		"append of nothing":   func(c *telecrm.Client) telecrm.Answer { return c.AppendActions(ctx, leadID, []telecrm.Action{}) },
		"append without JSON": func(c *telecrm.Client) telecrm.Answer {
			return c.AppendActions(ctx, leadID, []telecrm.Action{{Type: "1042", Fields: unwritable}})
		},
		"get of no lead":  func(c *telecrm.Client) telecrm.Answer { return failure(c.GetLead(ctx, "")) },
		"get of two dots": func(c *telecrm.Client) telecrm.Answer { return failure(c.GetLead(ctx, "..")) },
		"upsert without JSON": func(*telecrm.Client) telecrm.Answer {
			return newAsync(t, telecrm.Config{}).UpsertLead(ctx, telecrm.Lead{Fields: unwritable})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []sent
			answer := make(newClient(t, telecrm.Config{Transport: recorder(&got)}))
			if answer.Verdict != telecrm.Rejected || answer.Err == nil || answer.Ambiguous {
				t.Errorf("answer is %v, want rejected with an error", answer)
			}
			if len(got) != 0 {
				t.Errorf("%d requests were sent", len(got))
			}
		})
	}
}

func TestCheckActionType(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"1", "1042", "007", telecrm.ActionPayment} {
		if err := telecrm.CheckActionType(good); err != nil {
			t.Errorf("CheckActionType(%q): %v", good, err)
		}
	}
	for _, bad := range []string{"", "ACTION_1042", "payment", "PAYMENT ", "10 42", "-1", "1.5", "१०४२", "SYSTEM_NOTE"} {
		if err := telecrm.CheckActionType(bad); err == nil {
			t.Errorf("CheckActionType(%q): no error", bad)
		} else if !strings.Contains(err.Error(), "1042") {
			t.Errorf("CheckActionType(%q) does not give an example: %v", bad, err)
		}
	}
}

func TestPaymentListsBelongToTheCaller(t *testing.T) {
	t.Parallel()
	for name, list := range map[string]func() []string{
		"statuses":   telecrm.PaymentStatuses,
		"currencies": telecrm.PaymentCurrencies,
		"keys":       telecrm.PaymentKeys,
	} {
		first := list()
		if len(first) == 0 {
			t.Errorf("%s: empty list", name)
			continue
		}
		before := first[0]
		first[0] = "changed"
		if after := list()[0]; after != before {
			t.Errorf("%s: a caller's change affects later calls: %q", name, after)
		}
	}
}
