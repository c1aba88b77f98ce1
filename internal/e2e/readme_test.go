package e2e_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// TestReadmeIsShort keeps the README short enough to read before trying the plugin.
func TestReadmeIsShort(t *testing.T) {
	if words := len(strings.Fields(read(t, "README.md"))); words >= 1600 {
		t.Errorf("README.md has %d words, want fewer than 1600", words)
	}
}

// TestReadmeLeadsEverywhere checks that the README links to each page of the documentation.
func TestReadmeLeadsEverywhere(t *testing.T) {
	readme := read(t, "README.md")
	for _, file := range documents(t) {
		if file != "README.md" && !strings.Contains(readme, "]("+filepath.ToSlash(file)) {
			t.Errorf("README.md does not link to %s", file)
		}
	}
}

// TestContributingListsTheRooms checks that CONTRIBUTING.md links to each folder of code. The suites
// of tests share a row.
func TestContributingListsTheRooms(t *testing.T) {
	contributing := read(t, "CONTRIBUTING.md")
	suites := []string{"internal/abusetest", "internal/browsertest", "internal/caddyproc", "internal/faulttest", "internal/jsclients"}
	for _, pattern := range []string{"*", "internal/*"} {
		folders, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, folder := range folders {
			info, err := os.Stat(folder)
			if err != nil {
				t.Fatal(err)
			}
			isRoom := info.IsDir() && !slices.Contains([]string{"cmd", "docs", "internal", "testdata"}, folder) && !strings.HasPrefix(folder, ".") && !slices.Contains(suites, folder)
			if isRoom && !strings.Contains(contributing, "]("+filepath.ToSlash(folder)+")") {
				t.Errorf("CONTRIBUTING.md does not link to %s", folder)
			}
		}
	}
}

// TestDocumentedFormMakesALead posts the README's form to the README's site.
func TestDocumentedFormMakesALead(t *testing.T) {
	site := examples(t, "caddyfile", "")
	i := slices.IndexFunc(site, func(e example) bool { return strings.HasPrefix(e.place, "README.md") && e.note == "" })
	if i < 0 {
		t.Fatal("README.md does not have a complete Caddyfile")
	}
	_, body, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(site[i].text), "}"), "{\n")
	// The test's own account replaces the one in the block.
	body = regexp.MustCompile(`(?m)^\s*(token|enterprise_id|country) .*\n`).ReplaceAllString(body, "")
	s := serve(t, body)

	forms := examples(t, "html", "")
	i = slices.IndexFunc(forms, func(e example) bool { return strings.HasPrefix(e.place, "README.md") })
	if i < 0 {
		t.Fatal("README.md does not have a form")
	}
	action, inputs := formOf(t, forms[i].text)
	if diff := cmp.Diff([]string{"name", "phone", "message"}, inputs); diff != "" {
		t.Fatalf("inputs (-want +got):\n%s", diff)
	}
	for _, message := range []string{"Please call.", "Any news?"} {
		got := s.post(t, action, url.Values{"name": {"Meera Nair"}, "phone": {"081234 56789"}, "message": {message}})
		if got.status != http.StatusSeeOther || got.location != "/thank-you" {
			t.Errorf("status %d, redirect to %q", got.status, got.location)
		}
	}
	// The second enquiry is on the timeline of the first one's lead.
	want := sandbox.Lead{
		Fields: map[string]any{"name": "Meera Nair", "phone": "918123456789"},
		Actions: []sandbox.Action{
			{Type: "1042", Fields: map[string]any{"note": "Please call."}},
			{Type: "1042", Fields: map[string]any{"note": "Any news?"}},
		},
	}
	var got sandbox.Lead
	for deadline := time.Now().Add(patience); len(got.Actions) < 2 && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		leads := s.crm.Leads()
		if len(leads) != 1 {
			t.Fatalf("%d leads, want 1", len(leads))
		}
		got = sandbox.Lead{Fields: leads[0].Fields}
		for _, action := range leads[0].Actions {
			got.Actions = append(got.Actions, sandbox.Action{Type: action.Type, Fields: action.Fields})
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lead (-want +got):\n%s", diff)
	}
}

// formOf returns the form's action and the names of its inputs.
func formOf(t *testing.T, text string) (action string, inputs []string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for node := range root.Descendants() {
		for _, attribute := range node.Attr {
			switch attribute.Key {
			case "action":
				action = attribute.Val
			case "name":
				inputs = append(inputs, attribute.Val)
			}
		}
	}
	return action, inputs
}

// TestDocumentedLogLines checks that each log line quoted in the documents exists in the code.
func TestDocumentedLogLines(t *testing.T) {
	texts := stringLiterals(t)
	for _, table := range []struct {
		file, header string
		column, rows int
	}{
		{"README.md", "| symptom |", 1, 8},
		{"docs/monitoring.md", "| logger | level | message |", 2, 8},
	} {
		rows := tableUnder(t, table.file, table.header)
		if len(rows) < table.rows {
			t.Errorf("%s: %d rows, want %d or more", table.file, len(rows), table.rows)
		}
		for _, cells := range rows {
			quoted := codeSpans(cells[table.column])
			if len(quoted) == 0 {
				t.Errorf("%s: the row %q does not quote a log line", table.file, cells)
			}
			for _, text := range quoted {
				if !strings.Contains(texts, strings.TrimSuffix(text, "…")) {
					t.Errorf("%s: no code logs %q", table.file, text)
				}
			}
		}
	}
}

// stringLiterals returns the text of all string literals in the module's code.
func stringLiterals(t *testing.T) string {
	t.Helper()
	var texts strings.Builder
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				texts.WriteString(literal.Value + "\n")
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts.String()
}

var (
	markdownLink    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	markdownHeading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	codeBlock       = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
)

// TestDocumentedLinksWork checks that each relative link leads to a file and, with a fragment, to a
// heading in it.
func TestDocumentedLinksWork(t *testing.T) {
	for _, file := range documents(t) {
		for _, match := range markdownLink.FindAllStringSubmatch(codeBlock.ReplaceAllString(read(t, file), ""), -1) {
			if strings.HasPrefix(match[1], "https://") {
				continue
			}
			name, anchor, _ := strings.Cut(match[1], "#")
			target := file
			if name != "" {
				target = filepath.Join(filepath.Dir(file), name)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", file, err)
			} else if anchor != "" && !slices.Contains(anchors(read(t, target)), anchor) {
				t.Errorf("%s: %s does not have a heading for #%s", file, target, anchor)
			}
		}
	}
}

// anchors returns GitHub's fragments for the headings of a page.
func anchors(content string) []string {
	matches := markdownHeading.FindAllStringSubmatch(codeBlock.ReplaceAllString(content, ""), -1)
	list := make([]string, 0, len(matches))
	for _, match := range matches {
		list = append(list, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, match[1]))
	}
	return list
}
