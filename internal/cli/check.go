package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/internal/adminapi"
)

// Inspect reads the config in a file with an adapter, to check it. If the file is empty, it is that
// of `caddy run`.
type Inspect func(config, adapter string) (*check.Config, error)

// exitNotChecked is the exit status if something could not be checked.
const exitNotChecked = 2

func (t *terminal) checkCommand(inspect Inspect) *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Checks the config, the pages and the workspace against each other",
		Long: `
Reads the config, the HTML pages of its sites, and from TeleCRM the fields,
actions, statuses and assignees of the workspace. Reports what does not fit
together, with the place and what to write instead. It changes nothing, and
does not need a running Caddy.

With --root it checks a config that another machine runs: the pages are in that
folder, and what depends on the other machine is left out, such as placeholders
for secrets.

With --url it reads the pages of a running site, such as the server of a site
generator, and follows its links. With --offline it does not ask TeleCRM. With
--since last it also says what changed on the pages since a check with this
flag last found no errors. With --sarif it prints a SARIF 2.1.0 log, which code
hosts show beside the lines.

With --fix it prints a patch instead, for findings with one certain fix,
such as a misspelt field, other capitals, or a form that is sent with GET. It
changes no file; look at the patch, and apply it with: patch -p1

Exits with 1 if there are errors, else with 2 if something could not be
checked, else with 0, also if there are warnings and notes.`,
		Args: takesNone,
		RunE: t.runs(func(ctx context.Context, _ []string) error {
			c, report, err := o.run(ctx, inspect, t.config, t.adapter)
			if err == nil {
				err = t.printChanges(o.since, c.State, report)
			}
			if err != nil {
				return t.notChecked(err)
			}
			if o.fix {
				return t.printPatch(report)
			}
			return t.printReport(report, o.sarif)
		}),
	}
	cmd.Flags().BoolVar(&o.offline, "offline", false, "Do not ask TeleCRM")
	cmd.Flags().StringVar(&o.root, "root", "", "Folder with the pages here, if another machine runs the config")
	cmd.Flags().StringVar(&o.url, "url", "",
		"Read the pages of the site that runs at this address instead of its files")
	cmd.Flags().StringVar(&o.since, "since", "", `With "last", also say what changed on the pages since a check last found no errors`)
	cmd.Flags().BoolVar(&o.fix, "fix", false, "Print a patch for findings with one certain fix")
	cmd.Flags().BoolVar(&o.sarif, "sarif", false, "Print a SARIF 2.1.0 log")
	return cmd
}

// notChecked prints why something could not be checked, and returns the exit status.
func (t *terminal) notChecked(err error) error {
	_, _ = fmt.Fprintf(t.err, "Error: %s\n", adminapi.Plain(err.Error()))
	return &ExitError{exitNotChecked}
}

// checkOptions are the flags of the check command.
type checkOptions struct {
	offline, fix, sarif bool
	root, url, since    string
}

func (o checkOptions) run(ctx context.Context, inspect Inspect, config, adapter string) (*check.Config, *check.Report, error) {
	if o.since != "" && o.since != "last" {
		return nil, nil, fmt.Errorf("since: must be last, got %q", o.since)
	}
	c, err := inspect(config, adapter)
	if refused, ok := errors.AsType[check.RefusedError](err); ok {
		return new(check.Config), check.Refused(refused), nil
	}
	if err != nil {
		return nil, nil, err
	}
	if o.root != "" {
		if err := c.MoveTo(o.root); err != nil {
			return nil, nil, err
		}
	}
	c.URL, c.Fixes = o.url, o.fix
	if !o.offline {
		c.Ask(ctx)
	}
	report, err := check.Run(ctx, *c)
	return c, report, err
}

