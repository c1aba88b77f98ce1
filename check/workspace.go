package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/internal/suggest"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Workspace has the definitions that were read from TeleCRM.
type Workspace struct {
	Fields   telecrm.Definitions
	Actions  telecrm.ActionDefinitions
	Pipeline telecrm.Pipeline
	// Members has the result for each e-mail address that the forms name.
	Members map[string]telecrm.Member
	// AskedAt is the time at which the answer with the fields arrived.
	AskedAt time.Time
}

// standardFields exist in every workspace, whether or not TeleCRM lists them.
var standardFields = []string{"name", "phone", "email", "rating", "status", "assignee"}

// comparison compares the values of a form with a workspace.
type comparison struct {
	*Report
	form      *Form
	workspace *Workspace
	fields    map[string]telecrm.FieldDefinition
	actions   map[string]telecrm.ActionDefinition
	inputs    map[string]bool // of the form's pages
}

// checkWorkspace compares the form's mapping with the workspace. Its pages have the inputs.
func (r *Report) checkWorkspace(f *Form, w *Workspace, inputs map[string]bool) {
	c := comparison{r, f, w, byName(w.Fields.Fields), make(map[string]telecrm.ActionDefinition), inputs}
	for _, action := range w.Actions.Actions {
		c.actions[action.Code] = action
	}
	for _, v := range f.values() {
		c.checkValue(v)
	}
	if f.Unmapped != "" {
		c.checkUnmapped()
	}
	for _, action := range f.Actions {
		c.checkAction(action.Code)
	}
	c.checkLocked()
}

func byName(fields []telecrm.FieldDefinition) map[string]telecrm.FieldDefinition {
	named := make(map[string]telecrm.FieldDefinition, len(fields))
	for _, field := range fields {
		named[field.APIName] = field
	}
	return named
}

func (c comparison) report(code Code, line, remedy, format string, args ...any) {
	c.reportForm(c.form, code, line, remedy, format, args...)
}

// checkValue compares a value with the field or the action's key that it is for.
func (c comparison) checkValue(v value) {
	switch {
	case v.action == telecrm.ActionPayment:
	case v.action != "":
		action, known := c.actions[v.action]
		if !known || !action.HasFields {
			return
		}
		if field, ok := c.checkName(v, byName(action.Fields), ""); ok {
			c.checkType(v, field)
			c.checkLabels(v, field)
		}
	case c.workspace.Fields.OK():
		if field, ok := c.checkName(v, c.fields, ""); ok {
			c.checkType(v, field)
			c.checkLabels(v, field)
		}
		c.checkPipeline(v)
	default:
		c.checkPipeline(v)
	}
}

// checkName reports a name that does not exist. It returns the definition of one that does. The word
// begins a line without a type.
func (c comparison) checkName(v value, fields map[string]telecrm.FieldDefinition, word string) (telecrm.FieldDefinition, bool) {
	if field, known := fields[v.name]; known {
		return field, true
	}
	isOfLead := v.action == ""
	if isOfLead && (!c.workspace.Fields.OK() || slices.Contains(standardFields, v.name)) {
		return telecrm.FieldDefinition{}, false
	}
	names := slices.Sorted(maps.Keys(fields))
	if isOfLead {
		names = append(names, standardFields...)
	}
	nearest := nearestName(v.name, names)
	remedy, original := "", v
	if nearest != "" {
		kind := v.kind
		if !v.isTyped() {
			kind = kindOf(v.action, nearest, "")
		}
		if field, known := fields[nearest]; known && word == "" {
			kind = typeFor(field.Type, kind)
		}
		if v.field != nil && v.field.Input == "" && c.inputs[nearest] && !c.inputs[v.name] {
			v = v.from(nearest)
		}
		if remedy = word + nearest; word == "" {
			remedy = v.written(nearest, kind)
		}
		if only := onlyNear(v.name, names); only != "" {
			c.fixName(original, only)
		}
	}
	switch {
	case !isOfLead:
		c.report(UnknownActionKey, v.line, remedy, "action %s does not have a key %s; %s", v.action, v.name, oneOf(nearest, names))
	case strings.EqualFold(nearest, v.name):
		c.report(FieldCase, v.line, remedy,
			"the workspace's field is spelled %s, and TeleCRM would not know %s", nearest, v.name)
	default:
		c.report(UnknownField, v.line, remedy,
			"the workspace does not have a field %s; %s", v.name, oneOf(nearest, names))
	}
	return telecrm.FieldDefinition{}, false
}

// nearestName returns the name that was probably meant, or "".
func nearestName(name string, names []string) string {
	for _, known := range names {
		if strings.EqualFold(known, name) {
			return known
		}
	}
	return suggest.Nearest(name, suggest.Words(names...))
}

// maxListed bounds how many names a message lists.
const maxListed = 20

