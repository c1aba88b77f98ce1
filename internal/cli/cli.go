// Package cli implements the `caddy telecrm` commands. Most use the admin endpoint of a running
// Caddy.
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
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
)

// Connect returns a client for the admin endpoint at address. If address is empty, it reads the
// address from config, using adapter.
type Connect func(address, config, adapter string) (*adminapi.Client, error)

// Short and Long are the help texts of the telecrm command.
const (
	Short = "Shows and controls the delivery of leads to TeleCRM"
	Long  = `
Shows the state of the leads of a running Caddy, and retries, discards, exports
and erases them. Writes a config for the forms of a site, and checks one before
it runs. Shows what would become of a post.

Commands other than init, check, try and outbox copy use Caddy's admin
endpoint, by default localhost:2019. If your config sets another address, give
it with --address, or give the config with --config.`
)

// Build adds the flags and the subcommands to root, the telecrm command.
func Build(root *cobra.Command, connect Connect, inspect Inspect, rehearse Rehearse, open OpenOutbox) {
	t := &terminal{connect: connect, now: time.Now}
	flags := root.PersistentFlags()
	flags.StringVar(&t.address, "address", "", "Address of the admin endpoint (default: from --config, or localhost:2019)")
	flags.StringVarP(&t.config, "config", "c", "", "Configuration file, which check and try read, and which names the admin endpoint")
	flags.StringVarP(&t.adapter, "adapter", "a", "", "Name of the config adapter for --config")
	flags.BoolVar(&t.json, "json", false, "Print JSON, one object per line")

	leads := &cobra.Command{
		Use:   "leads",
		Short: "Shows and controls the leads in the outbox",
		Long: `
Leads are waiting (to be sent to TeleCRM), delivered, or parked (kept for you
to look at).`,
	}
	leads.AddCommand(t.listCommand(), t.showCommand(), t.retryCommand(), t.discardCommand(), t.exportCommand(), t.eraseCommand())
	accounts := &cobra.Command{Use: "accounts", Short: "Controls the accounts"}
	accounts.AddCommand(t.resumeCommand())
	outbox := &cobra.Command{Use: "outbox", Short: "Checks, backs up and moves the outbox"}
	outbox.AddCommand(t.outboxCheckCommand(), t.outboxBackupCommand(), t.outboxCopyCommand(open))
	root.AddCommand(t.statusCommand(), leads, accounts, outbox, t.checkCommand(inspect), t.initCommand(), t.tryCommand(inspect, rehearse))
	for _, group := range []*cobra.Command{root, leads, accounts, outbox} {
		group.RunE = showHelp
	}
}

// showHelp runs a command that only has subcommands. It prints the help, or rejects an unknown
// subcommand.
func showHelp(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unknown command %q for %q; see %s --help", args[0], cmd.CommandPath(), cmd.CommandPath())
	}
	return cmd.Help()
}

// takes returns a check of the number of arguments. Most is the number of the last one, or -1 for any
// number.
func takes(what string, least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if n := len(args); n < least || most >= 0 && n > most {
			return fmt.Errorf("%s takes %s, got %s; see %[1]s --help", cmd.CommandPath(), what, plural(n, "argument", "arguments"))
		}
		return nil
	}
}

// takesNone refuses arguments.
var takesNone = takes("no arguments", 0, 0)

// terminal holds the flags and the streams of one command.
type terminal struct {
	connect                  Connect
	now                      func() time.Time
	address, config, adapter string
	json                     bool

	client   *adminapi.Client
	in       io.Reader
	out, err io.Writer
	colors   bool // out is a terminal that shows colors
	redraws  bool // err is a terminal, so a progress bar can be redrawn
}

// does returns a cobra RunE function. It connects, runs f, and cancels f's context when the command
// is told to end.
func (t *terminal) does(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return t.runs(func(ctx context.Context, args []string) (err error) {
		if t.client, err = t.connect(t.address, t.config, t.adapter); err != nil {
			return err
		}
		return f(ctx, args)
	})
}

// runs returns a cobra RunE function. It runs f, without connecting, and cancels f's context on an
// interrupt, when a service manager or time-out ends the command, and when its terminal closes.
func (t *terminal) runs(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), endings()...)
		defer stop()
		t.in, t.out, t.err = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
		t.colors = isTerminal(t.out) && os.Getenv("NO_COLOR") == ""
		t.redraws = isTerminal(t.err)
		err := f(ctx, args)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if _, exits := errors.AsType[*ExitError](err); exits {
			cmd.SilenceErrors, cmd.SilenceUsage = true, true
			return err
		}
		return plainError(err)
	}
}

// endings lists the signals that end a command. Those that it was started to ignore do not: nohup lets
// it outlive its terminal, and a shell lets its background jobs outlive an interrupt.
func endings() []os.Signal {
	ends := []os.Signal{syscall.SIGTERM}
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			ends = append(ends, s)
		}
	}
	return ends
}

// plainError escapes control characters in err, which may quote text of other people.
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

// printJSON prints value on one line.
func (t *terminal) printJSON(value any) error {
	return encodeJSON(t.out, value)
}

// encodeJSON writes value as one line of JSON, with all control characters escaped.
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
