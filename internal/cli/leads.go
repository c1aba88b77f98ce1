package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/outbox"
)

func (t *terminal) listCommand() *cobra.Command {
	var q query
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Lists the leads, oldest first",
		Long: `
Lists the leads, oldest first. It does not show what visitors sent; use
"leads show" or "leads export" for that.

--identifier finds the leads of a person. A phone number may be written as it
is typed into the form; spaces and punctuation are ignored. With "-" it is read
from the standard input, which keeps it out of the shell's history.

--since and --until take a date such as 2026-11-25, a time such as
2026-11-25T05:26:09+05:30 or "2026-11-25 05:26", or how long ago, such as 24h
or 7d. Dates and times without a zone are in the time zone of your shell.`,
		Example: `  caddy telecrm leads list --state parked --since 24h
  caddy telecrm leads list --form /enquire --since 2026-11-24 --until 2026-11-24
  caddy telecrm leads list --identifier "81234 56789"`,
		Args: takesNone,
	}
	q.addTo(cmd, t)
	cmd.Flags().IntVar(&limit, "limit", 0, "List at most this many leads (0: all)")
	cmd.RunE = t.does(func(ctx context.Context, _ []string) error {
		f, err := q.filter(cmd.InOrStdin(), t.now())
		if err != nil {
			return err
		}
		return t.list(ctx, f, limit)
	})
	return cmd
}

func (t *terminal) list(ctx context.Context, f adminapi.Filter, limit int) error {
	if limit < 0 {
		return fmt.Errorf("--limit: must be 0 or more, got %d", limit)
	}
	columns := &table{t: t}
	listed := 0
	f.Limit = adminapi.PageSize
	note, err := t.eachPage(ctx, f, func(leads []adminapi.Lead) (more bool, err error) {
		if limit > 0 {
			leads = leads[:min(len(leads), limit-listed)]
		}
		var rows [][]cell
		if listed == 0 && len(leads) > 0 {
			rows = append(rows, header("ID", "STATE", "ACCOUNT", "FORM", "RECEIVED", "AGE", "ATTEMPTS", ""))
		}
		for _, lead := range leads {
			if t.json {
				if err := t.printJSON(lead); err != nil {
					return false, err
				}
				continue
			}
			rows = append(rows, t.row(lead))
		}
		if !t.json {
			columns.print(rows...)
		}
		listed += len(leads)
		return limit == 0 || listed < limit, nil
	})
	if err == nil && listed == 0 && !t.json {
		t.printf("No leads found.\n")
	}
	t.hint(note)
	return err
}

// hint prints a note of the server, beside the output.
func (t *terminal) hint(note string) {
	if note != "" {
		_, _ = fmt.Fprintf(t.err, "Note: %s\n", onOneLine(note))
	}
}

// eachPage calls use with each page of leads, until there are no more or use returns false. It
// returns the server's note on the first page.
func (t *terminal) eachPage(ctx context.Context, f adminapi.Filter, use func([]adminapi.Lead) (more bool, err error)) (note string, err error) {
	for {
		page, err := t.client.List(ctx, f)
		if err != nil {
			return note, err
		}
		note = cmp.Or(note, page.Note)
		more, err := use(page.Leads)
		if err != nil || !more || page.Next == "" {
			return note, err
		}
		f.After = page.Next
	}
}

func (t *terminal) row(lead adminapi.Lead) []cell {
	note := cell{onOneLine(lead.Reason), plain}
	if lead.State == outbox.Waiting {
		due := "due " + t.ahead(lead.DueAt)
		if lead.Node != "" {
			due = "in flight on " + onOneLine(lead.Node)
		}
		if note.text != "" {
			due += ": "
		}
		note.text = due + note.text
	}
	return []cell{
		{lead.ID, plain},
		stateOfLead(lead),
		{onOneLine(lead.Account), plain},
		{onOneLine(lead.Form), plain},
		{moment(lead.CreatedAt), plain},
		{t.age(lead.CreatedAt), plain},
		{strconv.Itoa(lead.Attempts), plain},
		note,
	}
}

func stateOfLead(lead adminapi.Lead) cell {
	styles := map[outbox.State]style{outbox.Delivered: good, outbox.Parked: warn}
	return cell{string(lead.State), styles[lead.State]}
}

