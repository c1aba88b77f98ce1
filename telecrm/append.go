package telecrm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// AppendActions adds entries to the timeline of a lead
// (https://docs.telecrm.in/sync-api/actions/create). It sends one request;
// none, and answers [Rejected], without an id and at least one action.
//
// The verdict is [Done], [Missing], [Rejected], [Hold] or [Retry]. With Done
// the answer's Actions tell, place by place, which were stored. One action of a
// type that cannot be written has all of them refused, see [CheckActionType].
// Repeating the request repeats its actions: after an Ambiguous answer
// [Client.GetLead] and [SameAction] show whether they are there.
func (c *Client) AppendActions(ctx context.Context, leadID string, actions []Action) Answer {
	path, err := leadPath(leadID)
	if err != nil {
		return unsent(fmt.Errorf("appending actions: %w", err))
	}
	if len(actions) == 0 {
		return unsent(errors.New("appending actions: there are none"))
	}
	body, err := json.Marshal(map[string]any{"actions": actions})
	if err != nil {
		return unsent(errNoJSON)
	}
	return readAppended(c.conn.post(ctx, EndpointAppend, path+"/action", body), leadID).withoutQuotes(Lead{Actions: actions})
}

// readAppended makes an answer of what came back of an append.
func readAppended(r reply, leadID string) Answer {
	showsActions := func(a Answer, _ *document) bool { return len(a.Actions) > 0 }
	answer, _ := readStored(r, showsActions)
	return answer.changingLead(leadID).settled(r)
}
