package cli

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
)

// exportPage is how many leads are asked for at once with their content,
// which may be long.
const exportPage = 250

// The formats of an export.
const (
	formatCSV    = "csv"
	formatNDJSON = "ndjson"
)

func (t *terminal) exportCommand() *cobra.Command {
	var c choice
	var format, output string
	cmd := &cobra.Command{
		Use:   "export --format csv|ndjson",
		Short: "Writes the leads, with what the visitors sent, to a file",
		Long: `
Writes the leads, with everything that the visitors sent, as CSV for
spreadsheets or as NDJSON, one JSON object a line, for programs. What it
writes is personal: the file that --output names is made so that only you can
read it, and must not exist before. Without it the leads go to the standard
output.

CSV has one column for each field that any of the leads has, called
fields.<name>. To know them, the leads are read twice, and never held in
memory. Fields of leads that arrive in between and have no column are in
more_fields, as JSON; actions are in actions, as JSON. An apostrophe stands
before whatever a spreadsheet could take for a formula, also after a comma, a
semicolon, a bar or a line break inside a cell. Control characters are spelt
out, such as \u001b.`,
		Args: cobra.NoArgs,
	}
	c.addTo(cmd, t)
	cmd.Flags().StringVar(&format, "format", "", "csv or ndjson")
	cmd.Flags().StringVarP(&output, "output", "o", "", "The file to write (must not exist)")
	_ = cmd.MarkFlagRequired("format")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]cobra.Completion{formatCSV, formatNDJSON}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = t.does(func(ctx context.Context, _ []string) error {
		if format != formatCSV && format != formatNDJSON {
			return fmt.Errorf("unknown format %q; known ones are: %s, %s", format, formatCSV, formatNDJSON)
		}
		return t.exportTo(ctx, output, func(w io.Writer) (int, error) {
			return t.export(ctx, c, format, w)
		})
	})
	return cmd
}

// exportTo has the file written, or the standard output. A file that could
// not be written as a whole is removed.
func (t *terminal) exportTo(ctx context.Context, path string, write func(io.Writer) (int, error)) error {
	if path == "" {
		buffered := bufio.NewWriter(t.out)
		_, err := write(buffered)
		return errors.Join(err, buffered.Flush())
	}
	// A wrong address or account must not leave a file behind.
	if _, err := t.client.Status(ctx); err != nil {
		return err
	}
	file, err := create(path)
	if err != nil {
		return fmt.Errorf("making the file: %w", err)
	}
	buffered := bufio.NewWriter(file)
	n, err := write(buffered)
	if err := errors.Join(err, buffered.Flush(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	if t.json {
		return t.printJSON(map[string]any{"exported": n, "file": path})
	}
	t.printf("%s written to %s\n", plural(n, "lead", "leads"), path)
	return nil
}

// export writes the leads and returns how many there were.
func (t *terminal) export(ctx context.Context, c choice, format string, w io.Writer) (int, error) {
	total, err := t.count(ctx, c)
	if err != nil {
		return 0, err
	}
	if format == formatNDJSON {
		return t.eachLead(ctx, c, "Exporting", total, func(lead adminapi.Lead) error { return encodeJSON(w, lead) })
	}
	names := make(map[string]bool)
	_, err = t.eachLead(ctx, c, "Looking for fields", total, func(lead adminapi.Lead) error {
		if lead.Content != nil {
			for name := range lead.Content.Fields {
				names[name] = true
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	sheet := newSheet(w, slices.Sorted(maps.Keys(names)))
	n, err := t.eachLead(ctx, c, "Exporting", total, sheet.write)
	return n, errors.Join(err, sheet.end())
}

// eachLead calls use with each lead, with its content, and returns how many
// there were.
func (t *terminal) eachLead(ctx context.Context, c choice, what string, total int, use func(adminapi.Lead) error) (int, error) {
	bar := t.progress(what, total)
	defer bar.end()
	n := 0
	err := t.eachPage(ctx, c, adminapi.Filter{Limit: exportPage, Full: true}, func(leads []adminapi.Lead) (bool, error) {
		for _, lead := range leads {
			if err := use(lead); err != nil {
				return false, fmt.Errorf("writing the leads: %w", err)
			}
		}
		n += len(leads)
		bar.at(n)
		return true, nil
	})
	return n, err
}

// sheet writes leads as CSV.
type sheet struct {
	csv   *csv.Writer
	names []string // of the fields that have a column
	err   error
}

// fixedColumns is how many columns there are besides those of fields.
const fixedColumns = 13

func newSheet(w io.Writer, names []string) *sheet {
	s := &sheet{csv: csv.NewWriter(w), names: names}
	row := make([]string, 0, len(names)+fixedColumns)
	row = append(row,
		"id", "state", "account", "form", "received", "settled", "due", "attempts", "reason", "telecrm_id", "identifier")
	for _, name := range names {
		row = append(row, "fields."+name)
	}
	s.err = s.row(append(row, "actions", "more_fields"))
	return s
}

func (s *sheet) row(cells []string) error {
	for i := range cells {
		cells[i] = guarded(cells[i])
	}
	return s.csv.Write(cells)
}

func (s *sheet) write(lead adminapi.Lead) error {
	content := lead.Content
	if content == nil {
		content = new(adminapi.Content)
	}
	row := make([]string, 0, len(s.names)+fixedColumns)
	row = append(row,
		lead.ID, string(lead.State), lead.Account, lead.Form, cellTime(lead.CreatedAt), cellTime(lead.SettledAt),
		cellTime(lead.DueAt), strconv.Itoa(lead.Attempts), lead.Reason, lead.LeadID, content.Identifier)
	more := maps.Clone(content.Fields)
	for _, name := range s.names {
		text := ""
		if value, given := content.Fields[name]; given {
			text = textOf(value)
		}
		row = append(row, text)
		delete(more, name)
	}
	actions, rest := "", ""
	if len(content.Actions) > 0 {
		actions = textOf(content.Actions)
	}
	if len(more) > 0 {
		rest = textOf(more)
	}
	return s.row(append(row, actions, rest))
}

func (s *sheet) end() error {
	s.csv.Flush()
	return errors.Join(s.err, s.csv.Error())
}

func cellTime(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Local().Format(time.RFC3339)
}

// formulaStarts are what spreadsheets take for the beginning of a formula, in
// both widths.
const formulaStarts = "=+-@＝＋－＠"

// separators are what a spreadsheet may split a line at, whatever stands
// between its cells, and blanks what it may drop before a formula.
const (
	separators = ",;|\n"
	blanks     = " \u00a0\u3000\""
)

// guarded is a cell that no spreadsheet takes for a formula
// (https://owasp.org/www-community/attacks/CSV_Injection), wherever it splits
// the line, and that cannot steer a terminal.
func guarded(text string) string {
	var b strings.Builder
	first := true // of a cell, but for blanks
	for _, r := range adminapi.Plain(text) {
		if first && strings.ContainsRune(formulaStarts, r) {
			b.WriteByte('\'')
		}
		switch {
		case strings.ContainsRune(separators, r):
			first = true
		case !strings.ContainsRune(blanks, r):
			first = false
		}
		b.WriteRune(r)
	}
	return b.String()
}