// printChanges says what changed since the last check without errors, if asked to, and keeps what
// the pages are like now if there are no errors. Other output may be JSON, so it goes to the error
// stream.
func (t *terminal) printChanges(since, file string, r *check.Report) error {
	if since == "" || file == "" {
		return nil
	}
	content, err := os.ReadFile(file) //nolint:gosec // Caddy's own folder
	var before check.Snapshot
	switch {
	case errors.Is(err, os.ErrNotExist):
		_, _ = fmt.Fprintln(t.err, "There is no earlier check to compare with.")
	case err != nil:
		return fmt.Errorf("reading the last check: %w", err)
	case json.Unmarshal(content, &before) != nil:
		return fmt.Errorf("reading the last check: %s is damaged; remove it", file)
	default:
		for _, change := range before.Changes(r.Snapshot()) {
			_, _ = fmt.Fprintln(t.err, "Changed: "+onOneLine(change))
		}
	}
	if r.HasErrors() {
		return nil
	}
	if content, err = json.Marshal(r.Snapshot()); err != nil {
		return err
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, content, 0o600)); err != nil {
		return fmt.Errorf("keeping this check: %w", err)
	}
	return nil
}

func (t *terminal) printReport(r *check.Report, sarif bool) error {
	var err error
	switch {
	case sarif:
		err = t.printJSON(r.SARIF())
	case t.json:
		err = t.printJSON(r)
	default:
		t.printFindings(r)
	}
	if err != nil {
		return err
	}
	return exitOfCheck(r)
}

// exitOfCheck returns the error for the exit status, or nil.
func exitOfCheck(r *check.Report) error {
	switch {
	case r.HasErrors():
		return &ExitError{1}
	case len(r.Unverified) > 0:
		return &ExitError{exitNotChecked}
	}
	return nil
}

// printFindings prints the findings for people, grouped by account and form.
func (t *terminal) printFindings(r *check.Report) {
	group := ""
	for i, f := range r.Findings {
		if g := groupOf(f); i == 0 || g != group {
			group = g
			t.printf("%s\n", t.paint(bold, onOneLine(g)))
		}
		t.printf("  %s %s  %s\n", t.paint(styleOf(f.Severity), fmt.Sprintf("%-7s", f.Severity)), onOneLine(f.Place.String()), t.paint(quiet, string(f.Code)))
		t.printf("          %s%s\n", onOneLine(f.Message), elsewhere(f.Also))
		for line := range strings.SplitSeq(strings.ReplaceAll(f.Remedy, "\t", "    "), "\n") {
			if line != "" {
				t.printf("          %s %s\n", t.paint(quiet, "│"), t.paint(good, adminapi.Plain(line)))
			}
		}
	}
	if len(r.Findings) > 0 {
		t.printf("\n")
	}
	if r.Omitted > 0 {
		t.printf("%s not shown\n", plural(r.Omitted, "more finding", "more findings"))
	}
	for _, what := range r.Unverified {
		t.printf("%s\n", t.paint(warn, "Not checked: "+onOneLine(what)))
	}
	t.printf("%s\n", summaryOf(r))
}

func groupOf(f check.Finding) string {
	switch {
	case f.Account != "":
		return "Account " + f.Account
	case f.Form != "":
		return "Form " + f.Form
	}
	return "Site"
}

func styleOf(s check.Severity) style {
	switch s {
	case check.Error:
		return bad
	case check.Warning:
		return warn
	case check.Note:
		return quiet
	}
	return plain
}

func elsewhere(also int) string {
	if also == 0 {
		return ""
	}
	return fmt.Sprintf(" (and in %s)", plural(also, "other place", "other places"))
}

func summaryOf(r *check.Report) string {
	read := fmt.Sprintf("Read %s with %s: ", plural(r.Pages, "page", "pages"), plural(r.Forms, "form", "forms"))
	if len(r.Findings) == 0 {
		return read + "nothing found."
	}
	return read + fmt.Sprintf("%s, %s, %s.", plural(r.Count(check.Error), "error", "errors"), plural(r.Count(check.Warning), "warning", "warnings"), plural(r.Count(check.Note), "note", "notes"))
}
