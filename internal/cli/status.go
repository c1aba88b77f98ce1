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
		Short: "Shows how the accounts fare",
		Long: `
Shows for each account whether its leads are sent, how many wait, since when
the oldest does, and how many are delivered and parked.

An account is "held" when TeleCRM takes no lead from it until somebody mends
the token, the enterprise id, the subscription or the fields, and "paused" when
TeleCRM has asked to be left alone for a while or has failed three times in a
row. Nothing is lost meanwhile.`,
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
		t.printf("There are no accounts.\n")
		return
	}
	rows := [][]cell{header("ACCOUNT", "STATE", "WAITING", "UNDER WAY", "PARKED", "DELIVERED", "OLDEST WAITING")}
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
			{humanize.Comma(int64(a.UnderWay)), plain},
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
		return cell{"held", bad}
	case !a.PausedUntil.IsZero():
		return cell{"paused", warn}
	}
	return cell{"sending", good}
}

// explain says what an account's state means, unless it is well.
func (t *terminal) explain(a adminapi.Account) {
	name := onOneLine(a.Name)
	switch {
	case !a.Configured && a.Waiting > 0:
		t.printf("\n%s is not in the running config: its leads wait until it is again.\n", name)
	case a.Held:
		t.printf("\n%s is held since %s (%s): %s\n", name, moment(a.HeldSince), t.ago(a.HeldSince), onOneLine(a.HeldReason))
		t.printf("Look at the token, the enterprise id and the subscription, in this order; if leads are refused (400),\n"+
			"at the identifier and the fields. It is tried again by itself, and at once with:\n"+
			"caddy telecrm accounts resume %s\n", quoted(name))
	case !a.PausedUntil.IsZero():
		t.printf("\n%s is paused until %s (%s).\n", name, moment(a.PausedUntil), t.ahead(a.PausedUntil))
	}
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	plainWord := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r)
	}
	if word != "" && !strings.ContainsFunc(word, plainWord) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func (t *terminal) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "resume <account>",
		Short: "Has a held or paused account tried at once",
		Long: `
Has an account tried at once that is held or paused, for when you have mended
what was wrong. One lead is sent, even if it is not due yet. When TeleCRM takes
it, a held account is not held any more, and all that is due follows.`,
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
		t.printf("%s is being tried; look at caddy telecrm status in a moment\n", onOneLine(args[0]))
	case resumed.Resumed:
		t.printf("no lead of %s waits to try it with; the next one is tried as soon as it comes\n", onOneLine(args[0]))
	default:
		t.printf("%s is neither held nor paused\n", onOneLine(args[0]))
	}
	return nil
}
