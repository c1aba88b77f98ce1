package sandbox

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	statusCreated = "CREATED"
	statusIgnored = "IGNORED"
	typePayment   = "PAYMENT"
)

// paymentRules maps the keys of a payment to their allowed values. See
// https://docs.telecrm.in/concepts/actions.
var paymentRules = map[string]func(string) bool{
	"status":   oneOf("PENDING", "COMPLETED", "FAILED", "REFUNDED", "CANCELLED", "PROCESSING"),
	"currency": oneOf("INR", "USD", "PKR", "AED", "QAR", "SAR", "MYR", "AUD", "CAD", "SGD", "XOF"),
	"amount": func(v string) bool {
		return amountSyntax.MatchString(v) && strings.ContainsAny(v, "123456789")
	},
	paymentID: func(v string) bool { return v != "" },
}

// paymentID is the only optional key of a payment.
const paymentID = "paymentid"

var amountSyntax = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

func oneOf(words ...string) func(string) bool {
	return func(v string) bool { return slices.Contains(words, v) }
}

// draft is the valid part of a request, to be stored. Each invalid part is omitted, with a remark.
type draft struct {
	schema     *Schema
	op         Op
	existing   bool // for an existing lead
	at         time.Time
	fields     map[string]any
	actions    []Action
	remarks    []Remark
	newOptions []string
	answers    []actionAnswer // in the order of the request's actions
}

func (s *Sandbox) newDraft(op Op) *draft {
	return &draft{
		schema: s.schema, op: op, at: s.cfg.Now(),
		fields: map[string]any{}, actions: []Action{}, remarks: []Remark{}, newOptions: []string{}, answers: []actionAnswer{},
	}
}

// newLead returns a new lead with the draft's values.
func (d *draft) newLead() Lead {
	return Lead{
		ID: newID(), CreatedAt: d.at, Fields: d.fields, Actions: slices.Clone(d.actions), Changes: []Change{},
		Remarks: slices.Clone(d.remarks), NewOptions: d.newOptions,
	}
}

// change applies the draft to an existing lead.
func (d *draft) change(lead *Lead) {
	if len(d.fields) > 0 {
		maps.Copy(lead.Fields, d.fields)
		lead.Changes = append(lead.Changes, Change{At: d.at, Fields: cloneFields(d.fields)})
	}
	lead.Actions = append(lead.Actions, d.actions...)
	lead.Remarks = append(lead.Remarks, d.remarks...)
	for _, name := range d.newOptions {
		if !slices.Contains(lead.NewOptions, name) {
			lead.NewOptions = append(lead.NewOptions, name)
		}
	}
}

func (d *draft) remark(path, reason string) {
	d.remarks = append(d.remarks, Remark{Field: path, Status: statusIgnored, Remark: reason})
}

func (d *draft) addFields(values map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if d.locked(name) {
			d.remark("fields."+name, lockedField)
		} else if d.check(d.schema.Fields, name, name, "fields."+name, values[name]) {
			d.fields[name] = values[name]
		}
	}
}

// locked reports whether the draft must not change the field.
func (d *draft) locked(name string) bool {
	field, _ := findField(d.schema.Fields, name)
	return d.existing && field.LockAfterCreate
}

func (d *draft) addActions(entries []any) {
	for i, entry := range entries {
		d.addAction(fmt.Sprintf("actions[%d]", i), entry)
	}
}

// check reports whether the value can be stored in the named field. If not, it adds a remark at
// path. If the value is a label that a dropdown does not have, it records the dropdown as optionOf.
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
		d.newOptions = append(d.newOptions, optionOf)
	}
	return true
}

// addAction adds one entry of a request's actions. TeleCRM does not document for this endpoint
// whether it refuses the whole create for a type that cannot be written.
// https://docs.telecrm.in/sync-api/leads/pitfalls mentions ignored actions, so the action is
// ignored here.
func (d *draft) addAction(path string, entry any) {
	action, ok := d.buildAction(path, entry)
	if !ok {
		d.answers = append(d.answers, actionAnswer{Status: statusIgnored})
		return
	}
	action.ID, action.CreatedAt = newID(), d.at
	d.actions = append(d.actions, action)
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
	definition, ok := d.definition(kind)
	if !ok {
		d.remark(path+".type", "Action type does not exist")
		return Action{}, false
	}
	return d.buildCustomAction(path, definition, object)
}

// actionPrefix precedes the code of a custom action in the Async API, and in live answers of the
// Sync API.
const actionPrefix = "ACTION_"

// definition finds a custom action by its type in a request: the bare code or, in the Async API,
// the code with actionPrefix. See https://docs.telecrm.in/concepts/actions.
func (d *draft) definition(kind string) (ActionDefinition, bool) {
	if d.op != OpUpsert {
		return d.schema.action(kind)
	}
	code, prefixed := strings.CutPrefix(kind, actionPrefix)
	if !prefixed {
		return ActionDefinition{}, false
	}
	return d.schema.action(code)
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

// onlyKeys adds a remark for every unknown key of the action.
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
