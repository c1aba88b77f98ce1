package dailycheck

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/internal/account"
	"github.com/leadwire/caddy-telecrm/internal/checkconfig"
)

// Running is a config that runs.
type Running struct {
	Servers  func() map[string]*caddyhttp.Server
	Settings map[string]*account.Settings // of the named accounts
	Accounts *account.Registry
	// Engine delivers the leads; nil if the outbox is off.
	Engine *delivery.Engine
	Logger *zap.Logger
}

// Config says how to check what runs.
func (r Running) Config() Config { return Config{Read: r.read, Logger: r.Logger} }

func (r Running) read() (*check.Config, map[*check.Account]Account, error) {
	reached := make(map[*check.Account]Account)
	c, err := checkconfig.Running{
		Servers: r.Servers(), Accounts: r.Settings,
		Open: func(a *check.Account, written account.Settings) {
			acct := r.Accounts.Find(a.Name, written)
			if acct == nil {
				return
			}
			a.Name = acct.Name()
			if acct.Client != nil {
				reached[a] = Account{Key: acct.Key, API: acct.Client, Wait: r.wait(acct), Learn: acct.Fields.Learn}
			}
		},
	}.Read()
	if errors.Is(err, checkconfig.ErrNoForms) {
		return new(check.Config), nil, nil
	}
	return c, reached, err
}

// wait returns a function that waits for a request that no lead of the account needs.
func (r Running) wait(acct *account.Account) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		if r.Engine != nil {
			return r.Engine.WaitSpare(ctx, acct.Name())
		}
		return delivery.WaitSpare(ctx, acct.Pace)
	}
}
