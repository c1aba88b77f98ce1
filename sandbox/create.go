package sandbox

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// leadRequest is the body of a request with a valid outer shape.
type leadRequest struct {
	fields  map[string]any
	actions []any
}

// createAnswer is the body of a 201, and of the 200 of an append. See
// https://docs.telecrm.in/sync-api/leads/create and
// https://docs.telecrm.in/sync-api/actions/create.
type createAnswer struct {
	LeadID  string         `json:"lead_id"`
	Actions []actionAnswer `json:"actions"`
	Remarks []Remark       `json:"remarks"`
}

type actionAnswer struct {
	ActionID *string `json:"action_id"` // null when ignored
	Status   string  `json:"status"`
}

func (s *Sandbox) createLead(body []byte) answer {
	req, err := parseLead(body, "fields", "actions")
	if err == nil && req.fields == nil {
		err = errNoFields
	}
	if err != nil {
		return errorAnswer(http.StatusBadRequest, codeInvalidLead, err.Error())
	}
	identifier, err := s.schema.identifierOf(req.fields)
	if err != nil {
		return errorAnswer(http.StatusBadRequest, codeInvalidLead, err.Error())
	}
	draft := s.newDraft(OpCreate)
	draft.addFields(req.fields)
	draft.addActions(req.actions)
	lead := draft.newLead()

	s.lock()
	other, created := s.store.add(lead, identifier)
	s.mu.Unlock()
	if !created {
		return s.conflict(req.fields, other)
	}
	ans := jsonAnswer(http.StatusCreated, createAnswer{LeadID: lead.ID, Actions: draft.answers, Remarks: draft.remarks})
	ans.leadID = lead.ID
	return ans
}

// conflict returns the answer to a lead whose identifier is taken.
func (s *Sandbox) conflict(fields map[string]any, other string) answer {
	name := s.schema.Identifier
	detail := errorDetail{Code: codeLeadExists, Message: fmt.Sprintf("Lead with %s %s already exists.", name, fields[name])}
	if s.cfg.ConflictID {
		detail.LeadID = other
	}
	return jsonAnswer(http.StatusConflict, errorBody{detail})
}

var (
	errNoFields  = errors.New(`"fields" is missing or empty`)
	errNoActions = errors.New(`"actions" is missing or empty`)
)

// parseLead decodes a body, which may only have the known keys.
func parseLead(body []byte, known ...string) (leadRequest, error) {
	decoded, err := decodeJSON(body)
	if err != nil {
		return leadRequest{}, err
	}
	object, ok := decoded.(map[string]any)
	if !ok {
		return leadRequest{}, errors.New("the body must be a JSON object")
	}
	var req leadRequest
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains(known, key) {
			return leadRequest{}, fmt.Errorf("body: unknown key %q", key)
		}
		if key == "fields" {
			req.fields, ok = object[key].(map[string]any)
		} else {
			req.actions, ok = object[key].([]any)
		}
		if !ok {
			return leadRequest{}, fmt.Errorf("%q has the wrong JSON type", key)
		}
	}
	return req, nil
}
