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

// actionsLimit is how many actions of a lead are requested, the most that the API allows
// (https://docs.telecrm.in/sync-api/leads/get).
const actionsLimit = 100

// Shown is a lead as TeleCRM shows it.
type Shown struct {
	// Fields are the values by API name, with numbers as [json.Number] and without empty fields.
	// They are personal data.
	Fields map[string]any

	// Actions are the entries of the lead's timeline, in TeleCRM's order, at most 100.
	Actions []ShownAction

	// MoreActions means that the timeline has other entries, or may. A missing action may still be
	// stored.
	MoreActions bool

	// ServerTime is TeleCRM's time, to the second; zero if it was not sent.
	ServerTime time.Time

	// Failure is the reason for having no lead; nil if there is one. Its verdict is [Missing],
	// [Retry], [Hold] or [Rejected]. It is never Ambiguous, because reading twice is harmless.
	Failure *Answer
}

// ShownAction is an entry of a lead's timeline as TeleCRM shows it.
type ShownAction struct {
	// Type is a custom action's bare code or [ActionPayment]. Entries that TeleCRM makes itself
	// have other types.
	Type string

	// Fields are the values by key, including those of a payment, with numbers as [json.Number].
	// They are personal data.
	Fields map[string]any

	// CreatedOn is when the action was stored, by TeleCRM's clock, to the millisecond; zero if not
	// shown.
	CreatedOn time.Time
}

// OK reports whether the lead was read.
func (s Shown) OK() bool { return s.Failure == nil }

// Reason describes the result for logs, as [Answer.Reason] does. It never contains values.
func (s Shown) Reason() string {
	if !s.OK() {
		return s.Failure.Reason()
	}
	if s.MoreActions {
		return fmt.Sprintf("lead shown, actions: at least %d", len(s.Actions))
	}
	return fmt.Sprintf("lead shown, actions: %d", len(s.Actions))
}

// Format writes [Shown.Reason] for every verb, because fields and actions are personal data.
func (s Shown) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, s.Reason())
}

// Format writes a fixed text for every verb, because the fields are personal data.
func (ShownAction) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "telecrm.ShownAction")
}

// GetLead reads a lead with up to 100 of its actions (https://docs.telecrm.in/sync-api/leads/get).
// It sends one request. Without an id it sends none and fails as [Rejected].
func (c *Client) GetLead(ctx context.Context, leadID string) Shown {
	path, err := leadPath(leadID)
	if err != nil {
		answer := unsent(fmt.Errorf("reading lead: %w", err))
		return Shown{Failure: &answer}
	}
	path += fmt.Sprintf("?includeActions=true&skip=0&limit=%d", actionsLimit)
	return readShown(c.conn.get(ctx, EndpointGet, path), leadID)
}

// readShown returns the result of reading a lead. A response without fields is an error.
func readShown(r reply, leadID string) Shown {
	shown := Shown{ServerTime: r.date}
	answer, doc := read(r)
	answer = answer.aboutLead(leadID)
	if answer.Verdict == Done {
		err := r.unreadable(doc)
		fields, ok := shownFields(r.body)
		if err == nil && !ok {
			err = errNotTeleCRM
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

// Fields that are shown in more than one way.
const (
	fieldStatus   = "status"
	fieldAssignee = "assignee"
	fieldEmployee = "employeeid" // the assignee in live responses
)

// nonFieldKeys are the keys beside a lead's fields that are not fields.
var nonFieldKeys = []string{
	"fields", "actions", "actions_skip", "actions_limit", "actions_total_count", "total_count", "remarks",
	"id", "_id", "lead_id", "leadId", "error", "errors", "message", "code",
}

// shownFields returns the fields of a lead. Values that are documented inside fields were seen
// beside it, so it looks in both places. It reports whether the documented object exists.
func shownFields(body []byte) (map[string]any, bool) {
	top := object(body)
	fields, ok := top["fields"].(map[string]any)
	if !ok {
		return nil, false
	}
	for _, key := range nonFieldKeys {
		delete(top, key)
	}
	fields = merged(fields, top)
	if _, ok := fields[fieldAssignee]; !ok && fields[fieldEmployee] != nil {
		fields[fieldAssignee] = fields[fieldEmployee]
	}
	return fields, true
}

// object decodes a JSON object, keeping numbers as written. It returns nil for anything else.
func object(raw []byte) map[string]any {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var decoded map[string]any
	if decoder.Decode(&decoded) != nil {
		return nil
	}
	return decoded
}

// merged returns the values of both maps without nulls. The first map wins.
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

// shownActions parses the timeline. more means that it may be incomplete, which is also the case if
// it was requested but is missing.
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
		// Without a total, a full page may not be the last one.
		return actions, len(actions) < len(items) || len(items) >= actionsLimit
	}
	return actions, len(actions) < max(total, len(items))
}

// shownAction parses one entry. A payment's values are beside its type.
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

// actionPrefix precedes a custom action's code in the Async API and in some responses of the Sync
// API (https://docs.telecrm.in/concepts/actions).
const actionPrefix = "ACTION_"

func bareType(actionType string) string {
	return strings.TrimPrefix(actionType, actionPrefix)
}
