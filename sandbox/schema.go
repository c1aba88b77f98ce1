package sandbox

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// FieldType is the type of a field, as in TeleCRM's field definitions. See
// https://docs.telecrm.in/sync-api/enterprise/custom-fields-list and
// https://docs.telecrm.in/concepts/field-types.
type FieldType string

// The field types.
const (
	TypeText        FieldType = "TEXT"
	TypeEmail       FieldType = "EMAIL"
	TypePhone       FieldType = "PHONE"
	TypeNumber      FieldType = "NUMBER"
	TypeDate        FieldType = "DATE"
	TypeDropdown    FieldType = "DROPDOWN"
	TypeTags        FieldType = "TAGS"
	TypeMoney       FieldType = "MONEY"
	TypeWebsite     FieldType = "WEBSITE"
	TypeMediaLink   FieldType = "MEDIALINK"
	TypeActiveUsers FieldType = "ACTIVEUSERS"
	TypeRating      FieldType = "RATING"
	TypeStatus      FieldType = "STATUS"
	TypeLostReason  FieldType = "LOSTREASON"
)

// fieldTypes describes the valid values of each type.
var fieldTypes = map[FieldType]string{
	TypeText:        "a string",
	TypeEmail:       "an email address",
	TypePhone:       "a string of 7 to 15 digits with an optional + before them",
	TypeNumber:      "a JSON number",
	TypeDate:        "epoch milliseconds or a string DD/MM/YYYY[ HH:mm:ss]",
	TypeDropdown:    "a string",
	TypeTags:        "an array of strings",
	TypeMoney:       "a numeric string",
	TypeWebsite:     "an absolute URL",
	TypeMediaLink:   "an absolute URL",
	TypeActiveUsers: "a team member's email address",
	TypeRating:      "a JSON integer from 1 to 5",
	TypeStatus:      "an active status of the pipeline",
	TypeLostReason:  "an active lost reason",
}

// Schema describes a workspace: its fields, actions, pipeline and people. LoadSchema reads its JSON
// form.
type Schema struct {
	// Identifier is the API name of the field that identifies a lead. Its type is PHONE, EMAIL or
	// TEXT.
	Identifier string `json:"identifier"`
	// CallingCode is the country calling code of phone numbers without one, such as 91. Required if
	// any field of a lead is a PHONE.
	CallingCode string `json:"default_calling_code,omitempty"`
	// NationalDigits is the highest number of digits of a national phone number in that country. 0
	// means 10.
	NationalDigits int `json:"national_digits,omitempty"`
	// Statuses are the active statuses of the pipeline.
	Statuses []Status `json:"statuses,omitempty"`
	// LostReasons are the labels of the active lost reasons.
	LostReasons []string `json:"lost_reasons,omitempty"`
	// ArchivedStatuses and ArchivedLostReasons are labels that leads can no longer get.
	ArchivedStatuses    []string `json:"archived_statuses,omitempty"`
	ArchivedLostReasons []string `json:"archived_lost_reasons,omitempty"`
	// Members are the email addresses of the team.
	Members []string `json:"members,omitempty"`
	// Fields are the fields of a lead, the standard ones included. The page shows them in this
	// order.
	Fields []Field `json:"fields"`
	// Actions are the custom actions. PAYMENT needs no definition.
	Actions []ActionDefinition `json:"actions,omitempty"`
}

// Status is one active status of the pipeline.
type Status struct {
	// Label is the value of a lead's status field.
	Label string `json:"label"`
	// Stage is OPEN, WON or LOST.
	Stage string `json:"stage"`
}

// Field is one field of a lead or of a custom action.
type Field struct {
	// APIName is the case-sensitive name in requests.
	APIName string `json:"api_name"`
	// Type is one of the field types.
	Type FieldType `json:"type"`
	// Options are the labels of a DROPDOWN or of TAGS.
	Options []string `json:"options,omitempty"`
	// LockAfterCreate reports that the field cannot change after the lead was created.
	LockAfterCreate bool `json:"lock_after_create,omitempty"`
}

// ActionDefinition is one custom action.
type ActionDefinition struct {
	// Code is the action's type in requests: a number, without the prefix ACTION_.
	Code string `json:"code"`
	// Name is the name on the page.
	Name string `json:"name"`
	// Fields are the keys of an action of this type.
	Fields []Field `json:"fields,omitempty"`
}

//go:embed default-schema.json
var defaultSchema []byte

// DefaultSchema returns a new copy of a workspace that has every field type at least once.
func DefaultSchema() *Schema {
	schema, err := ParseSchema(defaultSchema)
	if err != nil {
		panic(err) // embedded, so it is always valid
	}
	return schema
}

// LoadSchema reads a schema file. Errors name the file.
func LoadSchema(path string) (*Schema, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	schema, err := ParseSchema(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return schema, nil
}

// ParseSchema parses and validates a schema. It refuses unknown keys. The error lists all problems.
func ParseSchema(data []byte) (*Schema, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var schema Schema
	if err := dec.Decode(&schema); err != nil {
		return nil, fmt.Errorf("parse schema: %w", atLine(data, err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("parse schema: data after the JSON object")
	}
	if schema.NationalDigits == 0 {
		schema.NationalDigits = 10
	}
	if err := schema.validate(); err != nil {
		return nil, fmt.Errorf("check schema: %w", err)
	}
	return &schema, nil
}

func (s *Schema) clone() (*Schema, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("copy schema: %w", err)
	}
	return ParseSchema(data)
}

// atLine adds the line number to a JSON error that has an offset.
func atLine(data []byte, err error) error {
	var offset int64
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = syntax.Offset
	} else if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = kind.Offset
	} else {
		return err
	}
	offset = min(max(offset, 0), int64(len(data)))
	return fmt.Errorf("line %d: %w", 1+bytes.Count(data[:offset], []byte("\n")), err)
}

