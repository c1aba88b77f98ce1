package telecrm

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// ActionDefinitions are the actions of a workspace.
type ActionDefinitions struct {
	Actions []ActionDefinition

	// Failure is the reason for having no result, as in [Definitions].
	Failure *Answer
}

// ActionDefinition is one action that a workspace knows.
type ActionDefinition struct {
	// Code is the bare code of a custom action, such as 1042.
	Code string
	// Name is what people see.
	Name string
	// Fields are the keys of the action. HasFields is false if TeleCRM did not list them.
	Fields    []FieldDefinition
	HasFields bool
}

// OK reports whether the definitions were read.
func (d ActionDefinitions) OK() bool { return d.Failure == nil }

// ActionDefinitions reads the custom actions of the workspace
// (https://docs.telecrm.in/sync-api/enterprise/custom-actions-list), without those that TeleCRM
// makes itself. It sends one request.
func (c *Client) ActionDefinitions(ctx context.Context) ActionDefinitions {
	var body struct {
		Actions []json.RawMessage `json:"customActions"`
	}
	failure := readInto(c.conn.get(ctx, EndpointActions, "/custom-actions?detail=true"), "action definitions", &body, func() bool { return body.Actions != nil })
	if failure != nil {
		return ActionDefinitions{Failure: failure}
	}
	actions := make([]ActionDefinition, 0, len(body.Actions))
	for _, item := range body.Actions {
		if action, ok := actionDefinition(item); ok {
			actions = append(actions, action)
		}
	}
	return ActionDefinitions{Actions: actions}
}

// actionDefinition reads one definition. It reports false for actions that nobody else can make.
func actionDefinition(raw json.RawMessage) (ActionDefinition, bool) {
	var parts struct {
		Code   json.RawMessage `json:"code"`
		Name   json.RawMessage `json:"displayName"`
		Source json.RawMessage `json:"source"`
		Schema json.RawMessage `json:"fieldSchema"`
	}
	if json.Unmarshal(raw, &parts) != nil {
		return ActionDefinition{}, false
	}
	action := ActionDefinition{Code: bareType(text(parts.Code)), Name: clip(text(parts.Name))}
	isOurs := action.Code != "" && strings.Trim(action.Code, "0123456789") == ""
	if !isOurs || strings.EqualFold(text(parts.Source), "SYSTEM") {
		return ActionDefinition{}, false
	}
	var schema map[string]json.RawMessage
	action.HasFields = json.Unmarshal(parts.Schema, &schema) == nil && schema != nil
	for _, key := range slices.Sorted(maps.Keys(schema)) {
		field := FieldDefinition{APIName: key}
		var parts struct {
			Type    json.RawMessage `json:"type"`
			Options json.RawMessage `json:"options"`
		}
		if json.Unmarshal(schema[key], &parts) == nil {
			field.Type = strings.ToUpper(strings.TrimSpace(text(parts.Type)))
			field.Options = options(parts.Options)
		}
		action.Fields = append(action.Fields, field)
	}
	return action, true
}

// Pipeline has the labels of a workspace's statuses and lost reasons. Without any status, the
// response has a shape that is not known, because every pipeline has one.
type Pipeline struct {
	Statuses, ArchivedStatuses       []string
	LostReasons, ArchivedLostReasons []string

	// Failure is the reason for having no result, as in [Definitions].
	Failure *Answer
}

// OK reports whether the pipeline was read.
func (p Pipeline) OK() bool { return p.Failure == nil }

// Pipeline reads the statuses and lost reasons of the workspace
// (https://docs.telecrm.in/sync-api/enterprise/lead-stage-pipeline), in the documented shape and in
// the one seen in responses. It sends one request.
func (c *Client) Pipeline(ctx context.Context) Pipeline {
	var body struct {
		Stages []struct {
			Active   json.RawMessage `json:"activeStatuses"`
			Archived json.RawMessage `json:"archivedStatuses"`
		} `json:"leadStages"`
		ActiveReasons   json.RawMessage `json:"activeLeadLostReasons"`
		ArchivedReasons json.RawMessage `json:"archivedLeadLostReasons"`

		Statuses json.RawMessage `json:"statuses"`
		Reasons  json.RawMessage `json:"lostReasons"`
	}
	failure := readInto(c.conn.get(ctx, EndpointPipeline, "/lead-stage-pipeline"), "pipeline", &body, func() bool {
		return body.Stages != nil || present(body.Statuses)
	})
	if failure != nil {
		return Pipeline{Failure: failure}
	}
	p := Pipeline{
		Statuses:            labels(body.Statuses),
		LostReasons:         slices.Concat(labels(body.ActiveReasons), labels(body.Reasons)),
		ArchivedLostReasons: labels(body.ArchivedReasons),
	}
	for _, stage := range body.Stages {
		p.Statuses = append(p.Statuses, labels(stage.Active)...)
		p.ArchivedStatuses = append(p.ArchivedStatuses, labels(stage.Archived)...)
	}
	return p
}

// labels parses a list of labels, or of objects that have one.
func labels(raw json.RawMessage) []string {
	var found []string
	for _, item := range list(raw) {
		var parts struct {
			Label  json.RawMessage `json:"label"`
			Reason json.RawMessage `json:"reasonLabel"`
			Name   json.RawMessage `json:"name"`
			Status json.RawMessage `json:"status"`
		}
		label := text(item)
		if label == "" && json.Unmarshal(item, &parts) == nil {
			label = cmp.Or(text(parts.Label), text(parts.Reason), text(parts.Name), text(parts.Status))
		}
		if label != "" {
			found = append(found, label)
		}
	}
	return found
}

// Member is the result of looking up a team member.
type Member struct {
	Exists bool

	// Failure is the reason for having no result, as in [Definitions].
	Failure *Answer
}

// OK reports whether the lookup succeeded.
func (m Member) OK() bool { return m.Failure == nil }

// Member looks a team member up by e-mail address
// (https://docs.telecrm.in/sync-api/team-members/get). It sends one request.
func (c *Client) Member(ctx context.Context, email string) Member {
	r := c.conn.get(ctx, EndpointMember, "/team-members/"+url.PathEscape(email))
	answer, _ := read(r)
	if r.status == http.StatusNotFound && answer.Code == CodeMemberNotFound {
		return Member{}
	}
	var body struct {
		Email json.RawMessage `json:"email"`
	}
	failure := readInto(r, "team member", &body, func() bool { return text(body.Email) != "" })
	return Member{Exists: failure == nil, Failure: failure}
}

// readInto decodes the response to a request that only reads. It returns why there is no result, or
// nil. complete reports whether the decoded response has what was asked for.
func readInto(r reply, what string, into any, complete func() bool) *Answer {
	answer, doc := read(r)
	if answer.Verdict != Created {
		return failedRead(answer)
	}
	err := r.unreadable(doc)
	if err == nil && (json.NewDecoder(bytes.NewReader(r.body)).Decode(into) != nil || !complete()) {
		err = errNotTeleCRM
	}
	if err == nil {
		return nil
	}
	answer.Verdict = Retry
	answer.Err = fmt.Errorf("reading %s: %w", what, err)
	return failedRead(answer)
}
