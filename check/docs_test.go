package check_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/check"
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
		f, folder := exampleOf(t, rule.Code)
		text := strings.ReplaceAll(strings.ReplaceAll(f.Message, folder, "/var/lib/caddy"), "\\", "/")
		fmt.Fprintf(&b, "\n```console\n%s %s: %s\n", f.Severity, f.Place, text)
		if f.Remedy != "" {
			remedy := strings.ReplaceAll(f.Remedy, folder, "/var/lib/caddy")
			b.WriteString("    " + strings.ReplaceAll(remedy, "\n", "\n    ") + "\n")
		}
		b.WriteString("```\n")
	}
	return b.String()
}

// exampleOf returns the finding of the first mistake with the code, and the folder that it may name.
func exampleOf(t *testing.T, code check.Code) (f check.Finding, folder string) {
	t.Helper()
	if code == check.ConfigRefused {
		return refused().Findings[0], "\x00"
	}
	mistakes := slices.Concat(inWorkspace, inPages, around)
	m := mistakes[slices.IndexFunc(mistakes, func(m mistake) bool { return m.code == code })]
	s := newSite(t)
	folder = s.config.Folder
	m.make(s)
	report := run(t, s.config)
	return report.Findings[slices.IndexFunc(report.Findings, func(f check.Finding) bool { return f.Code == m.code && f.Place.String() == m.place })], folder
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
