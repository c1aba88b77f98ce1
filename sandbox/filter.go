package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// leadFilter maps fields to conditions. A lead matches if it meets all of them. An empty filter
// matches every lead.
type leadFilter map[string]condition

// condition reports whether a field's shown value matches.
type condition func(value any) bool

func (f leadFilter) matches(fields map[string]any) bool {
	for name, met := range f {
		if value, ok := fields[name]; !ok || !met(value) {
			return false
		}
	}
	return true
}

// newFilter reads the filters of https://docs.telecrm.in/sync-api/leads/search. The documentation
// does not say what happens to an unknown field. It is refused here, so that a misspelt name does
// not look like an empty result.
func (s *Sandbox) newFilter(wanted map[string]any) (leadFilter, error) {
	filter := make(leadFilter, len(wanted))
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		var met condition
		var err error
		if name == fieldCreatedOn || name == fieldModifiedOn {
			met, err = newRange(wanted[name])
		} else {
			met, err = s.newEquality(name, wanted[name])
		}
		if err != nil {
			return nil, fmt.Errorf("filter fields.%s: %w", name, err)
		}
		filter[name] = met
	}
	return filter, nil
}

// newRange returns a condition for a time range, both ends included. TeleCRM also documents times
// in the workspace's own format; the sandbox refuses those.
func newRange(wanted any) (condition, error) {
	object, ok := wanted.(map[string]any)
	if !ok || len(object) == 0 {
		return nil, errors.New(`must be an object with "from", "to" or both`)
	}
	bounds := map[string]int64{"from": -maxDate, "to": maxDate}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if _, known := bounds[key]; !known {
			return nil, fmt.Errorf("unknown key %q", key)
		}
		number, _ := object[key].(json.Number)
		millis, err := number.Int64()
		if err != nil || millis < -maxDate || millis > maxDate {
			return nil, fmt.Errorf("%q must be epoch milliseconds", key)
		}
		bounds[key] = millis
	}
	return func(value any) bool {
		number, _ := value.(json.Number)
		millis, err := number.Int64()
		return err == nil && millis >= bounds["from"] && millis <= bounds["to"]
	}, nil
}

// newEquality returns a condition for a value, or for one of several.
func (s *Sandbox) newEquality(name string, wanted any) (condition, error) {
	field, ok := findField(s.schema.Fields, name)
	if !ok {
		return nil, errors.New("no such field")
	}
	choices, ok := wanted.([]any)
	if !ok {
		choices = []any{wanted}
	}
	if len(choices) == 0 {
		return nil, errors.New("must not be empty")
	}
	for _, choice := range choices {
		switch v := choice.(type) {
		case json.Number:
		case string:
			if v == "" {
				return nil, errors.New("must not be empty")
			}
		default:
			return nil, errors.New("must be a string, a number or an array of those")
		}
	}
	return func(value any) bool {
		return slices.ContainsFunc(choices, func(choice any) bool { return s.equal(field.Type, value, choice) })
	}, nil
}

// equal compares a shown value with a wanted one. One matching tag is enough.
func (s *Sandbox) equal(t FieldType, value, wanted any) bool {
	if tags, ok := value.([]any); ok {
		return slices.ContainsFunc(tags, func(tag any) bool { return s.equal(TypeText, tag, wanted) })
	}
	text, ok := value.(string)
	wantedText, wantedOK := wanted.(string)
	if !ok || !wantedOK {
		return value == wanted // numbers, or a number and a string
	}
	switch t {
	case TypePhone:
		if s.cfg.Search.NormalizePhones {
			wantedText = s.schema.normalizePhone(wantedText)
		}
		return strings.TrimPrefix(text, "+") == strings.TrimPrefix(wantedText, "+")
	case TypeStatus:
		// https://docs.telecrm.in/sync-api/leads/pitfalls says so; the overview of the search says
		// the opposite.
		return text == wantedText
	case TypeEmail, TypeActiveUsers:
		return strings.EqualFold(strings.TrimSpace(text), strings.TrimSpace(wantedText))
	case TypeText, TypeNumber, TypeDate, TypeDropdown, TypeTags, TypeMoney, TypeWebsite, TypeMediaLink, TypeRating,
		TypeLostReason:
	}
	return strings.EqualFold(text, wantedText)
}