func (t *terminal) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show <id>",
		Short: "Shows one lead, including what the visitor sent",
		Long: `
Shows one lead, including everything that the visitor sent. The output is
personal data.`,
		Args:              takes("the id of one lead", 1, 1),
		RunE:              t.does(t.show),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
}

func (t *terminal) show(ctx context.Context, args []string) error {
	lead, err := t.client.Get(ctx, args[0])
	if err != nil {
		return err
	}
	if t.json {
		return t.printJSON(lead)
	}
	rows := [][]cell{
		{{"id", quiet}, {lead.ID, plain}},
		{{"state", quiet}, stateOfLead(lead)},
		{{"account", quiet}, {onOneLine(lead.Account), plain}},
		{{"form", quiet}, {onOneLine(lead.Form), plain}},
		{{"received", quiet}, {moment(lead.CreatedAt) + " (" + t.ago(lead.CreatedAt) + ")", plain}},
		{{"attempts", quiet}, {strconv.Itoa(lead.Attempts), plain}},
	}
	add := func(name, text string) {
		if text != "" {
			rows = append(rows, []cell{{name, quiet}, {onOneLine(text), plain}})
		}
	}
	if !lead.BegunAt.IsZero() {
		add("last attempt", moment(lead.BegunAt))
	}
	if !lead.FailingSince.IsZero() {
		add("failing since", moment(lead.FailingSince))
	}
	add("in flight on", lead.Node)
	if lead.State == outbox.Waiting {
		add("due", moment(lead.DueAt)+" ("+t.ahead(lead.DueAt)+")")
	}
	if !lead.SettledAt.IsZero() {
		add("settled", moment(lead.SettledAt)+" ("+t.ago(lead.SettledAt)+")")
	}
	add("reason", lead.Reason)
	add("step", lead.Step)
	add("TeleCRM id", lead.LeadID)
	if lead.Content != nil {
		add("identifier", lead.Content.Identifier)
		add("on duplicate", lead.Content.OnDuplicate)
	}
	(&table{t: t}).print(rows...)
	t.printContent(lead.Content)
	return nil
}

func (t *terminal) printContent(content *adminapi.Content) {
	if content == nil {
		return
	}
	if content.Unreadable {
		t.printf("\nThe content of this lead is corrupt.\n")
		return
	}
	t.printValues("fields", content.Fields)
	for _, action := range content.Actions {
		t.printValues("action "+onOneLine(action.Type), action.Fields)
	}
}

func (t *terminal) printValues(title string, values map[string]any) {
	t.printf("\n%s\n", t.paint(bold, title))
	var rows [][]cell
	for _, name := range slices.Sorted(maps.Keys(values)) {
		lines := strings.Split(adminapi.Plain(textOf(values[name])), "\n")
		rows = append(rows, []cell{{"  " + onOneLine(name), quiet}, {lines[0], plain}})
		for _, line := range lines[1:] {
			rows = append(rows, []cell{{"", plain}, {line, plain}})
		}
	}
	(&table{t: t}).print(rows...)
}

