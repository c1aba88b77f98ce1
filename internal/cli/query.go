package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// choice selects the leads for a command.
type choice struct {
	state, account string
}

// addTo adds the flags of the choice, with completion, to cmd.
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

// query selects the leads for a list.
type query struct {
	choice

	form, identifier, since, until string
	byIdentifier                   bool // the flag is given, even if it is empty
}

// addTo adds the flags of the query, with completion, to cmd.
func (q *query) addTo(cmd *cobra.Command, t *terminal) {
	q.choice.addTo(cmd, t)
	flags := cmd.Flags()
	flags.StringVar(&q.form, "form", "", "Only leads of this form")
	flags.StringVar(&q.identifier, "identifier", "", "Only leads of the person with this phone number or other lead identifier (- reads the standard input)")
	flags.StringVar(&q.since, "since", "", "Only leads received since then: a date, a time, or how long ago, such as 24h")
	flags.StringVar(&q.until, "until", "", "Only leads received before then; a date includes that day")
	for _, name := range []string{"form", "identifier", "since", "until"} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
	cmd.PreRun = func(cmd *cobra.Command, _ []string) { q.byIdentifier = cmd.Flags().Changed("identifier") }
}

// filter returns the query for the server. It resolves times here, where they are in the zone of
// the shell and stay the same for all pages.
func (q *query) filter(in io.Reader, now time.Time) (adminapi.Filter, error) {
	f := adminapi.Filter{State: outbox.State(q.state), Account: q.account, Form: q.form}
	since, err := adminapi.ParseSince(q.since, now)
	if err != nil {
		return f, fmt.Errorf("--since: %w", err)
	}
	until, err := adminapi.ParseUntil(q.until, now)
	if err != nil {
		return f, fmt.Errorf("--until: %w", err)
	}
	if !until.IsZero() && !since.Before(until) {
		return f, errors.New("--since: must be before --until; swap them")
	}
	f.Since, f.Until = formatTime(since), formatTime(until)
	if q.byIdentifier {
		f.Identifier, err = readIdentifier(in, q.identifier)
	}
	return f, err
}

// formatTime returns at in the format of the server, or an empty text for the zero time.
func formatTime(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Format(time.RFC3339Nano)
}

// readIdentifier returns the identifier given on the command line, or the first line of in if that is
// "-". It returns an error for a blank one, which an unset variable of a script leaves.
func readIdentifier(in io.Reader, given string) (string, error) {
	if given == "-" {
		line, err := bufio.NewReader(in).ReadString('\n')
		if err != nil && line == "" {
			return "", fmt.Errorf("reading the identifier: %w", err)
		}
		given = line
	}
	if given = strings.TrimSpace(given); given == "" {
		return "", errors.New("--identifier: is blank; give a phone number or another lead identifier")
	}
	return given, nil
}

// completionTimeout bounds how long pressing Tab waits for the server.
const completionTimeout = 2 * time.Second

// completeAccounts completes the names of the server's accounts.
func (t *terminal) completeAccounts(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	client, err := t.connect(t.address, t.config, t.adapter)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
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

// count returns how many leads the choice selects, for a progress bar.
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
