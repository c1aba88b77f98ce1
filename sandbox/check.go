package sandbox

import (
	"encoding/json"
	"fmt"
	"math"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

var (
	phoneSyntax = regexp.MustCompile(`^(\+[1-9]|[0-9])[0-9]{6,14}$`)
	moneySyntax = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)
)

// maxDate is the end of the year 9999 in epoch milliseconds; a larger number is probably in
// microseconds.
const maxDate = 253_402_300_799_999

// maxEmail is the length of the longest valid email address (RFC 5321, erratum 1690).
const maxEmail = 254

// problem returns why the value cannot be stored in the field, or "". The rules are those of
// https://docs.telecrm.in/concepts/field-types. Nulls and empty values are refused for every type:
// TeleCRM does not document what it does with them, and clients have no reason to send them.
func (s *Schema) problem(field Field, value any) string {
	switch v := value.(type) {
	case nil:
		return "Value is null"
	case string:
		if v == "" {
			return "Value is empty"
		}
		return s.stringProblem(field, v)
	case json.Number:
		return numberProblem(field.Type, v)
	case []any:
		return listProblem(field.Type, v)
	}
	return wrongJSONType(field.Type)
}

func (s *Schema) stringProblem(field Field, v string) string {
	ok := false
	switch field.Type {
	case TypeText, TypeDropdown:
		ok = true
	case TypeEmail:
		ok = validEmail(v)
	case TypePhone:
		ok = phoneSyntax.MatchString(v)
	case TypeMoney:
		ok = moneySyntax.MatchString(v)
	case TypeDate:
		ok = validDateText(v)
	case TypeWebsite, TypeMediaLink:
		ok = validURL(v)
	case TypeStatus:
		ok = slices.ContainsFunc(s.Statuses, func(status Status) bool { return status.Label == v })
	case TypeLostReason:
		ok = slices.Contains(s.LostReasons, v)
	case TypeActiveUsers:
		ok = slices.ContainsFunc(s.Members, func(email string) bool { return strings.EqualFold(email, v) })
	case TypeNumber, TypeRating, TypeTags:
		return wrongJSONType(field.Type)
	}
	if !ok {
		return invalidValue(field.Type)
	}
	return ""
}

func numberProblem(t FieldType, v json.Number) string {
	ok := false
	switch t {
	case TypeNumber:
		f, err := v.Float64()
		ok = err == nil && !math.IsInf(f, 0)
	case TypeRating:
		n, err := v.Int64()
		ok = err == nil && n >= 1 && n <= 5
	case TypeDate:
		n, err := v.Int64()
		ok = err == nil && n <= maxDate && n >= -maxDate
	case TypeText, TypeEmail, TypePhone, TypeMoney, TypeDropdown, TypeTags, TypeWebsite, TypeMediaLink, TypeStatus,
		TypeLostReason, TypeActiveUsers:
		return wrongJSONType(t)
	}
	if !ok {
		return invalidValue(t)
	}
	return ""
}

func listProblem(t FieldType, list []any) string {
	if t != TypeTags {
		return wrongJSONType(t)
	}
	if len(list) == 0 {
		return "Value is empty"
	}
	for _, item := range list {
		if tag, ok := item.(string); !ok || tag == "" {
			return "Every tag must be a string that is not empty"
		}
	}
	return ""
}

// validEmail allows surrounding white space, which TeleCRM trims.
func validEmail(v string) bool {
	v = strings.TrimSpace(v)
	addr, err := mail.ParseAddress(v)
	if err != nil || addr.Address != v || len(v) > maxEmail {
		return false
	}
	_, domain, _ := strings.Cut(v, "@")
	return strings.Contains(domain, ".")
}

// validDateText accepts the samples of https://docs.telecrm.in/concepts/field-types: 01/06/2026 and
// 01/06/2026 10:30:00, day first. ISO 8601 is refused.
func validDateText(v string) bool {
	for _, layout := range []string{"02/01/2006", "02/01/2006 15:04:05"} {
		// time.Parse accepts single digits, so check the length too.
		if _, err := time.Parse(layout, v); err == nil && len(v) == len(layout) {
			return true
		}
	}
	return false
}

func validURL(v string) bool {
	u, err := url.Parse(v)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

func wrongJSONType(t FieldType) string {
	return fmt.Sprintf("%s must be %s", t, fieldTypes[t])
}

func invalidValue(t FieldType) string {
	if t == TypeRating {
		return "Rating must be between 1 and 5"
	}
	return fmt.Sprintf("Value is not valid: %s must be %s", t, fieldTypes[t])
}
