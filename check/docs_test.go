package check_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/internal/cli"
)

var update = flag.Bool("update", false, "write docs/check.md")

// TestDocsListEveryCode compares the codes in docs/check.md, and their examples, with the mistakes.
func TestDocsListEveryCode(t *testing.T) {
	const file, mark = "../docs/check.md", "-update`. -->\n"
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, after, found := strings.Cut(strings.ReplaceAll(string(content), "\r\n", "\n"), mark)
	if !found {
		t.Fatalf("%s does not have the line that ends with %q", file, mark)
	}
	want := documented(t)
	if *update {
		if err := os.WriteFile(file, []byte(before+mark+want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if after != want {
		t.Errorf("%s is not up to date; run go test ./check -run TestDocs -update", file)
	}
}

// documented returns a section for each code, with the finding of its first mistake.
func documented(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, rule := range check.Rules() {
		fmt.Fprintf(&b, "\n### %s\n\n%s\n", rule.Code, wrap(fmt.Sprintf("Usually %s %s. %s", article(rule.Severity), rule.Severity, rule.Summary)))
		printed, folder := printedExample(t, rule.Code)
		text := strings.ReplaceAll(strings.ReplaceAll(printed, folder, "/var/lib/caddy"), "\\", "/")
		fmt.Fprintf(&b, "\n```console\n%s```\n", text)
	}
	return b.String()
}

// printedExample returns the finding of the first mistake with the code, as the command prints it,
// and the folder that it may name.
func printedExample(t *testing.T, code check.Code) (text, folder string) {
	t.Helper()
	if code == check.ConfigRefused {
		refused := check.RefusedError{{Place: check.Place{File: "Caddyfile", Line: 12}, Message: `unknown field type "fone"; did you mean phone?`}}
		return printed(t, nil, refused, "Caddyfile:12  "+string(code)), "\x00"
	}
	mistakes := slices.Concat(inWorkspace, inPages, around)
	m := mistakes[slices.IndexFunc(mistakes, func(m mistake) bool { return m.code == code })]
	s := newSite(t)
	folder = s.config.Folder
	m.make(s)
	return printed(t, &s.config, nil, m.place+"  "+string(code)), folder
}

// printed runs the check command on a config, and returns the lines about the finding whose first
// line ends with end.
func printed(t *testing.T, c *check.Config, err error, end string) string {
	t.Helper()
	var out bytes.Buffer
	root := &cobra.Command{Use: "telecrm", SilenceErrors: true, SilenceUsage: true}
	cli.Build(root, nil, func(string, string) (*check.Config, error) { return c, err }, nil, nil)
	root.SetArgs([]string{"check", "--offline"})
	root.SetOut(&out)
	root.SetErr(io.Discard)
	_ = root.Execute() // findings are an error
	var about strings.Builder
	for line := range strings.Lines(out.String()) {
		switch {
		case strings.HasSuffix(line, " "+end+"\n"):
			about.WriteString(line)
		case about.Len() > 0 && !strings.HasPrefix(line, "          "):
			return about.String()
		case about.Len() > 0:
			about.WriteString(line)
		}
	}
	t.Fatalf("the command does not print a finding that ends with %q:\n%s", end, out.String())
	return ""
}

func article(s check.Severity) string {
	if s == check.Error {
		return "an"
	}
	return "a"
}

// wrap breaks lines at 120 characters.
func wrap(text string) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
		case column+1+len(word) > 120:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
