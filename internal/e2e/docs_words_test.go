package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	caddytelecrm "github.com/leadwire/caddy-telecrm"
	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/internal/account"
	"github.com/leadwire/caddy-telecrm/internal/challenges"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/modules/attributionhandler"
	"github.com/leadwire/caddy-telecrm/modules/outboxes"
	"github.com/leadwire/caddy-telecrm/modules/sandboxhandler"
)

// wordBlock is a Caddyfile block whose words are documented in a table.
type wordBlock struct {
	path     string   // the words that lead to the block
	around   string   // a Caddyfile with room for lines of the block
	required []string // lines that every block of the kind needs
}

// aForm is a Caddyfile with a form, with room for more lines in its block.
const aForm = "{\n" + globalOption + "}\n:80 {\ntelecrm {\nfield phone\nthank_you /\n%s\n}\n}\n"

// wordBlocks maps the notes of the tables to their blocks.
var wordBlocks = map[string]wordBlock{
	"the global option":       {"{ telecrm", "{\ntelecrm {\n%s\n}\n}\n", nil},
	"an account":              {"{ telecrm account", "{\ntelecrm {\naccount {\n%s\n}\n}\n}\n", []string{"token {env.TELECRM_TOKEN}", "enterprise_id x"}},
	"the directive":           {"telecrm", "{\n" + globalOption + "}\n:80 {\ntelecrm {\n%s\n}\n}\n", []string{"field phone", "thank_you /"}},
	"a field":                 {"telecrm field", fmt.Sprintf(aForm, "field town {\n%s\n}"), nil},
	"an action":               {"telecrm action", fmt.Sprintf(aForm, "action 1042 {\n%s\n}"), nil},
	"attribution":             {"telecrm attribution", fmt.Sprintf(aForm, "attribution web_ {\n%s\n}"), nil},
	"telecrm_attribution":     {"telecrm_attribution", ":80 {\ntelecrm_attribution {\n%s\n}\n}\n", nil},
	"the rate limit":          {"telecrm rate_limit", fmt.Sprintf(aForm, "rate_limit 10 1m {\n%s\n}"), nil},
	"the challenge altcha":    {"telecrm challenge", fmt.Sprintf(aForm, "challenge altcha {\n%s\n}"), nil},
	"the challenge recaptcha": {"telecrm challenge", fmt.Sprintf(aForm, "challenge recaptcha {\n%s\n}"), []string{"secret {env.TURNSTILE_SECRET}"}},
	"the stand-in":            {"telecrm_sandbox", ":80 {\ntelecrm_sandbox {\n%s\n}\n}\n", []string{"token {env.TELECRM_TOKEN}", "enterprise_id x"}},
}

var (
	tableOfWords = regexp.MustCompile(`(?m)^<!-- words of (.*) -->\n((?:\|.*\n)+)`)
	codeSpan     = regexp.MustCompile("`([^`]+)`")
	linkCell     = regexp.MustCompile(`^see \[[^]]+\]\(#[a-z-]+\)$`)
)

