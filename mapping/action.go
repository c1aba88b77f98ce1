package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Action is an entry on the lead's timeline.
type Action struct {
	// A custom action's numeric code without `ACTION_`, such as `1042`, or `PAYMENT`.
	Code string `json:"code"`

	// The inputs that become the action's own fields. The default type is `text`; the keys of a
	// payment have fixed types.
	Fields []Field `json:"fields,omitempty"`

	// Values that do not come from a single input.
	Set []Setting `json:"set,omitempty"`
}

// boundAction is an [Action] with its fields bound.
type boundAction struct {
	code     string
	fields   []*BoundField
	settings []*boundSetting
}

func (a Action) bind(in Locale) (*boundAction, error) {
	if err := telecrm.CheckActionType(a.Code); err != nil {
		return nil, err
	}
	bound := &boundAction{code: a.Code}
	names := make(map[string]bool)
	for _, f := range a.Fields {
		field, err := a.bindField(f, in)
		if err != nil {
			return nil, fmt.Errorf("action %s: %w", a.Code, err)
		}
		if err := Once(names, f.Name); err != nil {
			return nil, fmt.Errorf("action %s: %w", a.Code, err)
		}
		bound.fields = append(bound.fields, field)
	}
	for _, s := range a.Set {
		setting, err := a.bindSetting(s, in)
		if err != nil {
			return nil, fmt.Errorf("action %s: %w", a.Code, err)
		}
		if err := Once(names, s.Name); err != nil {
			return nil, fmt.Errorf("action %s: %w", a.Code, err)
		}
		bound.settings = append(bound.settings, setting)
	}
	if a.Code == telecrm.ActionPayment {
		for _, key := range telecrm.PaymentKeys() {
			if !names[key] {
				return nil, fmt.Errorf("action %s: needs %s; add a field or set for each", a.Code, strings.Join(telecrm.PaymentKeys(), ", "))
			}
		}
	}
	return bound, nil
}

func (a Action) bindField(f Field, in Locale) (*BoundField, error) {
	if a.Code != telecrm.ActionPayment {
		return f.bind(in, false)
	}
	rules, err := paymentRules(f.Name, f.Type)
	if err != nil {
		return nil, err
	}
	f.Type = string(rules.Type)
	if len(f.Options) == 0 {
		f.Options = rules.Options
	}
	for _, option := range f.Options {
		if len(rules.Options) > 0 && !slices.Contains(rules.Options, option) {
			return nil, fmt.Errorf("field %s: unknown payment option %q; known options are: %s", f.Name, option, strings.Join(rules.Options, ", "))
		}
	}
	return f.bind(in, false)
}

func (a Action) bindSetting(s Setting, in Locale) (*boundSetting, error) {
	if a.Code != telecrm.ActionPayment {
		return s.bind(in, false)
	}
	rules, err := paymentRules(s.Name, s.Type)
	if err != nil {
		return nil, err
	}
	rules.Country = strings.ToUpper(in.Country)
	bound, err := s.bindAs(rules)
	if err != nil && len(rules.Options) > 0 {
		return nil, fmt.Errorf("%w; known options are: %s", err, strings.Join(rules.Options, ", "))
	}
	if err == nil && bound.constant && isZeroAmount(s.Name, bound.value) {
		return nil, fmt.Errorf("set %s: the amount of a payment must be above 0", s.Name)
	}
	return bound, err
}

// paymentRules returns the rules for a payment's key (https://docs.telecrm.in/concepts/actions).
func paymentRules(key, word string) (fieldtype.Rules, error) {
	var rules fieldtype.Rules
	switch key {
	case "status":
		rules = fieldtype.Rules{Type: fieldtype.Dropdown, Options: telecrm.PaymentStatuses()}
	case "currency":
		rules = fieldtype.Rules{Type: fieldtype.Dropdown, Options: telecrm.PaymentCurrencies()}
	case "amount":
		rules = fieldtype.Rules{Type: fieldtype.Money}
	case "paymentid":
		rules = fieldtype.Rules{Type: fieldtype.Text}
	default:
		return rules, fmt.Errorf("unknown payment key %q; known keys are: %s, paymentid", key, strings.Join(telecrm.PaymentKeys(), ", "))
	}
	if word != "" && word != string(rules.Type) {
		return rules, fmt.Errorf("payment key %s: must be of type %s, got %q", key, rules.Type, word)
	}
	return rules, nil
}

// isZeroAmount reports whether value is a payment's amount of 0, which TeleCRM refuses.
func isZeroAmount(key string, value fieldtype.Value) bool {
	amount, isText := value.JSON.(string)
	return key == "amount" && isText && strings.Trim(amount, "0.") == ""
}
