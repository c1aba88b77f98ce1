package telecrm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// AsyncClient is a client of one workspace for the Async API
// (https://docs.telecrm.in/async-api/overview), which takes leads and never reports the outcome. It
// is safe for concurrent use.
type AsyncClient struct {
	conn connection
}

// NewAsync returns a client, or an error as [New] does. The token must be an Async token: the API
// refuses Sync tokens (https://docs.telecrm.in/authentication).
func NewAsync(c Config) (*AsyncClient, error) {
	conn, err := newConnection(c, DefaultAsyncBaseURL)
	if err != nil {
		return nil, err
	}
	return &AsyncClient{conn}, nil
}

// UpsertLead creates a lead, or updates the one with its identifier, and appends its actions
// (https://docs.telecrm.in/async-api/create-or-update-lead). It adds the prefix ACTION_ to the bare
// code of a custom action, as this API expects. It sends one request.
//
// The verdict is [Accepted], [Rejected], [Hold] or [Retry]. Accepted says nothing about the lead:
// the API silently drops a lead without its identifier, values that their fields do not accept, and
// unknown actions. Repeating a request repeats its actions, but not the lead.
func (c *AsyncClient) UpsertLead(ctx context.Context, lead Lead) Answer {
	body, err := json.Marshal(lead.prefixed())
	if err != nil {
		return unsent(errNotEncodable)
	}
	return readAccepted(c.conn.post(ctx, EndpointUpsert, "/autoupdatelead", body)).withoutQuotes(lead)
}

// prefixed returns the lead with action types as the Async API expects them.
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

// readAccepted returns the answer to an upsert.
func readAccepted(r reply) Answer {
	showsStatus := func(_ Answer, doc *document) bool { return text(doc.Status) != "" }
	answer, _ := readStored(r.withoutOK(), showsStatus)
	switch answer.Verdict {
	case Created:
		answer.Verdict = Accepted
	case Duplicate:
		// This API is meant for known identifiers, so a conflict is not final.
		answer.Verdict = Retry
	case Retry, Rejected, Hold, Done, Missing, Accepted:
	}
	return answer.settled(r)
}

// withoutOK clears the body of a success if it only says OK, as older hosts of the Async API do, or
// is JSON but not an object.
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

// CloseIdleConnections closes idle connections.
func (c *AsyncClient) CloseIdleConnections() {
	c.conn.http.CloseIdleConnections()
}

// Format writes a fixed text for every verb.
func (AsyncClient) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "telecrm.AsyncClient")
}