// oneOf says which names there are.
func oneOf(nearest string, names []string) string {
	switch {
	case nearest != "":
		return fmt.Sprintf("did you mean %s?", nearest)
	case len(names) == 0:
		return "it does not have any"
	case len(names) > maxListed:
		return fmt.Sprintf("it has %s and %d more", strings.Join(names[:maxListed], ", "), len(names)-maxListed)
	}
	return "it has " + strings.Join(names, ", ")
}

// checkType reports a type that TeleCRM does not accept for the field.
func (c comparison) checkType(v value, field telecrm.FieldDefinition) {
	if fits(v, field.Type) {
		return
	}
	kind := typeFor(field.Type, v.kind)
	remedy := v.written(v.name, kind)
	if kind == fieldtype.Dropdown && v.field != nil && len(field.Options) > 0 {
		remedy += " {\n\toptions " + suggest.Quote(field.Options...) + "\n}"
	}
	c.report(WrongType, v.line, remedy,
		"%s is %s in TeleCRM, but the config sends it as %s", v.name, field.Type, v.kind)
}

// acceptable maps TeleCRM's types to those that send what it accepts, the usual one first
// (https://docs.telecrm.in/concepts/field-types).
var acceptable = map[string][]fieldtype.Type{
	"TEXT": {
		fieldtype.Text, fieldtype.Email, fieldtype.Phone, fieldtype.Dropdown, fieldtype.Money, fieldtype.Website, fieldtype.MediaLink,
		fieldtype.Assignee, fieldtype.Status, fieldtype.LostReason,
	},
	"EMAIL":       {fieldtype.Email, fieldtype.Assignee},
	"PHONE":       {fieldtype.Phone},
	"NUMBER":      {fieldtype.Number, fieldtype.Rating},
	"DATE":        {fieldtype.Date},
	"DROPDOWN":    {fieldtype.Dropdown},
	"TAGS":        {fieldtype.Tags},
	"MONEY":       {fieldtype.Money},
	"WEBSITE":     {fieldtype.Website, fieldtype.MediaLink},
	"MEDIALINK":   {fieldtype.MediaLink, fieldtype.Website},
	"ACTIVEUSERS": {fieldtype.Assignee, fieldtype.Email},
	"RATING":      {fieldtype.Rating},
	"STATUS":      {fieldtype.Status},
	"LOSTREASON":  {fieldtype.LostReason},
}

// fits reports whether TeleCRM accepts what the config sends. A type that is not documented accepts
// everything. Any of a dropdown's labels may be sent as text if nobody can type another.
func fits(v value, theirs string) bool {
	types, known := acceptable[theirs]
	isFixed := v.set != nil && !strings.ContainsAny(v.set.Value, "{}") || v.field != nil && len(v.field.Options) > 0
	return !known || slices.Contains(types, v.kind) || theirs == "DROPDOWN" && v.kind == fieldtype.Text && isFixed
}

// typeFor returns the type for a field of TeleCRM, or else the given one.
func typeFor(theirs string, otherwise fieldtype.Type) fieldtype.Type {
	if types := acceptable[theirs]; len(types) > 0 && !slices.Contains(types, otherwise) {
		return types[0]
	}
	return otherwise
}

// checkLabels reports labels that a dropdown does not have, and tags that the workspace does not.
func (c comparison) checkLabels(v value, field telecrm.FieldDefinition) {
	if len(field.Options) == 0 {
		return
	}
	code, what := UnknownOption, "option"
	switch field.Type {
	case "DROPDOWN":
	case "TAGS":
		code, what = UnknownTag, "tag"
	default:
		return
	}
	if field.Type == "DROPDOWN" && v.set != nil && strings.ContainsAny(v.set.Value, "{}") {
		remedy := ""
		if inputs := v.set.Inputs(); len(inputs) == 1 {
			remedy = "field " + suggest.Quote(v.name) + " " + suggest.Quote(inputs[0]) + " dropdown {\n\toptions " + suggest.Quote(field.Options...) + "\n}"
		}
		c.report(UncheckedOption, v.line, remedy,
			"%s is a dropdown, and TeleCRM creates an option for every text that %s may become", v.name, v.set.Value)
	}
	for _, label := range v.constants() {
		if slices.Contains(field.Options, label) {
			continue
		}
		nearest := nearestName(label, field.Options)
		c.fixCase(v, label, onlyNear(label, field.Options))
		c.report(code, v.line, replaced(v, label, nearest, field.Options),
			"%s does not have the %s %q in TeleCRM; %s", v.name, what, label, oneOf(nearest, field.Options))
	}
}

