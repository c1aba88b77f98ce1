package cli

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
)

func (t *terminal) outboxCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Looks for damage in the outbox",
		Long: `
Reads the whole outbox of a running Caddy and looks for damage: in the structure
of the file, in its indices, and in the checksum of each lead. It checks spools
too. It changes nothing. It exits with 1 if it finds damage, or if the outbox
cannot be used.`,
		Args: takesNone,
		RunE: t.does(t.checkOutbox),
	}
}

var errDamaged = errors.New("the outbox is damaged; Caddy sets a damaged file aside and carries over what it can read; see Caddy's log")

func (t *terminal) checkOutbox(ctx context.Context, _ []string) error {
	checked, err := t.client.Check(ctx)
	if err != nil {
		return err
	}
	damaged, unchecked := false, false
	for _, o := range checked.Outboxes {
		unchecked = unchecked || o.Unchecked != ""
		damaged = damaged || o.Missing > 0 || len(o.Damaged) > 0 || len(o.Problems) > 0
	}
	if t.json {
		err = t.printJSON(checked)
	} else {
		for _, o := range checked.Outboxes {
			t.printChecked(o)
		}
	}
	switch {
	case err != nil:
		return err
	case damaged:
		return errDamaged
	case unchecked:
		return errUnchecked
	}
	return nil
}

var errUnchecked = errors.New("the outbox cannot be used, so it was not checked; caddy telecrm status says why")

func (t *terminal) printChecked(o adminapi.CheckedOutbox) {
	if o.Unchecked != "" {
		t.printf("Outbox %s: %s\n", onOneLine(o.Resource), t.paint(bad, "not checked: "+onOneLine(o.Unchecked)))
		return
	}
	t.printf("Outbox %s: %s checked\n", onOneLine(o.Resource), plural(o.Entries, "lead", "leads"))
	for _, problem := range o.Problems {
		t.printf("%s\n", t.paint(bad, onOneLine(problem)))
	}
	for _, id := range o.Damaged {
		t.printf("%s\n", t.paint(bad, "lead "+onOneLine(id)+": its checksum does not match"))
	}
	if o.Missing > 0 {
		t.printf("%s\n", t.paint(bad, plural(o.Missing, "lead is", "leads are")+" missing"))
	}
}

func (t *terminal) outboxBackupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup <file>",
		Short: "Writes the outbox to a new file",
		Long: `
Writes the outbox of a running Caddy, with all its leads, to a new file on the
machine that Caddy runs on. Caddy keeps running. The file is a complete outbox
that only Caddy's user can read. If there are leads in a spool, each spool is
written to a file beside it, <file>.spool-<id>.`,
		Args: takes("the file to write", 1, 1),
		RunE: t.does(func(ctx context.Context, args []string) error {
			file, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			written, err := t.client.Backup(ctx, adminapi.Backup{File: file})
			if err != nil {
				return err
			}
			if t.json {
				return t.printJSON(written)
			}
			t.printf("the outbox is in %s\n", onOneLine(file))
			for _, spool := range written.Files[min(1, len(written.Files)):] {
				t.printf("leads that have not moved to the outbox yet are in %s\n", onOneLine(spool))
			}
			return nil
		}),
	}
}
