package delivery

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// fitFields removes the optional values that the workspace does not have a field for, and converts
// the others to the fields' types. If the attempt may not ask for the fields now, the result ends it,
// unless the lead exists nowhere else.
func (a *attempt) fitFields(ctx context.Context) *result {
	if len(a.job.Optional) == 0 {
		return nil
	}
	known, reason, err := a.workspaceFields(ctx)
	if _, isOnly := a.runner.(directRunner); err != nil && !isOnly {
		return a.postponed(reason, err)
	}
	if known == nil {
		a.remarks = append(a.remarks, telecrm.Remark{Field: "fields", Status: "NOT_SENT", Text: "the workspace's fields for attribution are not known"})
	}
	fields := maps.Clone(a.job.Fields)
	for _, name := range a.job.Optional {
		definition, exists := known[name]
		value, fits := fitValue(fields[name], definition)
		if !exists || !fits {
			delete(fields, name)
			continue
		}
		fields[name] = value
	}
	a.job.Fields = fields
	return nil
}

// workspaceFields returns the fields of the workspace, or nil while they are unknown. It leaves most
// of the time that the attempt has for the lead itself.
func (a *attempt) workspaceFields(ctx context.Context) (known map[string]telecrm.FieldDefinition, reason string, err error) {
	if a.account.Client == nil || a.account.Fields == nil {
		return nil, "", nil
	}
	if deadline, bounded := ctx.Deadline(); bounded {
		const share = 4
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/share)
		defer cancel()
	}
	known, err = a.account.Fields.get(ctx, a.account.Client, a.now, func() (err error) {
		reason, err = a.runner.throttle(ctx, a.entry)
		return err
	})
	return known, reason, err
}

// fitValue converts a text to the type of its field. It reports false if the field cannot hold it. A
// dropdown takes only the options that it has: TeleCRM would create one for any other text.
func fitValue(value any, field telecrm.FieldDefinition) (any, bool) {
	text, isText := value.(string)
	if !isText {
		return value, value != nil
	}
	switch field.Type {
	case "DATE":
		at, err := time.Parse(time.RFC3339, text)
		return json.Number(strconv.FormatInt(at.UnixMilli(), 10)), err == nil
	case "NUMBER":
		_, err := strconv.ParseInt(text, 10, 64)
		return json.Number(text), err == nil
	case "DROPDOWN":
		return text, slices.Contains(field.Options, text)
	case "TAGS":
		return []string{text}, slices.Contains(field.Options, text)
	case "WEBSITE":
		return text, strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://")
	case "ACTIVEUSERS", "EMAIL", "LOSTREASON", "MEDIALINK", "MONEY", "PHONE", "RATING", "STATUS":
		return nil, false
	}
	return text, true
}
