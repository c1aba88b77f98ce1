package telecrm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// AppendActions adds entries to the timeline of a lead
// (https://docs.telecrm.in/sync-api/actions/create). It sends one request. Without an id or without
// actions it sends none and returns [Rejected].
//
// The verdict is [Done], [Missing], [Rejected], [Hold] or [Retry]. With Done, the answer's Actions
// list the results in the order sent. One action with an invalid type rejects all of them; see
// [CheckActionType]. Repeating the request repeats its actions. After an Ambiguous answer, use
// [Client.GetLead] and [SameAction] to see whether they were stored.
func (c *Client) AppendActions(ctx context.Context, leadID string, actions []Action) Answer {
	path, err := leadPath(leadID)
	if err != nil {
		return unsent(fmt.Errorf("appending actions: %w", err))
	}
	if len(actions) == 0 {
		return unsent(errors.New("appending actions: no actions"))
	}
	body, err := json.Marshal(map[string]any{"actions": actions})
	if err != nil {
		return unsent(errNotEncodable)
	}
	return readAppended(c.conn.post(ctx, EndpointAppend, path+"/action", body), leadID).withoutQuotes(Lead{Actions: actions})
}

// readAppended returns the answer to an append.
func readAppended(r reply, leadID string) Answer {
	showsActions := func(a Answer, _ *document) bool { return len(a.Actions) > 0 }
	answer, _ := readStored(r, showsActions)
	return answer.changingLead(leadID).settled(r)
}
