package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/internal/adminapi"
)

// Exit statuses of the status command, besides 0 and 1.
const (
	exitOnHold  = 3
	exitFailing = 4
)

// ExitError ends a command with an exit status other than 1, after it has printed everything.
type ExitError struct{ Status int }

func (e *ExitError) Error() string { return fmt.Sprintf("exit status %d", e.Status) }

func (t *terminal) statusCommand() *cobra.Command {
	var brief bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Shows the state of each account",
		Long: `
Shows for each account its state, how many leads are waiting, in flight, parked
and delivered, how long the oldest has been waiting, and the last error. Leads
are kept in every state:

  sending  leads are sent as they come
  slow     leads are sent later than they come: TeleCRM asked to slow down or
           answers slowly, or crm_rate is too low
  paused   nothing is sent until the time that TeleCRM named
  failing  TeleCRM does not answer, or answers with errors
  on hold  TeleCRM refuses all leads until somebody fixes the token, the
           enterprise id, base_url, the subscription or the fields

Exits with 3 if an account is on hold, else with 4 if an account is failing,
else with 0, and with 1 if the state could not be read.`,
		Args: takesNone,
		RunE: t.does(func(ctx context.Context, _ []string) error { return t.status(ctx, brief) }),
	}
	cmd.Flags().BoolVarP(&brief, "quiet", "q", false, "Print one line for each account that is not sending, and nothing if all is well")
	return cmd
}

func (t *terminal) status(ctx context.Context, brief bool) error {
	status, err := t.client.Status(ctx)
	if err != nil {
		return err
	}
	switch {
	case brief:
		err = t.printTrouble(status)
	case t.json:
		err = t.printJSON(status)
	default:
		t.printStatus(status)
	}
	if err != nil {
		return err
	}
	return exitOf(status)
}

// exitOf returns the error for the exit status, or nil.
func exitOf(status adminapi.Status) error {
	failing := false
	for _, a := range status.Accounts() {
		if a.State == delivery.OnHold {
			return &ExitError{exitOnHold}
		}
		failing = failing || a.State == delivery.Failing
	}
	if failing {
		return &ExitError{exitFailing}
	}
	return nil
}

func (t *terminal) printStatus(status adminapi.Status) {
	if status.Note != "" {
		t.printf("%s\n", onOneLine(status.Note))
	}
	if len(status.Direct) > 0 {
		rows := make([][]cell, 0, 1+len(status.Direct))
		rows = append(rows, header("ACCOUNT", "STATE"))
		for _, a := range status.Direct {
			rows = append(rows, []cell{{onOneLine(a.Name), plain}, stateOfAccount(a)})
		}
		t.printf("\n")
		(&table{t: t}).print(rows...)
		for _, a := range status.Direct {
			t.explainDirect(a)
		}
	}
	for i, o := range status.Outboxes {
		if i > 0 {
			t.printf("\n")
		}
		t.printOutbox(o)
	}
	for _, l := range status.Left {
		t.printf("\n%s\n", t.paint(warn, onOneLine(l.String())))
	}
	if c := status.Check; c != nil && c.Errors+c.Warnings > 0 {
		t.printf("\nThe check of the forms found %s, %s; run:\ncaddy telecrm check\n", c, t.ago(c.At))
	}
}

// printTrouble prints one line for each thing that is wrong. As JSON, it prints the outboxes, the
// accounts and the outboxes that are left.
func (t *terminal) printTrouble(status adminapi.Status) error {
	if t.json {
		return t.printTroubleJSON(status)
	}
	for _, l := range status.Left {
		t.printf("%s\n", onOneLine(l.String()))
	}
	if status.Note != "" && len(status.Direct) == 0 {
		t.printf("%s\n", onOneLine(status.Note))
	}
	for _, o := range status.Outboxes {
		if o.Trouble != "" {
			t.printf("outbox %s: %s\n", onOneLine(o.Resource), onOneLine(o.Trouble))
		}
		if o.Fleet != nil {
			for _, d := range o.Fleet.Disagreements {
				t.printf("outbox %s: the machines have different settings: %s\n", onOneLine(o.Resource), onOneLine(d.String()))
			}
		}
	}
	for _, a := range status.Accounts() {
		if a.IsTroubled() {
			t.printf("%s: %s, %s\n", onOneLine(a.Name), t.stateInWords(a), plural(a.Waiting, "lead waits", "leads wait"))
		}
	}
	return nil
}

