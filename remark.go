package caddytelecrm

import (
	"fmt"
	"maps"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// otherField is the label of remarks on what no config names.
const otherField = "other"

// remarkLabels are the fields of a form, as metrics have them, by how remarks
// name them.
type remarkLabels map[string]string

// of returns the label of the field that a remark names. Anything may stand
// there: TeleCRM writes it.
func (l remarkLabels) of(field string) string {
	if name, known := l[field]; known {
		return name
	}
	return otherField
}

// remarkLabels are the mapping's: the API name of a field of the lead, and the
// path of an action and of its keys.
func (m *mapping) remarkLabels() remarkLabels {
	labels := make(remarkLabels)
	for _, name := range m.names() {
		labels["fields."+name] = name
	}
	for i, a := range m.actions {
		path := fmt.Sprintf("actions[%d]", i)
		labels[path], labels[path+".type"] = path, path
		labels["action "+a.code] = path
		for _, f := range a.fields {
			labels[path+".fields."+f.Name] = path + ".fields." + f.Name
		}
		for _, s := range a.settings {
			labels[path+".fields."+s.Name] = path + ".fields." + s.Name
		}
	}
	return labels
}

// know takes up the fields of a form. Forms of one name count together.
func (a *App) know(form string, labels remarkLabels) {
	if a.forms[form] == nil {
		a.forms[form] = make(remarkLabels)
	}
	maps.Copy(a.forms[form], labels)
}

// remarkOn warns of what of a form's lead did not come through as it was
// sent, and counts it.
func (a *App) remarkOn(log *zap.Logger, form string, remarks []telecrm.Remark) {
	tokens := telecrm.NewRedactor(a.tokens()...)
	for _, r := range remarks {
		log.Warn("a part of the lead was not stored as sent",
			zap.String("field", tokens.Redact(r.Field)),
			zap.String("status", tokens.Redact(r.Status)),
			zap.String("remark", tokens.Redact(r.Text)))
	}
	meters.remarked(form, a.forms[form], remarks)
}
