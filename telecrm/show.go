package telecrm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// actionsLimit is how many actions of a lead are asked for: as many as the API
// allows (https://docs.telecrm.in/sync-api/leads/get).
const actionsLimit = 100

// Shown is a lead as TeleCRM shows it.
type Shown struct {
	// Fields are the values by API name, numbers as [json.Number]; a field
	// without a value is not in it. They are personal data.
	Fields map[string]any

	// Actions are the entries of the lead's timeline, in TeleCRM's order, of
	// at most 100.
	Actions []ShownAction

	// MoreActions tells that the timeline has other entries too, or may: that
	// an action is not in Actions then does not mean that it was not stored.
	MoreActions bool

	// ServerTime is what TeleCRM's clock showed when it answered, to the
	// second; zero if it did not tell.
	ServerTime time.Time

	// Failure says why there is no lead to see; nil if there is one. Its
	// verdict is [Missing], [Retry], [Hold] or [Rejected]. It is never
	// Ambiguous: reading twice does no harm.
	Failure *Answer
}

// ShownAction is an entry of a lead's timeline as TeleCRM shows it.
type ShownAction struct {
	// Type is a custom action's bare code or [ActionPayment]. Other entries,
	// which TeleCRM makes by itself, have other words.
	Type string

	// Fields are the values by key, those of a payment too, numbers as
	// [json.Number]. They are personal data.
	Fields map[string]any

	// CreatedOn is when it was stored, by TeleCRM's clock, to the
	// millisecond; zero if that was not shown.
	CreatedOn time.Time
}

// OK reports whether the lead was read.
func (s Shown) OK() bool { return s.Failure == nil }

// Reason describes the result in a few words fit for logs, as
// [Answer.Reason] does: never a value.
func (s Shown) Reason() string {
	if !s.OK() {
		return s.Failure.Reason()
	}
	if s.MoreActions {
		return fmt.Sprintf("lead shown, actions: %d and more", len(s.Actions))
	}
	return fmt.Sprintf("lead shown, actions: %d", len(s.Actions))
}

// Format writes [Shown.Reason], for every verb, because the fields and actions
// hold personal data.
func (s Shown) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, s.Reason())
}

// Format writes a fixed text, for every verb, because the fields hold personal
// data.
func (ShownAction) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "telecrm.ShownAction")
}

// GetLead reads a lead with up to 100 of its actions
// (https://docs.telecrm.in/sync-api/leads/get). It sends one request; none, and
// fails as [Rejected], without an id.
func (c *Client) GetLead(ctx context.Context, leadID string) Shown {
	path, err := leadPath(leadID)
	if err != nil {
		answer := unsent(fmt.Errorf("reading lead: %w", err))
		return Shown{Failure: &answer}
	}
	path += fmt.Sprintf("?includeActions=true&skip=0&limit=%d", actionsLimit)
	return readShown(c.conn.get(ctx, EndpointGet, path), leadID)
}

// readShown makes a result of what came back of a read. An answer without
// fields is no lead.
func readShown(r reply, leadID string) Shown {
	shown := Shown{ServerTime: r.date}
	answer, doc := read(r)
	answer = answer.aboutLead(leadID)
	if answer.Verdict == Done {
		err := r.unreadable(doc)
		fields, ok := shownFields(r.body)
		if err == nil && !ok {
			err = errBroken
		}
		if err == nil {
			shown.Fields = fields
			shown.Actions, shown.MoreActions = shownActions(doc)
			return shown
		}
		answer.Verdict = Retry
		answer.Err = fmt.Errorf("reading lead: %w", err)
	}
	shown.Failure = failedRead(answer)
	return shown
}

// Names of fields that are shown in more than one way.
const (
	fieldStatus   = "status"
	fieldAssignee = "assignee"
	fieldEmployee = "employeeid" // what live answers call the assignee
)

// besideFields are the keys beside a lead's fields that are none of them.
var besideFields = []string{
	"fields", "actions", "actions_skip", "actions_limit", "actions_total_count", "total_count", "remarks",
	"id", "_id", "lead_id", "leadId", "error", "errors", "message", "code",
}

// shownFields reads the fields of a lead. Values that the documents show among
// them were seen beside them, so it looks in both places. It reports whether
// there are any where the documents have them.
func shownFields(body []byte) (map[string]any, bool) {
	top := object(body)
	fields, ok := top["fields"].(map[string]any)
	if !ok {
		return nil, false
	}
	for _, key := range besideFields {
		delete(top, key)
	}
	fields = merged(fields, top)
	if _, ok := fields[fieldAssignee]; !ok && fields[fieldEmployee] != nil {
		fields[fieldAssignee] = fields[fieldEmployee]
	}
	return fields, true
}

// object decodes a JSON object, with its numbers as they were written; nil if
// it is none.
func object(raw []byte) map[string]any {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var decoded map[string]any
	if decoder.Decode(&decoded) != nil {
		return nil
	}
	return decoded
}

// merged returns the values of both, without the nulls; of two with one name
// the first.
func merged(first, second map[string]any) map[string]any {
	values := make(map[string]any, len(first)+len(second))
	for _, from := range []map[string]any{second, first} {
		for name, value := range from {
			if value != nil {
				values[name] = value
			}
		}
	}
	return values
}

// shownActions reads the timeline. More tells that it is not known to be all of
// it: one that is not there, although it was asked for, may hold anything.
func shownActions(doc *document) (actions []ShownAction, more bool) {
	if doc.Actions == nil {
		return nil, true
	}
	items := list(doc.Actions)
	for _, item := range items[:min(len(items), actionsLimit)] {
		if action, ok := shownAction(item); ok {
			actions = append(actions, action)
		}
	}
	total, err := strconv.Atoi(firstText(doc.ActionsTotal, doc.TotalCount))
	if err != nil {
		// Untold, so a full page may not be the last one.
		return actions, len(actions) < len(items) || len(items) >= actionsLimit
	}
	return actions, len(actions) < max(total, len(items))
}

// shownAction reads one entry. A payment's values stand beside its type.
func shownAction(raw json.RawMessage) (ShownAction, bool) {
	entry := object(raw)
	kind, ok := entry["type"].(string)
	if number, isNumber := entry["type"].(json.Number); isNumber {
		kind, ok = number.String(), true
	}
	if !ok {
		return ShownAction{}, false
	}
	action := ShownAction{Type: clip(bareType(kind))}
	if created, ok := entry["creationTimestamp"]; ok {
		action.CreatedOn = epochMillis(fmt.Sprint(created))
	}
	fields, _ := entry["fields"].(map[string]any)
	for _, key := range []string{"type", "fields", "creationTimestamp"} {
		delete(entry, key)
	}
	if action.Type != ActionPayment {
		entry = nil
	}
	action.Fields = merged(fields, entry)
	return action, true
}

// actionPrefix stands before a custom action's code in the Async API and in
// some of the Sync API's answers (https://docs.telecrm.in/concepts/actions).
const actionPrefix = "ACTION_"

func bareType(actionType string) string {
	return strings.TrimPrefix(actionType, actionPrefix)
}
