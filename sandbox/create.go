package sandbox

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

const (
	statusCreated = "CREATED"
	statusIgnored = "IGNORED"
	typePayment   = "PAYMENT"
)

// paymentRules are the keys of a payment and what each may hold. See https://docs.telecrm.in/concepts/actions.
var paymentRules = map[string]func(string) bool{
	"status":   oneOf("PENDING", "COMPLETED", "FAILED", "REFUNDED", "CANCELLED", "PROCESSING"),
	"currency": oneOf("INR", "USD", "PKR", "AED", "QAR", "SAR", "MYR", "AUD", "CAD", "SGD", "XOF"),
	"amount": func(v string) bool {
		return amountSyntax.MatchString(v) && strings.ContainsAny(v, "123456789")
	},
	paymentID: func(v string) bool { return v != "" },
}

// paymentID is the one key of a payment that may be missing.
const paymentID = "paymentid"

var amountSyntax = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

func oneOf(words ...string) func(string) bool {
	return func(v string) bool { return slices.Contains(words, v) }
}

// createRequest is the body of a create after its outer shape was checked.
type createRequest struct {
	fields  map[string]any
	actions []any
}

// createAnswer is the body of a 201. See https://docs.telecrm.in/sync-api/leads/create.
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
	req, err := parseCreate(body)
	if err != nil {
		return errorAnswer(http.StatusBadRequest, codeInvalidLead, err.Error())
	}
	identifier, err := s.schema.identifierOf(req.fields)
	if err != nil {
		return errorAnswer(http.StatusBadRequest, codeInvalidLead, err.Error())
	}
	draft := newDraft(s.schema)
	draft.addFields(req.fields)
	for i, action := range req.actions {
		draft.addAction(fmt.Sprintf("actions[%d]", i), action)
	}
	draft.lead.CreatedAt = s.cfg.Now()

	s.mu.Lock()
	created := s.store.add(draft.lead, identifier)
	s.mu.Unlock()
	if !created {
		name := s.schema.Identifier
		return errorAnswer(http.StatusConflict, codeLeadExists,
			fmt.Sprintf("Lead with %s %s already exists.", name, req.fields[name]))
	}
	ans := jsonAnswer(http.StatusCreated, createAnswer{
		LeadID: draft.lead.ID, Actions: draft.answers, Remarks: draft.lead.Remarks,
	})
	ans.leadID = draft.lead.ID
	return ans
}

func parseCreate(body []byte) (createRequest, error) {
	decoded, err := decodeJSON(body)
	if err != nil {
		return createRequest{}, err
	}
	object, ok := decoded.(map[string]any)
	if !ok {
		return createRequest{}, errors.New("the body must be a JSON object")
	}
	var req createRequest
	for _, key := range slices.Sorted(maps.Keys(object)) {
		switch key {
		case "fields":
			req.fields, ok = object[key].(map[string]any)
		case "actions":
			req.actions, ok = object[key].([]any)
		default:
			return createRequest{}, fmt.Errorf("the body has an unknown key %q", key)
		}
		if !ok {
			return createRequest{}, fmt.Errorf("%q has the wrong JSON type", key)
		}
	}
	if req.fields == nil {
		return createRequest{}, errors.New(`"fields" is missing`)
	}
	return req, nil
}

// draft is a lead in the making. What is wrong with the request's parts is remarked and left out.
type draft struct {
	schema  *Schema
	lead    Lead
	answers []actionAnswer
}

func newDraft(schema *Schema) *draft {
	return &draft{
		schema: schema,
		lead: Lead{
			ID: newID(), Fields: map[string]any{}, Actions: []Action{}, Remarks: []Remark{}, NewOptions: []string{},
		},
		answers: []actionAnswer{},
	}
}

func (d *draft) remark(path, reason string) {
	d.lead.Remarks = append(d.lead.Remarks, Remark{Field: path, Status: statusIgnored, Remark: reason})
}

func (d *draft) addFields(values map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if d.check(d.schema.Fields, name, name, "fields."+name, values[name]) {
			d.lead.Fields[name] = values[name]
		}
	}
}

// check reports whether the value can be stored in the field of that name. It remarks at path when not, and notes the
// dropdown under optionOf when the value is a label that the schema does not have.
func (d *draft) check(fields []Field, name, optionOf, path string, value any) bool {
	field, ok := findField(fields, name)
	if !ok {
		d.remark(path, "Field does not exist")
		return false
	}
	if problem := d.schema.problem(field, value); problem != "" {
		d.remark(path, problem)
		return false
	}
	if label, ok := value.(string); ok && field.Type == TypeDropdown && !slices.Contains(field.Options, label) {
		d.lead.NewOptions = append(d.lead.NewOptions, optionOf)
	}
	return true
}

// addAction adds one entry of the request's actions. Whether TeleCRM refuses the whole create for a type that cannot be
// written is not documented for this endpoint; https://docs.telecrm.in/sync-api/leads/pitfalls speaks of ignored actions,
// so that is what happens here.
func (d *draft) addAction(path string, entry any) {
	action, ok := d.buildAction(path, entry)
	if !ok {
		d.answers = append(d.answers, actionAnswer{Status: statusIgnored})
		return
	}
	action.ID = newID()
	d.lead.Actions = append(d.lead.Actions, action)
	d.answers = append(d.answers, actionAnswer{ActionID: &action.ID, Status: statusCreated})
}

func (d *draft) buildAction(path string, entry any) (Action, bool) {
	object, ok := entry.(map[string]any)
	if !ok {
		d.remark(path, "Action must be an object")
		return Action{}, false
	}
	kind, ok := object["type"].(string)
	if !ok || kind == "" {
		d.remark(path+".type", "Action type must be a string")
		return Action{}, false
	}
	if kind == typePayment {
		return d.buildPayment(path, object)
	}
	definition, ok := d.schema.action(kind)
	if !ok {
		d.remark(path+".type", "Action type does not exist")
		return Action{}, false
	}
	return d.buildCustomAction(path, definition, object)
}

func (d *draft) buildCustomAction(path string, definition ActionDefinition, object map[string]any) (Action, bool) {
	if !d.onlyKeys(path, object, "type", "fields") {
		return Action{}, false
	}
	values, ok := object["fields"].(map[string]any)
	if _, present := object["fields"]; present && !ok {
		d.remark(path+".fields", "Action fields must be an object")
		return Action{}, false
	}
	action := Action{Type: definition.Code, Fields: map[string]any{}}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		at := path + ".fields." + name
		if d.check(definition.Fields, name, at, at, values[name]) {
			action.Fields[name] = values[name]
		}
	}
	return action, true
}

func (d *draft) buildPayment(path string, object map[string]any) (Action, bool) {
	if !d.onlyKeys(path, object, append(slices.Sorted(maps.Keys(paymentRules)), "type")...) {
		return Action{}, false
	}
	action := Action{Type: typePayment, Fields: map[string]any{}}
	complete := true
	for _, key := range slices.Sorted(maps.Keys(paymentRules)) {
		value, present := object[key]
		if !present && key == paymentID {
			continue
		}
		text, ok := value.(string)
		if !ok || !paymentRules[key](text) {
			d.remark(path+"."+key, "Payment "+key+" is missing or invalid")
			complete = false
			continue
		}
		action.Fields[key] = text
	}
	return action, complete
}

// onlyKeys remarks every key of the action that is not known.
func (d *draft) onlyKeys(path string, object map[string]any, known ...string) bool {
	ok := true
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains(known, key) {
			d.remark(path+"."+key, "Key does not exist on this action")
			ok = false
		}
	}
	return ok
}