// replaced writes the line again with another label.
func replaced(v value, label, by string, labels []string) string {
	if v.set != nil {
		if by == "" {
			return ""
		}
		other := *v.set
		other.Value = strings.Replace(other.Value, label, by, 1)
		v.set = &other
		return v.written(v.name, v.kind)
	}
	if by == "" {
		return "options " + suggest.Quote(labels...)
	}
	options := slices.Clone(v.field.Options)
	i := slices.Index(options, label)
	if i < 0 {
		return "default " + suggest.Quote(by)
	}
	options[i] = by
	return "options " + suggest.Quote(options...)
}

// checkPipeline reports statuses, lost reasons and assignees that do not exist.
func (c comparison) checkPipeline(v value) {
	p := c.workspace.Pipeline
	switch v.kind { //nolint:exhaustive // the other types have values of any kind
	case fieldtype.Status:
		c.checkStages(v, p.Statuses, p.ArchivedStatuses, UnknownStatus, ArchivedStatus, "status")
	case fieldtype.LostReason:
		c.checkStages(v, p.LostReasons, p.ArchivedLostReasons, UnknownLostReason, ArchivedLostReason, "lost reason")
	case fieldtype.Assignee:
		for _, email := range v.constants() {
			if member, asked := c.workspace.Members[email]; asked && member.OK() && !member.Exists {
				c.report(UnknownAssignee, v.line, "",
					"nobody in the team has the e-mail address of %s; write that of a member", v.line)
			}
		}
	}
}

func (c comparison) checkStages(v value, active, archived []string, unknown, old Code, what string) {
	if len(active) == 0 { // it could not be read
		return
	}
	for _, label := range v.constants() {
		nearest := nearestName(label, active)
		remedy := replaced(v, label, nearest, active)
		switch {
		case slices.Contains(active, label):
		case slices.Contains(archived, label):
			c.report(old, v.line, replaced(v, label, cmp.Or(nearest, active[0]), active),
				"the %s %q is archived; active ones are %s", what, label, strings.Join(active, ", "))
		default:
			c.fixCase(v, label, onlyNear(label, active))
			c.report(unknown, v.line, remedy,
				"the pipeline does not have the %s %q; %s", what, label, oneOf(nearest, active))
		}
	}
}

// checkAction reports a code that the workspace does not have.
func (c comparison) checkAction(code string) {
	if _, known := c.actions[code]; known || code == telecrm.ActionPayment || !c.workspace.Actions.OK() {
		return
	}
	codes := slices.Sorted(maps.Keys(c.actions))
	listed := make([]string, 0, len(codes))
	for _, code := range codes {
		listed = append(listed, strings.TrimSpace(code+" "+c.actions[code].Name))
	}
	remedy := ""
	if nearest := nearestName(strings.TrimPrefix(code, "ACTION_"), codes); nearest != "" {
		remedy = "action " + nearest
	} else if len(codes) == 1 {
		remedy = "action " + codes[0]
	}
	c.report(UnknownAction, "action "+code, remedy,
		"the workspace does not have an action %s; %s", code, oneOf("", listed))
}

// checkUnmapped reports an unmapped field that does not take any text.
func (c comparison) checkUnmapped() {
	v := value{line: "unmapped", name: c.form.Unmapped, kind: fieldtype.Text}
	field, known := c.checkName(v, c.fields, "unmapped ")
	if !known || field.Type == "TEXT" || acceptable[field.Type] == nil {
		return
	}
	remedy := ""
	for _, other := range c.workspace.Fields.Fields {
		isTaken := slices.ContainsFunc(c.form.values(), func(v value) bool { return v.action == "" && v.name == other.APIName })
		if other.Type == "TEXT" && !isTaken && !slices.Contains(standardFields, other.APIName) {
			remedy = "unmapped " + other.APIName
			break
		}
	}
	c.report(WrongType, "unmapped", remedy,
		"%s is %s in TeleCRM, but unmapped sends text of several lines", field.APIName, field.Type)
}

// checkLocked reports fields that on_duplicate sets although they cannot change.
func (c comparison) checkLocked() {
	f := c.form
	isLocked := func(name string) bool { return c.fields[name].Locked }
	switch f.OnDuplicate {
	case "update":
		kept := slices.DeleteFunc(slices.Clone(f.UpdateFields), isLocked)
		remedy := "on_duplicate actions"
		if len(kept) > 0 {
			remedy = "on_duplicate update " + suggest.Quote(kept...)
		}
		for _, name := range f.UpdateFields {
			if isLocked(name) {
				if len(kept) > 0 {
					c.fixLine(f, "on_duplicate", name, "")
				}
				c.report(LockedField, "on_duplicate", remedy,
					"%s is locked after a lead is created, so on_duplicate update cannot set it", name)
			}
		}
	case "upsert":
		for _, v := range f.values() {
			if v.action == "" && isLocked(v.name) {
				c.report(LockedField, v.line, "on_duplicate actions",
					"%s is locked after a lead is created; on_duplicate upsert sends it for known people too, and what TeleCRM does then is not documented", v.name)
			}
		}
	}
}