func (t *terminal) printTroubleJSON(status adminapi.Status) error {
	var errs []error
	for _, o := range status.Outboxes {
		if o.Trouble != "" || o.Fleet != nil && len(o.Fleet.Disagreements) > 0 {
			o.Accounts = []adminapi.Account{} // those in trouble follow
			errs = append(errs, t.printJSON(o))
		}
	}
	for _, a := range status.Accounts() {
		if a.IsTroubled() {
			errs = append(errs, t.printJSON(a))
		}
	}
	for _, l := range status.Left {
		errs = append(errs, t.printJSON(l))
	}
	return errors.Join(errs...)
}

// stateInWords describes a state other than sending, with its beginning and its reason.
func (t *terminal) stateInWords(a adminapi.Account) string {
	if !a.Configured {
		return "not in the running config"
	}
	words := fmt.Sprintf("%s since %s (%s)", onOneLine(string(a.State)), moment(a.StateSince), t.ago(a.StateSince))
	if !a.PausedUntil.IsZero() && (a.State == delivery.Paused || a.State == delivery.Slow) {
		words += fmt.Sprintf(", paused until %s (%s)", moment(a.PausedUntil), t.ahead(a.PausedUntil))
	}
	return words + ": " + onOneLine(a.StateReason)
}

func (t *terminal) printFleet(f adminapi.Fleet) {
	nodes := make([]string, 0, len(f.Nodes))
	for _, n := range f.Nodes {
		node := onOneLine(n.Name)
		if n.Self {
			node += " (this one)"
		}
		if n.InFlight > 0 {
			node += " with " + plural(n.InFlight, "lead", "leads") + " in flight"
		}
		if n.Spooled > 0 {
			node += ", keeps " + plural(n.Spooled, "lead", "leads") + " in its spool"
		}
		nodes = append(nodes, node)
	}
	t.printf("Nodes: %s\n", strings.Join(nodes, "; "))
	if words := f.LongTransaction(); words != "" {
		t.printf("%s\n", t.paint(warn, words))
	}
	for _, d := range f.Disagreements {
		t.printf("%s\n", t.paint(warn, onOneLine("The machines have different settings, but should have the same config. "+d.String())))
	}
	t.printf("\n")
}

func (t *terminal) printOutbox(o adminapi.Outbox) {
	t.printf("Outbox %s\n\n", onOneLine(o.Resource))
	if o.Trouble != "" {
		t.printf("%s\n\n", t.paint(bad, onOneLine(o.Trouble)))
	}
	if o.Fleet != nil {
		t.printFleet(*o.Fleet)
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
	styles := map[delivery.Condition]style{delivery.Sending: good, delivery.OnHold: bad, delivery.Failing: bad}
	style, known := styles[a.State]
	if !known {
		style = warn
	}
	return cell{onOneLine(string(a.State)), style}
}

// explainDirect prints the trouble of an account without an outbox, and its last error.
func (t *terminal) explainDirect(a adminapi.Account) {
	if a.State == delivery.Sending {
		t.explain(a)
		return
	}
	t.printf("\n%s has been %s\nThe outbox is off: leads that TeleCRM does not take are not kept.\n", onOneLine(a.Name), t.stateInWords(a))
}

// explain prints what the state of an account means, and its last error.
func (t *terminal) explain(a adminapi.Account) {
	name := onOneLine(a.Name)
	switch a.State {
	case adminapi.NotConfigured:
		if a.Waiting > 0 {
			t.printf("\n%s is not in the running config; its leads wait until it is again.\n", name)
		}
	case delivery.OnHold:
		t.printf("\n%s has been on hold since %s (%s): %s\n", name, moment(a.HeldSince), t.ago(a.HeldSince), onOneLine(a.HeldReason))
		t.printf("Check the token and its type (Sync or Async), the enterprise id, base_url and the subscription, in this order;\n"+
			"if leads are refused (400), check the identifier and the fields. Caddy retries from time to time. To retry at once, run:\n"+
			"caddy telecrm accounts resume %s\n", quoted(name))
	case delivery.Failing:
		t.printf("\n%s has been %s\n", name, t.stateInWords(a))
		next := ""
		if !a.NextAttempt.IsZero() {
			next = fmt.Sprintf(", next at %s (%s)", moment(a.NextAttempt), t.ahead(a.NextAttempt))
		}
		t.printf("TeleCRM does not answer as it should. Leads are kept and retried%s. To retry at once, run:\n"+
			"caddy telecrm accounts resume %s\n", next, quoted(name))
	case delivery.Slow, delivery.Paused:
		t.printf("\n%s has been %s\n", name, t.stateInWords(a))
	case delivery.Sending:
		if a.LastError != nil {
			t.printf("\n%s: the last error was at %s (%s): %s\n", name, moment(a.LastError.At), t.ago(a.LastError.At), onOneLine(a.LastError.Problem))
		}
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
