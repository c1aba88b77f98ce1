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

// exportPage is the page size of exports. It is small because content can be long.
const exportPage = 250

// The formats of an export.
const (
	formatCSV    = "csv"
	formatNDJSON = "ndjson"
)

func (t *terminal) exportCommand() *cobra.Command {
	var q query
	var format, output string
	cmd := &cobra.Command{
		Use:   "export --format csv|ndjson",
		Short: "Writes the leads, with what the visitors sent, to a file",
		Long: `
Writes the leads, with everything that the visitors sent, as CSV for
spreadsheets, or as NDJSON (one JSON object per line) for programs. The output
is personal data: the file that --output names must not exist yet, and is
created so that only you can read it. Without --output, or with "-", the leads
go to the standard output.

The CSV has a column fields.<name> for each field that any of the leads has. To
find them, the leads are read twice; they are never all in memory. If a lead
arrives in between and has other fields, they are in more_fields, as JSON.
Actions are in actions, as JSON. Text that a spreadsheet could take for a
formula gets an apostrophe in front, even after a comma, a semicolon, a bar or
a line break inside a cell. Control characters are escaped, such as \u001b.`,
		Args: takesNone,
	}
	q.addTo(cmd, t)
	cmd.Flags().StringVar(&format, "format", "", "csv or ndjson")
	cmd.Flags().StringVarP(&output, "output", "o", "", "File to write; must not exist yet")
	_ = cmd.MarkFlagRequired("format")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]cobra.Completion{formatCSV, formatNDJSON}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = t.does(func(ctx context.Context, _ []string) error {
		if format != formatCSV && format != formatNDJSON {
			return fmt.Errorf("format: must be %[2]s or %[3]s, got %[1]q", format, formatCSV, formatNDJSON)
		}
		f, err := q.filter(cmd.InOrStdin(), t.now())
		if err != nil {
			return err
		}
		return t.exportTo(ctx, output, func(w io.Writer) (int, error) {
			return t.export(ctx, f, format, w)
		})
	})
	return cmd
}

// exportTo writes to the file at path, or to the standard output if path is empty or "-". If writing
// fails, it removes the file.
func (t *terminal) exportTo(ctx context.Context, path string, write func(io.Writer) (int, error)) error {
	if path == "" || path == "-" {
		buffered := bufio.NewWriter(t.out)
		_, err := write(buffered)
		return errors.Join(err, buffered.Flush())
	}
	// Check the connection first, so that a wrong address does not leave a file behind.
	if _, err := t.client.Status(ctx); err != nil {
		return err
	}
	file, err := create(path)
	if err != nil {
		return fmt.Errorf("creating the file: %w", err)
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

// export writes the leads and returns their number.
func (t *terminal) export(ctx context.Context, f adminapi.Filter, format string, w io.Writer) (int, error) {
	total, err := t.count(ctx, choice{state: string(f.State), account: f.Account})
	if err != nil {
		return 0, err
	}
	if format == formatNDJSON {
		n, note, err := t.eachLead(ctx, f, "Exporting", total, func(lead adminapi.Lead) error { return encodeJSON(w, lead) })
		t.hint(note)
		return n, err
	}
	names := make(map[string]bool)
	_, note, err := t.eachLead(ctx, f, "Looking for fields", total, func(lead adminapi.Lead) error {
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
	t.hint(note)
	sheet := newSheet(w, slices.Sorted(maps.Keys(names)))
	n, _, err := t.eachLead(ctx, f, "Exporting", total, sheet.write)
	return n, errors.Join(err, sheet.end())
}

// eachLead calls use with each lead and its content, and returns the number of leads and the
// server's note.
func (t *terminal) eachLead(ctx context.Context, f adminapi.Filter, what string, total int, use func(adminapi.Lead) error) (n int, note string, err error) {
	bar := t.progress(what, total)
	defer bar.end()
	f.Limit, f.Full = exportPage, true
	note, err = t.eachPage(ctx, f, func(leads []adminapi.Lead) (bool, error) {
		for _, lead := range leads {
			if err := use(lead); err != nil {
				return false, fmt.Errorf("writing the leads: %w", err)
			}
		}
		n += len(leads)
		bar.at(n)
		return true, nil
	})
	return n, note, err
}

// sheet writes leads as CSV.
type sheet struct {
	csv   *csv.Writer
	names []string // fields that have a column
	err   error
}

// fixedColumns is the number of columns other than fields.
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

// formulaStarts are the characters that begin a formula in a spreadsheet, in both widths.
const formulaStarts = "=+-@＝＋－＠"

// A spreadsheet may split a line at any of separators, and may drop blanks before a formula.
const (
	separators = ",;|\n"
	blanks     = " \u00a0\u3000\""
)

// guarded escapes text so that a spreadsheet does not run it as a formula, wherever it splits the
// line (https://owasp.org/www-community/attacks/CSV_Injection), and so that a terminal does not
// obey it.
func guarded(text string) string {
	var b strings.Builder
	first := true // only blanks so far in this cell
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
