package sandbox

import (
	"fmt"
	"strings"
)

// identifierOf returns the normalized lead identifier. Its error names the field, never the value.
func (s *Schema) identifierOf(fields map[string]any) (string, error) {
	value, present := fields[s.Identifier]
	if !present {
		return "", fmt.Errorf("the lead identifier %s is missing", s.Identifier)
	}
	field, _ := findField(s.Fields, s.Identifier) // ParseSchema made sure
	if problem := s.problem(field, value); problem != "" {
		return "", fmt.Errorf("the lead identifier %s cannot be used: %s", s.Identifier, problem)
	}
	text, _ := value.(string) // all identifier types are strings
	return s.normalize(field.Type, text), nil
}

// normalize follows https://docs.telecrm.in/concepts/lead-identifier: it reduces phone numbers to
// country code and national number, trims addresses, and ignores case.
func (s *Schema) normalize(t FieldType, v string) string {
	if t == TypePhone {
		return s.normalizePhone(v)
	}
	if t == TypeEmail {
		v = strings.TrimSpace(v)
	}
	return strings.ToLower(v)
}

// normalizePhone reduces a number to the digits of country code and national number. Without a
// leading + or 00, a number is national if it has a trunk 0, or no more digits than national
// numbers of the workspace's country.
func (s *Schema) normalizePhone(v string) string {
	digits, international := strings.CutPrefix(v, "+")
	if !international {
		digits, international = strings.CutPrefix(v, "00")
	}
	national := strings.TrimLeft(digits, "0")
	if !international && (len(national) < len(digits) || len(digits) <= s.NationalDigits) {
		return s.CallingCode + national
	}
	return digits
}