// rowsOf returns the cells of each row of a table, without the header.
func rowsOf(table string) [][]string {
	lines := strings.Split(strings.TrimSpace(table), "\n")[2:]
	rows := make([][]string, 0, len(lines))
	for _, line := range lines {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

// codeSpans returns the code spans of a cell.
func codeSpans(cell string) []string {
	matches := codeSpan.FindAllStringSubmatch(cell, -1)
	list := make([]string, 0, len(matches))
	for _, match := range matches {
		list = append(list, match[1])
	}
	return list
}

// TestDocumentedWords compares the documented syntax and the tables of words with the words that
// the parser knows. Each word has a default, a meaning, and an example that loads.
func TestDocumentedWords(t *testing.T) {
	t.Setenv("TELECRM_TOKEN", secretToken)
	t.Setenv("TELECRM_ASYNC_TOKEN", secretToken+"-async")
	t.Setenv("TURNSTILE_SECRET", secretSiteSecret)
	inSyntax := make(map[string][]string)
	for _, e := range examples(t, "text", "") {
		maps.Copy(inSyntax, grammarWords(e.text))
	}
	delete(inSyntax, "{")
	inTables := make(map[string][]string)
	known := make(map[string][]string)
	for _, table := range tableOfWords.FindAllStringSubmatch(read(t, "docs/caddyfile.md"), -1) {
		block, ok := wordBlocks[table[1]]
		if !ok {
			t.Fatalf("unknown block %q", table[1])
		}
		known[block.path] = knownWords(t, fmt.Sprintf(block.around, "no_such_word"))
		for _, cells := range rowsOf(table[2]) {
			if len(cells) != 4 || slices.Contains(cells, "") {
				t.Errorf("words of %s: got %d cells, want 4 that are not empty: %q", table[1], len(cells), cells)
				continue
			}
			inTables[block.path] = append(inTables[block.path], codeSpans(cells[0])...)
			t.Run(table[1]+"/"+cells[0], func(t *testing.T) { block.tryExample(t, codeSpans(cells[0]), cells[3]) })
		}
	}
	for path := range inTables {
		inTables[path] = slices.Compact(slices.Sorted(slices.Values(inTables[path])))
	}
	for path := range inSyntax {
		slices.Sort(inSyntax[path])
	}
	if diff := cmp.Diff(known, inSyntax); diff != "" {
		t.Errorf("syntax (-known +documented):\n%s", diff)
	}
	if diff := cmp.Diff(known, inTables); diff != "" {
		t.Errorf("tables of words (-known +documented):\n%s", diff)
	}
}

// tryExample loads the example of a row, or finds it in the section that the row links to.
func (b wordBlock) tryExample(t *testing.T, words []string, cell string) {
	lines := codeSpans(cell)
	if linkCell.MatchString(cell) {
		for _, word := range words {
			if !slices.ContainsFunc(examples(t, "caddyfile", ""), func(e example) bool {
				return strings.HasPrefix(e.place, "docs/caddyfile.md") && regexp.MustCompile(`(?m)^\s*`+word+`\b`).MatchString(e.text)
			}) {
				t.Errorf("the page does not have an example of %s", word)
			}
		}
		return
	}
	given := make(map[string]bool)
	for _, line := range lines {
		word, _, _ := strings.Cut(line, " ")
		given[word] = true
	}
	if !slices.ContainsFunc(words, func(word string) bool { return given[word] }) {
		t.Errorf("the example %q does not contain any of %q", lines, words)
	}
	for _, line := range b.required {
		if word, _, _ := strings.Cut(line, " "); word == "field" || !given[word] {
			lines = append(lines, line)
		}
	}
	config, err := adaptText(fmt.Sprintf(b.around, onThisMachine(t, strings.Join(lines, "\n"))))
	if err != nil {
		t.Fatal(err)
	}
	validate(t, config)
}

// grammarWords returns the words of each block, by the words that lead to the block.
func grammarWords(grammar string) map[string][]string {
	words := make(map[string][]string)
	var path []string
	for line := range strings.Lines(grammar) {
		line, _, _ = strings.Cut(line, " #")
		parts := strings.Fields(line)
		switch {
		case len(parts) == 0:
			continue
		case parts[0] == "}":
			path = path[:len(path)-1]
			continue
		}
		if block := strings.Join(path, " "); block != "" {
			words[block] = append(words[block], strings.Split(parts[0], "|")...)
		}
		if parts[len(parts)-1] == "{" {
			path = append(path, parts[0])
		}
	}
	return words
}

var listOfKnown = regexp.MustCompile(`unknown word "no_such_word"; .*known words are: (.*), at Caddyfile:\d+`)

func knownWords(t *testing.T, text string) []string {
	t.Helper()
	_, err := adaptText(text)
	if err == nil {
		t.Fatalf("an unknown word was accepted in\n%s", text)
	}
	match := listOfKnown.FindStringSubmatch(err.Error())
	if match == nil {
		t.Fatalf("the error does not list the known words: %v", err)
	}
	return slices.Sorted(slices.Values(strings.Split(match[1], ", ")))
}

// TestDocumentedTypes converts each example in the table of types.
func TestDocumentedTypes(t *testing.T) {
	var documented []fieldtype.Type
	for _, cells := range tableUnder(t, "docs/types.md", "| type |") {
		types, typed, sent := codeSpans(cells[0]), codeSpans(cells[2]), codeSpans(cells[3])
		if len(typed) == 0 || len(typed) != len(sent) {
			t.Errorf("%s: %d examples and %d results", cells[0], len(typed), len(sent))
			continue
		}
		for _, word := range types {
			documented = append(documented, fieldtype.Type(word))
			rules := fieldtype.Rules{Type: fieldtype.Type(word), Country: "IN"}
			if rules.Type == fieldtype.Dropdown {
				rules.Options = []string{"Rooftop solar", "Battery storage"}
			}
			for i := range typed {
				value, err := rules.Convert([]string{typed[i]})
				if err != nil {
					t.Errorf("%s %s: %v", word, typed[i], err)
					continue
				}
				if got, _ := json.Marshal(value.JSON); string(got) != sent[i] {
					t.Errorf("%s %s: got %s, documented %s", word, typed[i], got, sent[i])
				}
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(fieldtype.Types())), slices.Sorted(slices.Values(documented))); diff != "" {
		t.Errorf("types (-known +documented):\n%s", diff)
	}
	if _, err := (fieldtype.Rules{Type: fieldtype.Date}).Convert([]string{"03/04/2026"}); err == nil {
		t.Error("03/04/2026 is accepted")
	}
}

// tableUnder returns the rows of the first table whose header begins with head.
func tableUnder(t *testing.T, file, head string) [][]string {
	t.Helper()
	_, table, found := strings.Cut(read(t, file), "\n"+head)
	if !found {
		t.Fatalf("%s does not have a table with the header %s", file, head)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	return rowsOf(head + table)
}

// reasonOfSignal matches the text of a spam signal in the code.
var reasonOfSignal = regexp.MustCompile(`(?:Signal\{(?:Reason: )?|Opinion\{\{|errors\.New\()"((?:[^"\\]|\\.)+)"`)

// TestDocumentedSignals compares the documented texts of spam signals with those in the code.
func TestDocumentedSignals(t *testing.T) {
	var documented, known []string
	for _, cells := range tableUnder(t, "docs/junk.md", "| signal |") {
		documented = append(documented, codeSpans(cells[1])...)
	}
	for _, file := range []string{
		"guard/content.go", "guard/origin.go", "guard/sender.go", "guard/stamp.go", "internal/screen/screen.go", "challenge/challenge.go",
	} {
		for _, match := range reasonOfSignal.FindAllStringSubmatch(read(t, file), -1) {
			known = append(known, match[1])
		}
	}
	slices.Sort(documented)
	slices.Sort(known)
	if diff := cmp.Diff(known, documented); diff != "" {
		t.Errorf("signals (-known +documented):\n%s", diff)
	}
}

// TestDocumentedOutcomes compares the documented outcomes with those that a running Caddy counts.
func TestDocumentedOutcomes(t *testing.T) {
	var documented []string
	for _, cells := range tableUnder(t, "docs/caddyfile.md", "| outcome |") {
		documented = append(documented, codeSpans(cells[0])...)
	}
	counted := runningMetrics(t)["caddy_telecrm_submissions_total"]["outcome"]
	if diff := cmp.Diff(slices.Sorted(slices.Values(counted)), slices.Sorted(slices.Values(documented))); diff != "" {
		t.Errorf("outcomes (-counted +documented):\n%s", diff)
	}
}

// TestDocumentedLimits compares the documented limits of a form with those of the parser.
func TestDocumentedLimits(t *testing.T) {
	limits := form.DefaultLimits()
	want := fmt.Sprintf("%d values, %d bytes in a name, %d characters, in any script, in a value, and %d KiB in all names and values together",
		limits.Fields, limits.Name, limits.Characters, limits.Text>>10)
	if text := strings.Join(strings.Fields(strings.ReplaceAll(read(t, "docs/caddyfile.md"), ",000", "000")), " "); !strings.Contains(text, want) {
		t.Errorf("docs/caddyfile.md does not say %q", want)
	}
}

// TestDocumentedCodes checks that all field codes are in the table of codes, and that every other
// code there has a message for visitors.
func TestDocumentedCodes(t *testing.T) {
	var messages map[string]string
	if err := json.Unmarshal([]byte(read(t, "page/messages/en.json")), &messages); err != nil {
		t.Fatal(err)
	}
	missing := make(map[string]bool)
	for _, code := range fieldtype.Codes() {
		missing[string(code)] = true
	}
	for _, cells := range tableUnder(t, "docs/json.md", "| code |") {
		code := codeSpans(cells[0])[0]
		if !missing[code] && messages[code] == "" {
			t.Errorf("%s is documented but does not exist", code)
		}
		delete(missing, code)
	}
	if len(missing) > 0 {
		t.Errorf("not documented: %v", slices.Sorted(maps.Keys(missing)))
	}
}

// TestDocumentedKeys checks that each key of the JSON config is a Caddyfile word or is in the table
// of differences.
func TestDocumentedKeys(t *testing.T) {
	explained := make(map[string]bool)
	for _, cells := range tableUnder(t, "docs/json.md", "| Caddyfile |") {
		for _, key := range codeSpans(cells[1]) {
			explained[key] = false
		}
	}
	words := make(map[string]bool)
	for _, block := range wordBlocks {
		for _, word := range knownWords(t, fmt.Sprintf(block.around, "no_such_word")) {
			words[word] = true
		}
	}
	for _, module := range []any{
		caddytelecrm.App{},
		caddytelecrm.Keep{},
		account.Settings{},
		caddytelecrm.Handler{},
		mapping.Field{},
		mapping.Setting{},
		mapping.Action{},
		challenges.Config{},
		sandboxhandler.Handler{},
		attributionhandler.Handler{},
		attributionhandler.Consent{},
		mapping.Attribution{},
		outboxes.SQLite{},
	} {
		for _, key := range jsonKeys(reflect.TypeOf(module)) {
			_, known := explained[key]
			if known {
				explained[key] = true
			} else if !words[key] {
				t.Errorf("%T: the key %s is neither a word nor explained", module, key)
			}
		}
	}
	for key, exists := range explained {
		if !exists && key != "store" {
			t.Errorf("the key %s is explained but does not exist", key)
		}
	}
}

func jsonKeys(of reflect.Type) []string {
	var keys []string
	for field := range of.Fields() {
		if key, _, _ := strings.Cut(field.Tag.Get("json"), ","); key != "" && key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
}