func (t *terminal) retryCommand() *cobra.Command {
	var c choice
	var all, suspectedSpam bool
	cmd := &cobra.Command{
		Use:   "retry <id>... | --all --state <state> | --suspected-spam",
		Short: "Retries leads at once",
		Long: `
Retries leads at once: those with the given ids or, with --all, all parked or
all waiting leads, optionally of one account.

--all leaves suspected spam parked. With --suspected-spam it is retried too.`,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	c.addTo(cmd, t)
	cmd.Flags().BoolVar(&all, "all", false, "Retry all leads in the state that --state names")
	cmd.Flags().BoolVar(&suspectedSpam, "suspected-spam", false, "Retry all parked leads, suspected spam included")
	cmd.RunE = t.does(func(ctx context.Context, args []string) error {
		if suspectedSpam {
			all, c.state = true, cmp.Or(c.state, string(outbox.Parked))
		}
		switch {
		case all && len(args) > 0:
			return errors.New("give either ids or --all or --suspected-spam, but not both")
		case all && c.state == "":
			return errors.New("--all: state missing; add --state parked or --state waiting")
		case suspectedSpam && c.state != string(outbox.Parked):
			return errors.New("--suspected-spam: suspected spam is parked; use it with --state parked")
		case all:
			return t.retryAll(ctx, c, suspectedSpam)
		case len(args) == 0:
			return errors.New("leads missing; give their ids, or --all --state parked")
		case c != choice{}:
			return errors.New("--state and --account: only allowed with --all; remove them or add --all")
		}
		var retried []string
		err := t.forEach(args, "retried", func(id string) error {
			if err := t.client.Retry(ctx, id); err != nil {
				return err
			}
			retried = append(retried, id)
			return nil
		})
		accounts := sync.OnceValue(func() map[string]bool { return t.accountsOf(ctx, retried) })
		t.sayWhatWaits(ctx, func(account string) bool { return accounts()[account] })
		return err
	})
	return cmd
}

func (t *terminal) retryAll(ctx context.Context, c choice, suspectedSpam bool) error {
	total, err := t.count(ctx, c)
	if err != nil {
		return err
	}
	bar := t.progress("Retrying", total)
	var sum adminapi.Retried
	for {
		part, err := t.client.RetryAll(ctx, outbox.State(c.state), c.account, sum.Next, suspectedSpam)
		if err != nil {
			bar.end()
			return fmt.Errorf("after %s: %w", plural(sum.Retried, "lead", "leads"), err)
		}
		sum.Retried += part.Retried
		sum.Skipped += part.Skipped
		sum.SuspectedSpam += part.SuspectedSpam
		sum.Next = part.Next
		bar.at(sum.Retried + sum.Skipped + sum.SuspectedSpam)
		if sum.Next == "" {
			break
		}
	}
	bar.end()
	if sum.Retried > 0 {
		defer t.sayWhatWaits(ctx, func(account string) bool { return c.account == "" || account == c.account })
	}
	if t.json {
		return t.printJSON(sum)
	}
	t.printf("%s will be retried at once\n", plural(sum.Retried, "lead", "leads"))
	if sum.Skipped > 0 {
		t.printf("%s: in flight, delivered or removed in the meantime\n", plural(sum.Skipped, "lead skipped", "leads skipped"))
	}
	if sum.SuspectedSpam > 0 {
		t.printf("%s; use --suspected-spam to retry suspected spam too\n", plural(sum.SuspectedSpam, "lead stays parked as suspected spam", "leads stay parked as suspected spam"))
	}
	return nil
}

// sayWhatWaits prints a note for each account whose retried leads wait all the same, because it
// cannot send.
func (t *terminal) sayWhatWaits(ctx context.Context, concerns func(account string) bool) {
	status, err := t.client.Status(ctx)
	if err != nil {
		return // what the command was asked to do is done
	}
	for _, a := range status.Accounts() {
		if why := whyItWaits(a); a.Waiting > 0 && why != "" && concerns(a.Name) {
			t.hint(a.Name + " " + why)
		}
	}
}

// whyItWaits says why an account does not send leads that are due; empty if it does.
func whyItWaits(a adminapi.Account) string {
	switch a.State { //nolint:exhaustive // the others send
	case adminapi.NotConfigured:
		return "is not in the running config; its leads wait until it is again"
	case delivery.OnHold:
		return "is on hold; its leads wait until TeleCRM takes one: see caddy telecrm status"
	case delivery.Paused:
		return "is paused until " + moment(a.PausedUntil) + "; its leads wait until then: see caddy telecrm status"
	}
	return ""
}

// accountsOf returns the accounts of the leads. It leaves out leads that are gone.
func (t *terminal) accountsOf(ctx context.Context, ids []string) map[string]bool {
	accounts := make(map[string]bool)
	for _, id := range ids {
		if lead, err := t.client.Get(ctx, id); err == nil {
			accounts[lead.Account] = true
		}
	}
	return accounts
}

func (t *terminal) discardCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "discard <id>...",
		Short: "Removes leads from the outbox for good",
		Long: `
Removes leads from the outbox for good, in any state. It does not change
TeleCRM.`,
		Args:              takes("the ids of one or more leads", 1, -1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.RunE = t.does(func(ctx context.Context, args []string) error {
		return t.forEach(args, "discarded", func(id string) error { return t.client.Discard(ctx, id) })
	})
	return cmd
}

// done is the result for one of several ids, as JSON.
type done struct {
	ID    string `json:"id"`
	Done  bool   `json:"done"`
	Error string `json:"error,omitempty"`
}

// forEach calls do with each id and prints the result. It continues after an id that the server
// refuses.
func (t *terminal) forEach(ids []string, did string, do func(id string) error) error {
	failed := 0
	for _, id := range ids {
		err := do(id)
		if _, refused := errors.AsType[*adminapi.Error](err); err != nil && !refused {
			return err // the server does not answer
		}
		result := done{ID: id, Done: err == nil}
		if err != nil {
			if len(ids) == 1 && !t.json {
				return err
			}
			failed++
			result.Error = err.Error()
		}
		switch {
		case t.json:
			if err := t.printJSON(result); err != nil {
				return err
			}
		case err != nil:
			_, _ = fmt.Fprintln(t.err, onOneLine(err.Error()))
		default:
			t.printf("%s %s\n", onOneLine(id), did)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %s not %s", failed, plural(len(ids), "lead", "leads"), did)
	}
	return nil
}

func (t *terminal) eraseCommand() *cobra.Command {
	var identifier string
	cmd := &cobra.Command{
		Use:   "erase --identifier <value>",
		Short: "Removes all data of a person from the outbox",
		Long: `
Removes all data of a person from the outbox: their leads in every state and
account, and the remembered id of their lead in TeleCRM. It does not change
TeleCRM.

The identifier is the value of the account's lead identifier, by default the
phone number. A phone number may be written as it is typed into the form;
spaces and punctuation are ignored. With "-" it is read from the standard input, which
keeps it out of the shell's history.

A lead that is in flight cannot be removed: the command names it and exits
with 1. Run it again a little later.

If several machines share the outbox, the person's leads in the spools of the
others are removed when they move to the outbox.`,
		Args: takesNone,
	}
	cmd.Flags().StringVar(&identifier, "identifier", "", "Phone number, or other lead identifier, of the person (- reads the standard input)")
	_ = cmd.MarkFlagRequired("identifier")
	cmd.RunE = t.does(func(ctx context.Context, _ []string) error {
		read, err := readIdentifier(cmd.InOrStdin(), identifier)
		if err != nil {
			return err
		}
		return t.erase(ctx, read)
	})
	return cmd
}

func (t *terminal) erase(ctx context.Context, identifier string) error {
	total, err := t.count(ctx, choice{})
	if err != nil {
		return err
	}
	bar := t.progress("Searching the leads", total)
	var sum adminapi.Erased
	for {
		part, err := t.client.Erase(ctx, adminapi.Erasure{Identifier: identifier, After: sum.Next})
		if err != nil {
			bar.end()
			return err
		}
		sum = adminapi.Erased{
			Erased:    sum.Erased + part.Erased,
			InFlight:  append(sum.InFlight, part.InFlight...),
			Examined:  sum.Examined + part.Examined,
			Forgotten: sum.Forgotten + part.Forgotten,
			Next:      part.Next,
			Note:      part.Note,
		}
		bar.at(sum.Examined)
		if sum.Next == "" {
			break
		}
	}
	bar.end()
	if t.json {
		if err := t.printJSON(sum); err != nil {
			return err
		}
	} else {
		t.printf("%s erased, %s searched\n", plural(sum.Erased, "lead", "leads"), plural(sum.Examined, "lead", "leads"))
		if sum.Forgotten > 0 {
			t.printf("remembered TeleCRM lead id removed from %s\n", plural(sum.Forgotten, "account", "accounts"))
		}
		t.hint(sum.Note)
	}
	if len(sum.InFlight) > 0 {
		return fmt.Errorf("leads in flight cannot be erased: %s; run this again a little later", strings.Join(sum.InFlight, ", "))
	}
	return nil
}

// create creates a file with mode 0600. It does not replace a file, which would keep its mode.
func create(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%s already exists; name another file, or remove it first", path)
	}
	return file, err
}
