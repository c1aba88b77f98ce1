// Package cli is `caddy telecrm`: what operators do with a running server from
// a shell, through its admin endpoint.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// Connect returns a client of the admin endpoint that the flags name: its
// address or, if that is empty, a config file and its adapter.
type Connect func(address, config, adapter string) (*adminapi.Client, error)

// Short says what the command is for, and Long how it is used.
const (
	Short = "Shows and steers the delivery of leads to TeleCRM"
	Long  = `
Shows how the leads of a running Caddy fare on their way to TeleCRM, and lets
you retry, discard, export and erase them.

The commands talk to Caddy's admin endpoint, which is at localhost:2019 unless
your config says otherwise: then give its address with --address, or the
config with --config.`
)

// Build makes root, the command called telecrm, complete.
func Build(root *cobra.Command, connect Connect) {
	t := &terminal{connect: connect, now: time.Now}
	flags := root.PersistentFlags()
	flags.StringVar(&t.address, "address", "", "Address of the admin endpoint (if --config is not used)")
	flags.StringVarP(&t.config, "config", "c", "", "Configuration file to find the admin endpoint by")
	flags.StringVarP(&t.adapter, "adapter", "a", "", "Name of the config adapter to apply to it")
	flags.BoolVar(&t.json, "json", false, "Print JSON, one object a line")

	leads := &cobra.Command{
		Use:   "leads",
		Short: "Shows and steers the leads in the outbox",
		Long: `
The leads that are on their way to TeleCRM (waiting), that are there
(delivered), and that need somebody to look at them (parked).`,
	}
	leads.AddCommand(t.listCommand(), t.showCommand(), t.retryCommand(), t.discardCommand(), t.exportCommand(), t.eraseCommand())
	accounts := &cobra.Command{Use: "accounts", Short: "Steers the accounts"}
	accounts.AddCommand(t.resumeCommand())
	root.AddCommand(t.statusCommand(), leads, accounts)
	for _, group := range []*cobra.Command{root, leads, accounts} {
		group.RunE = helpUnlessMistaken
	}
}

// helpUnlessMistaken runs a command that only has commands below it.
func helpUnlessMistaken(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unknown command %q for %q; look at %s --help", args[0], cmd.CommandPath(), cmd.CommandPath())
	}
	return cmd.Help()
}

// terminal is where a command is given and answered.
type terminal struct {
	connect                  Connect
	now                      func() time.Time
	address, config, adapter string
	json                     bool

	client   *adminapi.Client
	out, err io.Writer
	colors   bool // out shows them
	alive    bool // err can draw a line again
}

// does returns what runs a command: it connects, and has the command end well
// when somebody interrupts it.
func (t *terminal) does(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
		defer stop()
		t.out, t.err = cmd.OutOrStdout(), cmd.ErrOrStderr()
		t.colors = isTerminal(t.out) && os.Getenv("NO_COLOR") == ""
		t.alive = isTerminal(t.err)
		var err error
		if t.client, err = t.connect(t.address, t.config, t.adapter); err != nil {
			return plainError(err)
		}
		err = f(ctx, args)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		return plainError(err)
	}
}

// plainError is an error that cannot steer the terminal: it may quote what
// somebody else has written.
func plainError(err error) error {
	if err == nil {
		return nil
	}
	if text := adminapi.Plain(err.Error()); text != err.Error() {
		return errors.New(text)
	}
	return err
}

func isTerminal(w any) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) //nolint:gosec // a descriptor fits
}

// printJSON prints the value on a line of its own.
func (t *terminal) printJSON(value any) error {
	return encodeJSON(t.out, value)
}

// encodeJSON writes the value as one line of JSON that cannot steer a terminal.
func encodeJSON(w io.Writer, value any) error {
	var line strings.Builder
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	_, err := io.WriteString(w, adminapi.Plain(line.String()))
	return err
}

func (t *terminal) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(t.out, format, args...)
}

// choice is which leads a command is about.
type choice struct {
	state, account string
}

// addTo gives the command the flags of the choice, which the shell completes.
func (c *choice) addTo(cmd *cobra.Command, t *terminal) {
	cmd.Flags().StringVar(&c.state, "state", "", "Only leads in this state: waiting, delivered or parked")
	cmd.Flags().StringVar(&c.account, "account", "", "Only leads of this account")
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(stateNames(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("account", t.completeAccounts)
}

func stateNames() []cobra.Completion {
	names := make([]cobra.Completion, 0, len(outbox.States()))
	for _, state := range outbox.States() {
		names = append(names, string(state))
	}
	return names
}

// completionPatience is how long somebody who presses Tab waits.
const completionPatience = 2 * time.Second

// completeAccounts asks the server for the names of the accounts.
func (t *terminal) completeAccounts(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	client, err := t.connect(t.address, t.config, t.adapter)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
	defer cancel()
	status, err := client.Status(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []cobra.Completion
	for _, o := range status.Outboxes {
		for _, account := range o.Accounts {
			names = append(names, account.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// count returns how many leads the choice is of, for a progress bar.
func (t *terminal) count(ctx context.Context, c choice) (int, error) {
	status, err := t.client.Status(ctx)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, o := range status.Outboxes {
		for _, account := range o.Accounts {
			if c.account != "" && c.account != account.Name {
				continue
			}
			for state, n := range map[outbox.State]int{
				outbox.Waiting: account.Waiting, outbox.Delivered: account.Delivered, outbox.Parked: account.Parked,
			} {
				if c.state == "" || c.state == string(state) {
					total += n
				}
			}
		}
	}
	return total, nil
}
