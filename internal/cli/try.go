package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"context"

	"github.com/spf13/cobra"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/internal/adminapi"
)

func (t *terminal) tryCommand(inspect Inspect) *cobra.Command {
	var name, path string
	cmd := &cobra.Command{
		Use:   "try <input>=<value>...",
		Short: "Shows what would become of a post, and sends nothing",
		Long: `
Maps a post as the form in the config would, and prints what becomes of each
input and why, what the visitor would have to correct, and the lead that would
be sent to TeleCRM. It sends nothing, and does not need a running Caddy.

Name the form with --form, or the path that it posts to with --path. A config
with one form does not need either. Placeholders that only a request gives a
value, such as {http.request.header.Referer}, are left empty.

Exits with 1 if the visitor would have to correct something.`,
		Example: `  caddy telecrm try --path /enquire name="Ravi Menon" phone=8123456789`,
		RunE: t.runs(func(_ context.Context, args []string) error {
			c, err := inspect(t.config, t.adapter)
			if err != nil {
				return err
			}
			f, err := chooseForm(c, name, path)
			if err != nil {
				return err
			}
			posted, err := parsePost(args)
			if err != nil {
				return err
			}
			trial, err := check.Try(f, posted)
			if err != nil {
				return fmt.Errorf("form %s: %w", f.Name, err)
			}
			return t.printTrial(trial)
		}),
	}
	cmd.Flags().StringVar(&name, "form", "", "Name of the form")
	cmd.Flags().StringVar(&path, "path", "", "Path that the form posts to")
	return cmd
}

// chooseForm finds the form with the name, the first one that takes the path, or the only one.
func chooseForm(c *check.Config, name, path string) (*check.Form, error) {
	var forms []*check.Form
	var names []string
	for _, site := range c.Sites {
		for _, f := range site.Forms {
			forms, names = append(forms, f), append(names, f.Name)
		}
	}
	switch {
	case name != "" && path != "":
		return nil, fmt.Errorf("form: give either --form or --path, got both")
	case name == "" && path == "" && len(forms) == 1:
		return forms[0], nil
	case name == "" && path == "":
		return nil, fmt.Errorf("form: the config has several; name one with --form: %s", strings.Join(names, ", "))
	}
	i := slices.IndexFunc(forms, func(f *check.Form) bool { return name != "" && f.Name == name || path != "" && f.Takes("", path) })
	if i < 0 {
		return nil, fmt.Errorf("form: none has the name %q or takes the path %q; the forms are %s", name, path, strings.Join(names, ", "))
	}
	return forms[i], nil
}

// parsePost reads arguments such as name=Ravi.
func parsePost(args []string) (*form.Form, error) {
	posted := new(form.Form)
	for _, arg := range args {
		name, value, found := strings.Cut(arg, "=")
		if !found || name == "" {
			return nil, fmt.Errorf("input: must be <input>=<value>, got %q", arg)
		}
		posted.Entries = append(posted.Entries, form.Entry{Name: name, Value: value})
	}
	return posted, nil
}

func (t *terminal) printTrial(trial *check.Trial) error {
	var err error
	if t.json {
		err = t.printJSON(trial)
	} else {
		err = t.printTrialForPeople(trial)
	}
	if err == nil && len(trial.Problems) > 0 {
		return &ExitError{1}
	}
	return err
}

func (t *terminal) printTrialForPeople(trial *check.Trial) error {
	t.printf("%s\n", t.paint(bold, "Form "+onOneLine(trial.Form)))
	rows := [][]cell{header("  INPUT", "VALUE", "BECOMES")}
	for _, in := range trial.Inputs {
		becomes := cell{strings.Join(in.Becomes, ", "), good}
		if in.Reason != "" {
			becomes = cell{"nothing: " + in.Reason, warn}
		}
		rows = append(rows, []cell{{"  " + onOneLine(in.Name), plain}, {onOneLine(in.Value), plain}, becomes})
	}
	(&table{t: t}).print(rows...)
	for _, p := range trial.Problems {
		t.printf("%s %s %s\n", t.paint(bad, "To correct:"), onOneLine(p.Message), t.paint(quiet, "("+onOneLine(p.Input)+" "+p.Code+")"))
	}
	for _, remark := range trial.Remarks {
		t.printf("%s %s\n", t.paint(warn, "Remark:"), onOneLine(remark))
	}
	for _, placeholder := range trial.Empty {
		t.printf("%s %s\n", t.paint(quiet, "Left empty:"), onOneLine(placeholder))
	}
	switch {
	case trial.Trap != "":
		t.printf("%s\n", t.paint(warn, "The trap "+onOneLine(trial.Trap)+" is filled in, so the post would be parked as suspected spam."))
	case len(trial.Problems) > 0:
		t.printf("Nothing would be sent until the visitor has corrected this.\n")
		return nil
	}
	lead, err := json.MarshalIndent(trial.Lead, "", "  ")
	if err != nil {
		return fmt.Errorf("printing the lead: %w", err)
	}
	t.printf("%s\n%s\n", t.paint(bold, "Lead"), adminapi.Plain(string(lead)))
	return nil
}
