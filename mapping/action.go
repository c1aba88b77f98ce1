package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Action is an entry for the new lead's timeline.
type Action struct {
	// A custom action's bare numeric code, such as `1042`, without `ACTION_`, or `PAYMENT`.
	Code string `json:"code"`

	// Which inputs become which of the action's own fields. Their type is `text` unless said; a
	// payment's keys know theirs.
	Fields []Field `json:"fields,omitempty"`

	// Values that do not come from one input alone.
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
		if err := once(names, f.Name); err != nil {
			return nil, fmt.Errorf("action %s: %w", a.Code, err)
		}
		bound.fields = append(bound.fields, field)
	}
	for _, s := range a.Set {
		setting, err := a.bindSetting(s, in)
		if err != nil {
			return nil, fmt.Errorf("action %s: %w", a.Code, err)
		}
		if err := once(names, s.Name); err != nil {
			return nil, fmt.Errorf("action %s: %w", a.Code, err)
		}
		bound.settings = append(bound.settings, setting)
	}
	if a.Code == telecrm.ActionPayment {
		for _, key := range telecrm.PaymentKeys() {
			if !names[key] {
				return nil, fmt.Errorf("action %s needs %s: add a field or set for each", a.Code, strings.Join(telecrm.PaymentKeys(), ", "))
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
			return nil, fmt.Errorf("field %s: a payment cannot have the option %q; known ones are: %s", f.Name, option, strings.Join(rules.Options, ", "))
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
		return nil, fmt.Errorf("%w; known ones are: %s", err, strings.Join(rules.Options, ", "))
	}
	if err == nil && bound.constant && isZeroAmount(s.Name, bound.value) {
		return nil, fmt.Errorf("set %s: a payment's amount must be above 0", s.Name)
	}
	return bound, err
}

// paymentRules are those of a payment's keys (https://docs.telecrm.in/concepts/actions).
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
		return rules, fmt.Errorf("a payment has no %q; known keys are: %s, paymentid", key, strings.Join(telecrm.PaymentKeys(), ", "))
	}
	if word != "" && word != string(rules.Type) {
		return rules, fmt.Errorf("a payment's %s is always of type %s", key, rules.Type)
	}
	return rules, nil
}

// isZeroAmount reports whether value is a payment's amount that is not above 0, which TeleCRM
// refuses.
func isZeroAmount(key string, value fieldtype.Value) bool {
	amount, isText := value.JSON.(string)
	return key == "amount" && isText && strings.Trim(amount, "0.") == ""
}
