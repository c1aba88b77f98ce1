package cli

import (
	"context"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
)

func (t *terminal) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Shows the state of each account",
		Long: `
Shows for each account its state, how many leads are waiting, in flight, parked
and delivered, and how long the oldest has been waiting.

An account is "on hold" when TeleCRM refuses all its leads until somebody fixes
the token, the enterprise id, the subscription or the fields. It is "paused"
when TeleCRM has asked to wait, or has failed three times in a row. Leads are
kept meanwhile.`,
		Args: cobra.NoArgs,
		RunE: t.does(t.status),
	}
}

func (t *terminal) status(ctx context.Context, _ []string) error {
	status, err := t.client.Status(ctx)
	if err != nil {
		return err
	}
	if t.json {
		return t.printJSON(status)
	}
	if status.Note != "" {
		t.printf("%s\n", onOneLine(status.Note))
	}
	for i, o := range status.Outboxes {
		if i > 0 {
			t.printf("\n")
		}
		t.printOutbox(o)
	}
	return nil
}

func (t *terminal) printOutbox(o adminapi.Outbox) {
	t.printf("Outbox %s\n\n", onOneLine(o.Resource))
	if o.Trouble != "" {
		t.printf("%s\n\n", t.paint(bad, onOneLine(o.Trouble)))
	}
	if len(o.Accounts) == 0 {
		t.printf("No accounts.\n")
		return
	}
	rows := [][]cell{header("ACCOUNT", "STATE", "WAITING", "IN FLIGHT", "PARKED", "DELIVERED", "OLDEST WAITING")}
	for _, a := range o.Accounts {
		oldest := cell{"-", quiet}
		if a.OldestWaiting != nil {
			oldest = cell{t.age(a.OldestWaiting.CreatedAt) + "  " + a.OldestWaiting.ID, plain}
		}
		parked := cell{humanize.Comma(int64(a.Parked)), plain}
		if a.Parked > 0 {
			parked.style = warn
		}
		rows = append(rows, []cell{
			{onOneLine(a.Name), plain},
			stateOfAccount(a),
			{humanize.Comma(int64(a.Waiting)), plain},
			{humanize.Comma(int64(a.InFlight)), plain},
			parked,
			{humanize.Comma(int64(a.Delivered)), plain},
			oldest,
		})
	}
	(&table{t: t}).print(rows...)
	for _, a := range o.Accounts {
		t.explain(a)
	}
}

func stateOfAccount(a adminapi.Account) cell {
	switch {
	case !a.Configured:
		return cell{"not configured", warn}
	case a.Held:
		return cell{"on hold", bad}
	case !a.PausedUntil.IsZero():
		return cell{"paused", warn}
	}
	return cell{"sending", good}
}

// explain prints what the state of an account means, unless the account is sending.
func (t *terminal) explain(a adminapi.Account) {
	name := onOneLine(a.Name)
	switch {
	case !a.Configured && a.Waiting > 0:
		t.printf("\n%s is not in the running config; its leads wait until it is again.\n", name)
	case a.Held:
		t.printf("\n%s has been on hold since %s (%s): %s\n", name, moment(a.HeldSince), t.ago(a.HeldSince), onOneLine(a.HeldReason))
		t.printf("Check the token, the enterprise id and the subscription, in this order; if leads are refused (400),\n"+
			"check the identifier and the fields. Caddy retries from time to time. To retry at once, run:\n"+
			"caddy telecrm accounts resume %s\n", quoted(name))
	case !a.PausedUntil.IsZero():
		t.printf("\n%s is paused until %s (%s).\n", name, moment(a.PausedUntil), t.ahead(a.PausedUntil))
	}
}

// quoted quotes word for a shell, if necessary.
func quoted(word string) string {
	unsafe := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r)
	}
	if word != "" && !strings.ContainsFunc(word, unsafe) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func (t *terminal) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "resume <account>",
		Short: "Retries an account that is on hold or paused at once",
		Long: `
Retries an account that is on hold or paused at once. Use it after you have
fixed the cause. One lead is sent, even if it is not due yet. If TeleCRM takes
it, the account is sending again, and all leads that are due follow.`,
		Args: cobra.ExactArgs(1),
		RunE: t.does(t.resume),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return t.completeAccounts(cmd, args, typed)
		},
	}
}

func (t *terminal) resume(ctx context.Context, args []string) error {
	resumed, err := t.client.Resume(ctx, args[0])
	if err != nil {
		return err
	}
	switch {
	case t.json:
		return t.printJSON(resumed)
	case resumed.Resumed && resumed.Waiting:
		t.printf("%s is being tried; run caddy telecrm status in a moment to see the result\n", onOneLine(args[0]))
	case resumed.Resumed:
		t.printf("%s does not have a waiting lead; its next lead is sent as soon as it arrives\n", onOneLine(args[0]))
	default:
		t.printf("%s is neither on hold nor paused\n", onOneLine(args[0]))
	}
	return nil
}
