package telecrm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
)

// Lead is a lead to create (https://docs.telecrm.in/sync-api/leads/create).
type Lead struct {
	// Fields are the values by field API name. They must include the workspace's lead identifier,
	// and each must have the JSON type of its field (https://docs.telecrm.in/concepts/field-types).
	Fields map[string]any `json:"fields"`

	// Actions are added to the new lead's timeline in the same request.
	Actions []Action `json:"actions,omitempty"`
}

// ActionPayment is the Type of the built-in payment action.
const ActionPayment = "PAYMENT"

// Action is an entry of a lead's timeline (https://docs.telecrm.in/concepts/actions).
type Action struct {
	// Type is a custom action's bare numeric code, such as "1042", or [ActionPayment].
	Type string

	// Fields are the values by the keys of the action's definition. A payment has status, currency,
	// amount and, optionally, paymentid.
	Fields map[string]any
}

// MarshalJSON writes a payment's values beside its type, as the API expects, and those of a custom
// action under "fields".
func (a Action) MarshalJSON() ([]byte, error) {
	flat := map[string]any{"type": a.Type}
	if a.Type == ActionPayment {
		maps.Copy(flat, a.Fields)
		flat["type"] = a.Type
		return json.Marshal(flat)
	}
	fields := a.Fields
	if fields == nil {
		fields = map[string]any{}
	}
	flat["fields"] = fields
	return json.Marshal(flat)
}

// PaymentStatuses returns the possible statuses of a payment
// (https://docs.telecrm.in/concepts/actions).
func PaymentStatuses() []string {
	return []string{"PENDING", "COMPLETED", "FAILED", "REFUNDED", "CANCELLED", "PROCESSING"}
}

// PaymentCurrencies returns the possible currencies of a payment
// (https://docs.telecrm.in/concepts/actions).
func PaymentCurrencies() []string {
	return []string{"INR", "USD", "PKR", "AED", "QAR", "SAR", "MYR", "AUD", "CAD", "SGD", "XOF"}
}

// PaymentKeys returns the required keys of a payment's Fields.
func PaymentKeys() []string {
	return []string{"status", "currency", "amount"}
}

// CheckActionType returns an error unless the Sync API accepts the action type: a bare numeric code
// or [ActionPayment].
func CheckActionType(actionType string) error {
	if actionType == ActionPayment {
		return nil
	}
	isNotDigit := func(r rune) bool { return r < '0' || r > '9' }
	if actionType == "" || strings.ContainsFunc(actionType, isNotDigit) {
		return fmt.Errorf("action type %q is neither a bare numeric code such as 1042 (without ACTION_) nor %s", actionType, ActionPayment)
	}
	return nil
}

// UnmarshalJSON reads the output of [Action.MarshalJSON].
func (a *Action) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var flat map[string]any
	if err := decoder.Decode(&flat); err != nil {
		return fmt.Errorf("decoding action: %w", err)
	}
	actionType, ok := flat["type"].(string)
	if !ok {
		return errors.New("decoding action: no type")
	}
	a.Type = actionType
	if actionType == ActionPayment {
		delete(flat, "type")
		a.Fields = flat
		return nil
	}
	a.Fields, _ = flat["fields"].(map[string]any)
	return nil
}
