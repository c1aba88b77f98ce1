package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/move"
)

// OpenOutbox opens an outbox that is written as in a Caddyfile, such as `sqlite /srv/outbox.db`. If
// its entries are to be moved away, no other process may use it.
type OpenOutbox func(ctx context.Context, words string, away bool) (outbox.Store, error)

func (t *terminal) outboxCopyCommand(open OpenOutbox) *cobra.Command {
	return &cobra.Command{
		Use:   "copy <from> <to>",
		Short: "Moves all leads to another outbox",
		Long: `
Moves all leads from one outbox to another one. Both are written as in a
Caddyfile, without the word outbox:

  caddy telecrm outbox copy "sqlite /srv/outbox.db" "postgres {env.TELECRM_DSN}"

No Caddy may use the first one. Run the command as Caddy's user, on the machine
with the files. Each lead is copied, and then erased from the first outbox. If
that is interrupted, run the command again: nothing is lost or doubled.`,
		Args: takes("two outboxes, each in quotes", 2, 2),
		RunE: t.runs(func(ctx context.Context, args []string) (err error) {
			if args[0] == args[1] {
				return errors.New("both outboxes are the same; name another one")
			}
			from, err := open(ctx, args[0], true)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, from.Close()) }()
			to, err := open(ctx, args[1], false)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, to.Close()) }()
			return t.move(ctx, from, to)
		}),
	}
}

func (t *terminal) move(ctx context.Context, from, to outbox.Store) error {
	counts, err := from.Counts(ctx)
	if err != nil {
		return err
	}
	total := 0
	for _, c := range counts {
		total += c.Entries
	}
	bar := t.progress("moving", total)
	moved, err := move.All(ctx, from, to, bar.at)
	bar.end()
	if err != nil {
		return fmt.Errorf("%s moved, and the others have not; run the command again: %w", plural(moved, "lead has", "leads have"), err)
	}
	if t.json {
		return t.printJSON(struct {
			Leads int `json:"leads"`
		}{moved})
	}
	t.printf("%s moved\n", plural(moved, "lead has", "leads have"))
	return nil
}
