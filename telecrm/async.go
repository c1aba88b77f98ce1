package telecrm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// AsyncClient talks to one workspace through the Async API
// (https://docs.telecrm.in/async-api/overview), which takes leads and never
// tells what became of them. It is safe for concurrent use.
type AsyncClient struct {
	conn connection
}

// NewAsync returns a client, or an error as [New] does. The config's token must
// be an Async token; Sync tokens are refused by the API
// (https://docs.telecrm.in/authentication).
func NewAsync(c Config) (*AsyncClient, error) {
	conn, err := newConnection(c, DefaultAsyncBaseURL)
	if err != nil {
		return nil, err
	}
	return &AsyncClient{conn}, nil
}

// UpsertLead has a lead created, or updated if its identifier is known, and its
// actions appended (https://docs.telecrm.in/async-api/create-or-update-lead). A
// custom action's bare code is sent with ACTION_ before it, as this API wants
// it. It sends one request.
//
// The verdict is [Accepted], [Rejected], [Hold] or [Retry]. Accepted says
// nothing about the lead: one without its identifier, a value that its field
// does not take and an action that does not exist are dropped without a word.
// Repeating a request that was carried out repeats its actions, not the lead.
func (c *AsyncClient) UpsertLead(ctx context.Context, lead Lead) Answer {
	body, err := json.Marshal(lead.prefixed())
	if err != nil {
		return unsent(errNoJSON)
	}
	return readAccepted(c.conn.post(ctx, EndpointUpsert, "/autoupdatelead", body)).withoutQuotes(lead)
}

// prefixed returns the lead with its actions' types as the Async API has them.
func (l Lead) prefixed() Lead {
	actions := make([]Action, len(l.Actions))
	for i, action := range l.Actions {
		if action.Type != ActionPayment {
			action.Type = actionPrefix + bareType(action.Type)
		}
		actions[i] = action
	}
	l.Actions = actions
	return l
}

// readAccepted makes an answer of what came back of an upsert.
func readAccepted(r reply) Answer {
	showsStatus := func(_ Answer, doc *document) bool { return text(doc.Status) != "" }
	answer, _ := readStored(r.withoutOK(), showsStatus)
	switch answer.Verdict {
	case Created:
		answer.Verdict = Accepted
	case Duplicate:
		// Known identifiers are what this API is for.
		answer.Verdict = Retry
	case Retry, Rejected, Hold, Done, Missing, Accepted:
	}
	return answer.settled(r)
}

// withoutOK empties a success's body that says no more than OK, as older hosts
// of the Async API answer, and one that is JSON without being an object.
func (r reply) withoutOK() reply {
	if !succeeded(r.status) {
		return r
	}
	body := bytes.TrimSpace(r.body)
	isObject := len(body) > 0 && body[0] == '{'
	if strings.EqualFold(string(body), "OK") || !isObject && json.Valid(r.body) {
		r.body = nil
	}
	return r
}

// CloseIdleConnections closes the connections that no request is using.
func (c *AsyncClient) CloseIdleConnections() {
	c.conn.http.CloseIdleConnections()
}

// Format writes a fixed text, for every verb.
func (AsyncClient) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "telecrm.AsyncClient")
}
