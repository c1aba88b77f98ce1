package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/attribution"
	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Attribution sets fields that say where the visitor came from, as the `telecrm_attribution` handler
// knows it.
type Attribution struct {
	// The beginning of the fields' API names, such as `web_` for `web_first_utm_source`. Default:
	// none
	Prefix string `json:"prefix,omitempty"`

	// The values to set, such as `first_utm_source`, `last_channel` and `visits`, in fields with the
	// prefix and these names. Default: all usual ones for which the workspace has a field
	Fields []string `json:"fields,omitempty"`
}

// CheckAttributionField reports what is wrong with the name of a value.
func CheckAttributionField(name string) error {
	_, err := attributionPlaceholder(name)
	return err
}

// attributionPlaceholder returns the placeholder for the name of a value.
func attributionPlaceholder(name string) (string, error) {
	which, part, hasPart := strings.Cut(name, "_")
	switch {
	case name == "visits":
		return "{telecrm.visits}", nil
	case hasPart && part != "" && (which == "first" || which == "last") && !strings.ContainsAny(part, "{} *"):
		return "{telecrm." + which + "." + part + "}", nil
	}
	return "", fmt.Errorf("must be visits, or first_ or last_ and the name of a value, got %q; write one such as first_utm_source or last_channel", name)
}

// usualAttribution lists the names of the values that are set where the workspace has fields for
// them.
func usualAttribution() []string {
	parts := slices.Concat(attribution.UsualParams(), []string{"referrer", "landing", "channel", "time"})
	names := make([]string, 0, 1+2*len(parts))
	names = append(names, "visits")
	for _, which := range []string{"first_", "last_"} {
		for _, part := range parts {
			names = append(names, which+part)
		}
	}
	return names
}

// bind returns the settings that an Attribution stands for, except those with names that the form
// sets itself.
func (a *Attribution) bind(in Locale, taken map[string]bool) ([]*boundSetting, error) {
	if a == nil {
		return nil, nil
	}
	names := a.Fields
	if len(names) == 0 {
		names = usualAttribution()
	}
	var settings []*boundSetting
	for _, name := range names {
		value, err := attributionPlaceholder(name)
		if err != nil {
			return nil, fmt.Errorf("attribution: %w", err)
		}
		if taken[a.Prefix+name] {
			if len(a.Fields) > 0 {
				return nil, fmt.Errorf("attribution: %w", Once(taken, a.Prefix+name))
			}
			continue
		}
		taken[a.Prefix+name] = true
		setting, err := Setting{Name: a.Prefix + name, Value: value, Type: string(fieldtype.Text)}.bind(in, false)
		if err != nil {
			return nil, fmt.Errorf("attribution: %w", err)
		}
		setting.optional = len(a.Fields) == 0
		settings = append(settings, setting)
	}
	return settings, nil
}

// errNeedsList says that nobody can tell which fields the workspace has.
var errNeedsList = errors.New("attribution: needs a token, to ask TeleCRM which fields the workspace has; or list them after fields")

// Check reports an Attribution that cannot work with an account.
func (a *Attribution) Check(hasToken bool) error {
	if a != nil && len(a.Fields) == 0 && !hasToken {
		return errNeedsList
	}
	return nil
}

// Optional lists the fields of a lead that are to be sent only if the workspace has them.
func (m *Mapping) Optional(lead telecrm.Lead) []string {
	var names []string
	for _, s := range m.settings {
		if _, isSet := lead.Fields[s.Name]; isSet && s.optional {
			names = append(names, s.Name)
		}
	}
	return names
}
