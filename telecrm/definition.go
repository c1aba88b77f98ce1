package telecrm

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Definitions are the fields of a workspace.
type Definitions struct {
	// Fields are in TeleCRM's order. It is not documented whether they include the standard fields
	// name, email, status, rating and assignee.
	Fields []FieldDefinition

	// ServerTime is TeleCRM's time, to the second; zero if it was not sent.
	ServerTime time.Time

	// Failure is the reason for having no result; nil if there is one. Its verdict is [Retry],
	// [Hold] or [Rejected]. It is never Ambiguous.
	Failure *Answer
}

// FieldDefinition is one field of a workspace's leads.
type FieldDefinition struct {
	// APIName is the case-sensitive name in requests.
	APIName string

	// Type is one of the upper-case words of
	// https://docs.telecrm.in/sync-api/enterprise/custom-fields-list, such as DROPDOWN.
	Type string

	// Locked means that the value cannot change after the lead is created.
	Locked bool

	// Identifier means that the field is the lead identifier
	// (https://docs.telecrm.in/concepts/lead-identifier).
	Identifier bool

	// Options are the labels that the field accepts.
	Options []string
}

// OK reports whether the definitions were read.
func (d Definitions) OK() bool { return d.Failure == nil }

// FieldDefinitions reads the fields of the workspace's leads
// (https://docs.telecrm.in/sync-api/enterprise/custom-fields-list). It sends one request.
func (c *Client) FieldDefinitions(ctx context.Context) Definitions {
	return readDefinitions(c.conn.get(ctx, EndpointFields, "/custom-fields?detail=false"))
}

// readDefinitions returns the result. A response without a list is an error: read as an empty list,
// it would tell the caller that no field exists.
func readDefinitions(r reply) Definitions {
	answer, doc := read(r)
	if answer.Verdict == Created {
		err := r.unreadable(doc)
		var items []json.RawMessage
		if err == nil && (doc == nil || json.Unmarshal(doc.CustomFields, &items) != nil || items == nil) {
			err = errNotTeleCRM
		}
		if err == nil {
			return Definitions{Fields: definitions(items), ServerTime: r.date}
		}
		answer.Verdict = Retry
		answer.Err = fmt.Errorf("reading field definitions: %w", err)
	}
	return Definitions{ServerTime: r.date, Failure: failedRead(answer)}
}

// definitions omits items without a name.
func definitions(items []json.RawMessage) []FieldDefinition {
	fields := make([]FieldDefinition, 0, len(items))
	for _, item := range items {
		var parts struct {
			APIName json.RawMessage `json:"apiName"`
			Type    json.RawMessage `json:"type"`
			Locked  json.RawMessage `json:"lockAfterCreate"`
			LeadID  json.RawMessage `json:"isLeadid"`
			Options json.RawMessage `json:"options"`
			Tags    json.RawMessage `json:"tags"` // where the labels of tags are is not documented
		}
		if json.Unmarshal(item, &parts) != nil || text(parts.APIName) == "" {
			continue
		}
		fields = append(fields, FieldDefinition{
			APIName:    text(parts.APIName),
			Type:       strings.ToUpper(strings.TrimSpace(text(parts.Type))),
			Locked:     truth(parts.Locked),
			Identifier: truth(parts.LeadID),
			Options:    append(options(parts.Options), options(parts.Tags)...),
		})
	}
	return fields
}

// options parses labels, which are strings in one mode of the endpoint and objects in the other.
func options(raw json.RawMessage) []string {
	var labels []string
	for _, item := range list(raw) {
		label := text(item)
		var object struct {
			Label json.RawMessage `json:"label"`
		}
		if label == "" && json.Unmarshal(item, &object) == nil {
			label = text(object.Label)
		}
		if label != "" {
			labels = append(labels, label)
		}
	}
	return labels
}

// truth parses a JSON boolean, or a string that contains one.
func truth(raw json.RawMessage) bool {
	word := string(raw)
	if s := text(raw); s != "" {
		word = s
	}
	is, err := strconv.ParseBool(strings.ToLower(word))
	return err == nil && is
}
