package delivery

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/internal/suggest"
)

// Policy says how to deliver a lead whose identifier already has a lead in TeleCRM.
type Policy string

// The policies. If a policy cannot be applied, because the existing lead is not certain or there is
// nothing to add to it, ParkDuplicate applies.
const (
	// AppendActions appends the actions to the existing lead.
	AppendActions Policy = "actions"
	// UpdateFields sets the listed fields and then appends the actions.
	UpdateFields Policy = "update"
	// Upsert sends the whole lead to the Async API, which sets all fields and appends the actions.
	Upsert Policy = "upsert"
	// IgnoreDuplicate counts the lead as delivered.
	IgnoreDuplicate Policy = "ignore"
	// ParkDuplicate parks the lead.
	ParkDuplicate Policy = "park"
)

// Policies returns all policies.
func Policies() []Policy {
	return []Policy{AppendActions, UpdateFields, Upsert, IgnoreDuplicate, ParkDuplicate}
}

// PolicyNames returns the names of all policies.
func PolicyNames() []string {
	names := make([]string, 0, len(Policies()))
	for _, policy := range Policies() {
		names = append(names, string(policy))
	}
	return names
}

// CheckPolicy returns an error if name is not the name of a policy. The error lists the known ones.
func CheckPolicy(name string) error {
	if Policy(name).Known() {
		return nil
	}
	return suggest.Unknown("policy", name, PolicyNames()...)
}

// Known reports whether p is one of [Policies].
func (p Policy) Known() bool { return slices.Contains(Policies(), p) }

// Harm says how an existing lead suffers if p sets a field of this API name again. It is empty if
// there is nothing to warn about.
func (p Policy) Harm(field string) string {
	if p != UpdateFields && p != Upsert {
		return ""
	}
	switch name := strings.ToLower(field); {
	case name == "status":
		return "it reopens leads that are won or lost"
	case name == "assignee":
		return "it takes leads from their owners"
	case strings.HasPrefix(name, "utm_"), strings.HasSuffix(name, "clid"), slices.Contains(sourceFields, name):
		return "it overwrites where they first came from"
	}
	return ""
}

// sourceFields are common API names of fields that record the source of a lead.
var sourceFields = []string{"source", "lead_source", "medium", "campaign", "referrer", "referer"}

// OnDuplicate is a policy with its settings.
type OnDuplicate struct {
	// Policy defaults to AppendActions.
	Policy Policy `json:"policy,omitempty"`
	// Fields lists the API names that UpdateFields sets.
	Fields []string `json:"fields,omitempty"`
}

// Check returns an error if the policy cannot set its fields: there are none, one is the lead
// identifier, or one is not among the fields that a form gives.
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
