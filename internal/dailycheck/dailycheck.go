// Package dailycheck runs the check of package check beside a server: after its start, after each
// reload, and then once a day. It logs what appears and what vanishes, and keeps the last result for
// the metrics, the admin API and the operators' page.
//
// It never delays or refuses anything. It reads pages one after another with rests, asks TeleCRM
// only for what it does not know and when no lead needs the request, and ends with its config.
package dailycheck

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

const (
	// firstDelay is the delay of the first check, so that it does not slow down a start, and several
	// reloads in a row cause one. It is jittered, like the interval.
	firstDelay = 2 * time.Second
	interval   = 24 * time.Hour
	// retryDelay is the delay after a check that could not find out everything.
	retryDelay = time.Hour
	// patience bounds one check, because a site may be large, and askPatience the time until TeleCRM
	// has been asked, because leads go first.
	patience    = time.Hour
	askPatience = 10 * time.Minute
	// stopPatience is how long a reload waits for the end of a check.
	stopPatience = time.Second
	// factsTTL is how long facts about a workspace are valid. They expire before the next daily check.
	factsTTL = 20 * time.Hour
)

// Account is an account whose workspace is asked.
type Account struct {
	// Key identifies the workspace and the token.
	Key string
	API check.API
	// Wait waits until a request may be sent that is not for a lead.
	Wait func(ctx context.Context) error
	// Learn receives the fields of the workspace.
	Learn func(fields []telecrm.FieldDefinition, at time.Time)
}

// Config says what to check.
type Config struct {
	// Read reads the running config. It returns the accounts that can be asked beside it.
	Read   func() (*check.Config, map[*check.Account]Account, error)
	Logger *zap.Logger
}

// Daily checks a config until it is stopped.
type Daily struct {
	config Config
	isOff  bool
	cancel context.CancelFunc
	done   chan struct{}
	last   *Result // guarded by running.mu
}

// Start checks the config from now on.
func Start(c Config) *Daily {
	ctx, cancel := context.WithCancel(context.Background())
	d := &Daily{config: c, cancel: cancel, done: make(chan struct{})}
	d.enter()
	go d.run(ctx)
	return d
}

// Off is for a config that is not checked. It must be stopped too.
func Off() *Daily {
	d := &Daily{isOff: true, cancel: func() {}, done: make(chan struct{})}
	close(d.done)
	d.enter()
	return d
}

// Stop ends the checks. It waits until the one that runs has ended, but not for a disk that does not
// answer.
func (d *Daily) Stop() {
	d.leave()
	d.cancel()
	timer := time.NewTimer(stopPatience)
	defer timer.Stop()
	select {
	case <-d.done:
	case <-timer.C:
	}
}

func (d *Daily) run(ctx context.Context) {
	defer close(d.done)
	timer := time.NewTimer(jittered(firstDelay))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		next := interval
		if isWhole := d.once(ctx); !isWhole {
			next = retryDelay
		}
		timer.Reset(jittered(next))
	}
}

// jittered returns up to an eighth more, so that servers that start together do not ask together.
func jittered(d time.Duration) time.Duration {
	const share = 8
	return d + rand.N(d/share) //nolint:gosec // not a secret
}

// once makes one check. It reports whether everything could be found out.
func (d *Daily) once(ctx context.Context) (isWhole bool) {
	checking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, accounts, err := d.config.Read()
	if err == nil {
		isWhole = askAll(checking, c, accounts)
		c.IsGentle = true
		var report *check.Report
		if report, err = check.Run(checking, *c); err == nil && ctx.Err() == nil {
			d.publish(report, formsOf(c))
			return isWhole && len(report.Unverified) == 0
		}
	}
	if ctx.Err() == nil {
		d.config.Logger.Info("the check of the forms could not be made; it is made again in an hour", zap.Error(err))
	}
	return false
}

// askAll asks for what is not known of the workspaces. It reports whether all of them are known.
func askAll(ctx context.Context, c *check.Config, accounts map[*check.Account]Account) (areKnown bool) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	areKnown = true
	for _, a := range c.Accounts {
		reached, ok := accounts[a]
		if !ok {
			continue
		}
		a.Workspace, a.API = recall(reached.Key), &waiting{reached.API, reached.Wait}
		c.AskFor(ctx, a)
		a.Workspace = remember(reached, a.Workspace)
		areKnown = areKnown && a.Workspace != nil
	}
	return areKnown
}

// formsOf lists the names of the forms, each once.
func formsOf(c *check.Config) []string {
	var names []string
	for _, site := range c.Sites {
		for _, f := range site.Forms {
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
