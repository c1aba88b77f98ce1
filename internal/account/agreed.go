package account

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// Machines that share an outbox should have the same settings for an account, because each of them
// sends the leads of all.

// Agreed returns the settings of the accounts that such machines compare. They contain no secrets.
// Add more to them.
func (r *Registry) Agreed() outbox.Settings { return r.agreed }

// agree notes the settings of an account that was opened from resolved settings.
func (r *Registry) agree(acct *Account, resolved Settings) {
	acct.agreed, acct.agreedAs = r.agreed, acct.Base()
	if acct.Base() == resolved.inlineName() {
		// The rate is part of its name, and would make it another account.
		resolved.CRMRate = defaultCRMRate
		acct.agreedAs = resolved.inlineName()
	}
	// Three decimals hide that a rate a minute is not a whole number of leads a second.
	perHour := math.Round(float64(acct.Pace.Limit())*3600*1000) / 1000
	for setting, value := range map[string]string{
		"crm_rate":      fmt.Sprintf("%s/h %d", strconv.FormatFloat(perHour, 'f', -1, 64), acct.Pace.Burst()),
		"enterprise_id": resolved.EnterpriseID,
		"identifier":    acct.Identifier,
	} {
		r.agreed.Add(acct.agreedAs, setting, value)
	}
}

// UsePolicy notes the policy of a form of the account.
func (acct *Account) UsePolicy(form string, policy delivery.OnDuplicate) {
	value := strings.Join(append([]string{string(policy.Policy)}, policy.Fields...), " ")
	acct.agreed.Add(acct.agreedAs, "on_duplicate of form "+form, value)
}
