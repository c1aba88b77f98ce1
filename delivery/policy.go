package delivery

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// PolicyNames returns the names of all policies.
func PolicyNames() []string {
	names := make([]string, 0, len(Policies()))
	for _, policy := range Policies() {
		names = append(names, string(policy))
	}
	return names
}

// Check returns an error if the policy cannot set its fields: there are none, one is the identifier, or
// one is not among the fields that a form gives.
func (o OnDuplicate) Check(identifier string, given []string) error {
	if o.Policy != UpdateFields {
		return nil
	}
	if len(o.Fields) == 0 {
		return errors.New("on_duplicate update needs the API names of the fields to set")
	}
	for _, name := range o.Fields {
		if name == identifier {
			return fmt.Errorf("on_duplicate update cannot set %s: it is the lead identifier, which TeleCRM never lets change", name)
		}
		if !slices.Contains(given, name) {
			return fmt.Errorf("on_duplicate update names %s, which no field or set of the form gives", name)
		}
	}
	return nil
}

// Harm says which harm setting the field again does to a lead that is there; it is empty if there is
// none.
func Harm(name string) string {
	switch lower := strings.ToLower(name); {
	case lower == "status":
		return "it reopens leads that are won or lost"
	case lower == "assignee":
		return "it takes leads from their owners"
	case strings.HasPrefix(lower, "utm_"), strings.HasSuffix(lower, "clid"),
		slices.Contains([]string{"source", "lead_source", "medium", "campaign", "referrer", "referer"}, lower):
		return "it overwrites where they first came from"
	}
	return ""
}
