package caddytelecrm_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"golang.org/x/net/html"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/leadwire/caddy-telecrm"
	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/internal/cli"
	"github.com/leadwire/caddy-telecrm/page"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// example is a fenced block of the documentation. The HTML comment on the line
// above it, which readers do not see, is its note: what to make of the block
// where that does not follow from its language.
type example struct {
	place, language, note, text string
}

var fenced = regexp.MustCompile("(?m)(?:^<!-- (.*) -->\n)?^```([a-z]+)\n((?s:.*?))^```$")

// examples lists the blocks of that language whose note begins with note.
func examples(t *testing.T, language, note string) []example {
	t.Helper()
	var list []example
	for _, file := range documents(t) {
		content := read(t, file)
		for _, at := range fenced.FindAllStringSubmatchIndex(content, -1) {
			group := func(i int) string { return content[max(0, at[2*i]):max(0, at[2*i+1])] }
			line := 1 + strings.Count(content[:at[0]], "\n")
			e := example{fmt.Sprintf("%s:%d", file, line), group(2), group(1), group(3)}
			if e.language == language && strings.HasPrefix(e.note, note) {
				list = append(list, e)
			}
		}
	}
	if len(list) == 0 {
		t.Fatalf("the documentation has no %s block noted %q", language, note)
	}
	return list
}

func documents(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(files, "README.md", "SECURITY.md")
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// surroundings are what the fragments of a Caddyfile are part of, by note.
var surroundings = map[string]string{
	"":                   "%s",
	"in a site":          "{\n" + globalOption + "}\n:80 {\n%s}\n",
	"in telecrm":         "{\n" + globalOption + "}\n:80 {\ntelecrm {\nfield phone\nthank_you /\n%s}\n}\n",
	"in telecrm_sandbox": ":80 {\ntelecrm_sandbox {\ntoken x\nenterprise_id x\n%s}\n}\n",
}

const globalOption = "telecrm {\naccount {\ntoken {env.TELECRM_TOKEN}\nenterprise_id x\ncountry IN\n}\n}\n"

func TestDocumentedCaddyfilesLoad(t *testing.T) {
	t.Setenv("TELECRM_TOKEN", secretToken)
	t.Setenv("TURNSTILE_SECRET", secretSiteSecret)
	for _, e := range examples(t, "caddyfile", "") {
		t.Run(e.place, func(t *testing.T) {
			if formatted := string(caddyfile.Format([]byte(e.text))); formatted != e.text {
				t.Errorf("it is not formatted; it should be:\n%s", formatted)
			}
			around, known := surroundings[e.note]
			if !known {
				t.Fatalf("its note %q is unknown", e.note)
			}
			config, err := adaptText(fmt.Sprintf(around, e.text))
			if err != nil {
				t.Fatal(err)
			}
			validate(t, config)
		})
	}
}

func adaptText(text string) ([]byte, error) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	return config, err
}

func validate(t *testing.T, config []byte) {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", t.TempDir()) // whatever a config keeps, it keeps there
	var parsed caddy.Config
	if err := caddy.StrictUnmarshalJSON(config, &parsed); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&parsed); err != nil {
		t.Error(err)
	}
}

func TestDocumentedJSONLoads(t *testing.T) {
	t.Setenv("TELECRM_TOKEN", secretToken)
	for _, e := range examples(t, "json", "a config") {
		validate(t, []byte(e.text))
	}
	for _, e := range examples(t, "json", "a schema") {
		if _, err := sandbox.ParseSchema([]byte(e.text)); err != nil {
			t.Errorf("%s: %v", e.place, err)
		}
	}
}

// The grammar lists exactly the words that each block knows, as the error
// about an unknown word does.
func TestDocumentedGrammar(t *testing.T) {
	documented := make(map[string][]string)
	for _, e := range examples(t, "text", "") {
		maps.Copy(documented, grammarWords(e.text))
	}
	for _, block := range []struct{ path, around string }{
		{"{ telecrm", "{\ntelecrm {\n%s\n}\n}"},
		{"{ telecrm account", "{\ntelecrm {\naccount {\n%s\n}\n}\n}"},
		{"telecrm", ":80 {\ntelecrm {\n%s\n}\n}"},
		{"telecrm field", ":80 {\ntelecrm {\nfield phone {\n%s\n}\n}\n}"},
		{"telecrm action", ":80 {\ntelecrm {\naction 1042 {\n%s\n}\n}\n}"},
		{"telecrm challenge", ":80 {\ntelecrm {\nchallenge altcha {\n%s\n}\n}\n}"},
		{"telecrm_sandbox", ":80 {\ntelecrm_sandbox {\n%s\n}\n}"},
	} {
		known := knownWords(t, fmt.Sprintf(block.around, "no_such_word"))
		if diff := cmp.Diff(known, slices.Sorted(slices.Values(documented[block.path]))); diff != "" {
			t.Errorf("words of %s (-known +documented):\n%s", block.path, diff)
		}
		delete(documented, block.path)
	}
	delete(documented, "{")
	if len(documented) > 0 {
		t.Errorf("the grammar has blocks that are not compared: %v", documented)
	}
}

// grammarWords lists the words of each block by the words that lead to it.
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

var listOfKnown = regexp.MustCompile(`unknown word "no_such_word" .*; known words are: (.*), at Caddyfile:\d+`)

func knownWords(t *testing.T, text string) []string {
	t.Helper()
	_, err := adaptText(text)
	if err == nil {
		t.Fatalf("an unknown word was accepted in\n%s", text)
	}
	match := listOfKnown.FindStringSubmatch(err.Error())
	if match == nil {
		t.Fatalf("the error lists no known words: %v", err)
	}
	return slices.Sorted(slices.Values(strings.Split(match[1], ", ")))
}