func findField(fields []Field, name string) (Field, bool) {
	if i := slices.IndexFunc(fields, func(f Field) bool { return f.APIName == name }); i >= 0 {
		return fields[i], true
	}
	return Field{}, false
}

func (s *Schema) action(code string) (ActionDefinition, bool) {
	i := slices.IndexFunc(s.Actions, func(a ActionDefinition) bool { return a.Code == code })
	if i < 0 {
		return ActionDefinition{}, false
	}
	return s.Actions[i], true
}

var (
	callingCodeSyntax = regexp.MustCompile(`^[1-9][0-9]{0,2}$`)
	actionCodeSyntax  = regexp.MustCompile(`^[0-9]+$`)
)

func (s *Schema) validate() error {
	return errors.Join(
		s.validateIdentifier(),
		s.validatePhones(),
		s.validatePipeline(),
		s.validateMembers(),
		validateFields("fields", s.Fields),
		s.validateActions(),
	)
}

func (s *Schema) validateIdentifier() error {
	field, ok := findField(s.Fields, s.Identifier)
	switch {
	case s.Identifier == "":
		return errors.New(`"identifier" is missing; name the field that identifies a lead`)
	case !ok:
		return fmt.Errorf("identifier %q is not one of the fields", s.Identifier)
	case !slices.Contains([]FieldType{TypePhone, TypeEmail, TypeText}, field.Type):
		return fmt.Errorf("identifier %q has the type %s: only PHONE, EMAIL and TEXT can identify a lead", s.Identifier, field.Type)
	}
	return nil
}

func (s *Schema) validatePhones() error {
	hasPhone := slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Type == TypePhone })
	if (hasPhone || s.CallingCode != "") && !callingCodeSyntax.MatchString(s.CallingCode) {
		return fmt.Errorf("default_calling_code: must be 1 to 3 digits, such as 91, got %q", s.CallingCode)
	}
	if s.NationalDigits < 4 || s.NationalDigits > 14 {
		return fmt.Errorf("national_digits: must be between 4 and 14, got %d", s.NationalDigits)
	}
	return nil
}

func (s *Schema) validatePipeline() error {
	labels := make([]string, len(s.Statuses))
	var errs []error
	for i, status := range s.Statuses {
		labels[i] = status.Label
		if !slices.Contains([]string{"OPEN", "WON", "LOST"}, status.Stage) {
			errs = append(errs, fmt.Errorf("statuses[%d]: stage must be OPEN, WON or LOST, got %q", i, status.Stage))
		}
	}
	errs = append(errs, distinct("statuses", labels), distinct("lost_reasons", s.LostReasons))
	return errors.Join(errs...)
}

func (s *Schema) validateMembers() error {
	errs := []error{distinct("members", s.Members)}
	for i, email := range s.Members {
		if !validEmail(email) {
			errs = append(errs, fmt.Errorf("members[%d] is not an email address", i))
		}
	}
	return errors.Join(errs...)
}

func (s *Schema) validateActions() error {
	codes := make([]string, len(s.Actions))
	var errs []error
	for i, action := range s.Actions {
		codes[i] = action.Code
		if !actionCodeSyntax.MatchString(action.Code) {
			errs = append(errs, fmt.Errorf("actions[%d]: code must be a number without a prefix, such as 1042, got %q", i, action.Code))
		}
		path := fmt.Sprintf("actions[%d].fields", i)
		errs = append(errs, validateFields(path, action.Fields))
		if slices.ContainsFunc(action.Fields, func(f Field) bool { return f.LockAfterCreate }) {
			errs = append(errs, fmt.Errorf("%s: only fields of a lead can be locked after creation", path))
		}
	}
	errs = append(errs, distinct("actions", codes))
	return errors.Join(errs...)
}

func validateFields(path string, fields []Field) error {
	names := make([]string, len(fields))
	var errs []error
	for i, field := range fields {
		names[i] = field.APIName
		if _, known := fieldTypes[field.Type]; !known {
			errs = append(errs, fmt.Errorf("%s[%d] %q: unknown type %q; known types are %s", path, i, field.APIName, field.Type, typeNames()))
		}
		if len(field.Options) > 0 && field.Type != TypeDropdown && field.Type != TypeTags {
			errs = append(errs, fmt.Errorf("%s[%d] %q: only DROPDOWN and TAGS have options", path, i, field.APIName))
		}
		errs = append(errs, distinct(fmt.Sprintf("%s[%d].options", path, i), field.Options))
	}
	errs = append(errs, distinct(path, names))
	return errors.Join(errs...)
}

func typeNames() string {
	names := make([]string, 0, len(fieldTypes))
	for _, t := range slices.Sorted(maps.Keys(fieldTypes)) {
		names = append(names, string(t))
	}
	return strings.Join(names, " ")
}

// distinct returns an error if a name is empty or duplicate.
func distinct(path string, names []string) error {
	seen := make(map[string]bool, len(names))
	for i, name := range names {
		switch {
		case name == "":
			return fmt.Errorf("%s[%d]: name missing", path, i)
		case seen[name]:
			return fmt.Errorf("%s[%d]: %q occurs twice", path, i, name)
		}
		seen[name] = true
	}
	return nil
}
