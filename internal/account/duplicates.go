package account

import (
	"errors"
	"fmt"

	"github.com/leadwire/caddy-telecrm/delivery"
)

// OnDuplicate returns the policy of this name for people whom TeleCRM knows. Without a name it is
// [delivery.AppendActions], or [delivery.Upsert] for an account without a token. The error says that
// the name is unknown, or that the policy does not fit the account or the fields to update.
func (acct *Account) OnDuplicate(name string, updateFields []string) (delivery.OnDuplicate, error) {
	policy := delivery.Policy(name)
	if name == "" {
		policy = delivery.AppendActions
		if acct.Client == nil {
			policy = delivery.Upsert
		}
	}
	if err := delivery.CheckPolicy(string(policy)); err != nil {
		return delivery.OnDuplicate{}, fmt.Errorf("on_duplicate: %w", err)
	}
	switch {
	case policy != delivery.UpdateFields && len(updateFields) > 0:
		return delivery.OnDuplicate{}, fmt.Errorf("update_fields: is only for on_duplicate update, got on_duplicate %s", policy)
	case acct.Client == nil && policy != delivery.Upsert:
		return delivery.OnDuplicate{}, fmt.Errorf("on_duplicate %s: needs a token; with only an async_token, every lead goes through the Async API, which updates the existing lead", policy)
	case policy == delivery.Upsert && acct.Async == nil:
		return delivery.OnDuplicate{}, errors.New("on_duplicate upsert: needs an async_token in the account")
	}
	return delivery.OnDuplicate{Policy: policy, Fields: updateFields}, nil
}