func TestDocumentedTypes(t *testing.T) {
	_, table, found := strings.Cut(read(t, "README.md"), "\n| type |")
	if !found {
		t.Fatal("README.md has no table of types")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	var documented []fieldtype.Type
	for row := range strings.Lines(table) {
		first, _, _ := strings.Cut(strings.TrimPrefix(row, "| "), " |")
		for _, word := range regexp.MustCompile("`(.*?)`").FindAllStringSubmatch(first, -1) {
			documented = append(documented, fieldtype.Type(word[1]))
		}
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(fieldtype.Types())), slices.Sorted(slices.Values(documented))); diff != "" {
		t.Errorf("types (-known +documented):\n%s", diff)
	}
}

// The form that README.md shows makes a lead on the site that README.md shows.
func TestDocumentedFormMakesALead(t *testing.T) {
	site := examples(t, "caddyfile", "")
	i := slices.IndexFunc(site, func(e example) bool { return strings.HasPrefix(e.place, "README.md") && e.note == "" })
	if i < 0 {
		t.Fatal("README.md has no whole Caddyfile")
	}
	_, body, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(site[i].text), "}"), "{\n")
	// The test's own account stands in for the one in the block.
	body = regexp.MustCompile(`(?m)^\s*(token|enterprise_id|country) .*\n`).ReplaceAllString(body, "")
	s := serve(t, body)

	forms := examples(t, "html", "")
	i = slices.IndexFunc(forms, func(e example) bool { return strings.HasPrefix(e.place, "README.md") })
	if i < 0 {
		t.Fatal("README.md has no form")
	}
	action, inputs := formOf(t, forms[i].text)
	if diff := cmp.Diff([]string{"name", "phone", "message"}, inputs); diff != "" {
		t.Fatalf("inputs (-want +got):\n%s", diff)
	}
	got := s.post(t, action, url.Values{"name": {"Meera Nair"}, "phone": {"081234 56789"}, "message": {"Please call."}})
	if got.status != http.StatusSeeOther || got.location != "/thank-you" {
		t.Errorf("status %d to %q", got.status, got.location)
	}
	want := map[string]any{"name": "Meera Nair", "phone": "918123456789", "message": "Please call."}
	leads := s.crm.Leads()
	if len(leads) != 1 {
		t.Fatalf("%d leads, want 1", len(leads))
	}
	if diff := cmp.Diff(want, leads[0].Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

// formOf returns where the form posts to, and the names of its inputs.
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

// Scripts get the JSON that README.md shows; only the id differs.
func TestDocumentedAnswers(t *testing.T) {
	s := serve(t, enquiry)
	for _, e := range examples(t, "json", "answers ") {
		var want, got map[string]any
		if err := json.Unmarshal([]byte(e.text), &want); err != nil {
			t.Fatalf("%s: %v", e.place, err)
		}
		body := s.postForJSON(t, "/contact", strings.TrimPrefix(e.note, "answers "))
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("%s: %v in %s", e.place, err, body)
		}
		if (want["id"] == nil) != (got["id"] == nil) {
			t.Errorf("%s: id is %v, want %v", e.place, got["id"], want["id"])
		}
		delete(want, "id")
		delete(got, "id")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-documented +got):\n%s", e.place, diff)
		}
	}
}

func (s *server) postForJSON(t *testing.T, path, body string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.site+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer bytes.Buffer
	if _, err := io.Copy(&answer, resp.Body); err != nil {
		t.Fatal(err)
	}
	return answer.Bytes()
}

// The message file that README.md shows is one.
func TestDocumentedMessages(t *testing.T) {
	for _, e := range examples(t, "json", "messages ") {
		tag := strings.TrimPrefix(e.note, "messages ")
		catalog, err := page.Shipped().With(fstest.MapFS{tag + ".json": {Data: []byte(e.text)}})
		if err != nil {
			t.Fatalf("%s: %v", e.place, err)
		}
		long := page.Fault{Code: "TOO_LONG", Label: "नाम", Limit: "1"}
		if got := catalog.For(tag).Message(long); !strings.Contains(got, "एक ही अक्षर") {
			t.Errorf("%s: for one there is %q", e.place, got)
		}
	}
}

// The documented commands exist with the flags that they are given, and each
// that exists is documented.
func TestDocumentedCommands(t *testing.T) {
	root := &cobra.Command{Use: "telecrm"}
	cli.Build(root, nil)
	undocumented := make(map[string]bool)
	var note func(*cobra.Command)
	note = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			note(sub)
		}
		if !cmd.HasSubCommands() {
			undocumented[cmd.CommandPath()] = true
		}
	}
	note(root)
	for _, e := range examples(t, "console", "") {
		for line := range strings.Lines(e.text) {
			given, isCommand := strings.CutPrefix(line, "$ caddy telecrm ")
			if !isCommand {
				continue
			}
			cmd, rest, err := root.Find(strings.Fields(given))
			if err != nil || cmd.HasSubCommands() {
				t.Errorf("%s: there is no command for %s (error %v)", e.place, line, err)
				continue
			}
			if err := cmd.ParseFlags(rest); err != nil {
				t.Errorf("%s: %s: %v", e.place, line, err)
			}
			delete(undocumented, cmd.CommandPath())
		}
	}
	if len(undocumented) > 0 {
		t.Errorf("not documented: %v", slices.Sorted(maps.Keys(undocumented)))
	}
}

func TestDocumentedLinksLead(t *testing.T) {
	links := regexp.MustCompile(`\]\(([^)]+)\)`)
	for _, file := range documents(t) {
		for _, link := range links.FindAllStringSubmatch(read(t, file), -1) {
			if strings.HasPrefix(link[1], "https://") {
				continue
			}
			target, _, _ := strings.Cut(link[1], "#")
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), target)); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}
