package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/leadwire/caddy-telecrm"
	"github.com/leadwire/caddy-telecrm/internal/cli"
	"github.com/leadwire/caddy-telecrm/page"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// example is a fenced block of the documentation. The HTML comment on the line above is its note,
// which readers do not see. It says how to test the block if the language does not.
type example struct {
	place, language, note, text string
}

var fenced = regexp.MustCompile("(?m)(?:^<!-- (.*) -->\n)?^```([a-z]+)\n((?s:.*?))^```$")

// examples lists the blocks in a language whose note begins with note.
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
		t.Fatalf("the documentation does not have a %s block with the note %q", language, note)
	}
	return list
}

func documents(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	top, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(files, top...)
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// surroundings maps the notes of Caddyfile fragments to the text around them.
var surroundings = map[string]string{
	"":                       "%s",
	"in a site":              "{\n" + globalOption + "}\n:80 {\n%s}\n",
	"in telecrm":             "{\n" + globalOption + "}\n:80 {\ntelecrm {\nfield phone\nthank_you /\n%s}\n}\n",
	"in telecrm_attribution": ":80 {\ntelecrm_attribution {\n%s}\n}\n",
	"in telecrm_sandbox":     ":80 {\ntelecrm_sandbox {\ntoken x\nenterprise_id x\n%s}\n}\n",
}

const globalOption = "telecrm {\naccount {\ntoken {env.TELECRM_TOKEN}\nenterprise_id x\ncountry IN\n}\n}\n"

func TestDocumentedCaddyfilesLoad(t *testing.T) {
	t.Setenv("TELECRM_TOKEN", secretToken)
	t.Setenv("TELECRM_ASYNC_TOKEN", secretToken)
	t.Setenv("TURNSTILE_SECRET", secretSiteSecret)
	for _, e := range examples(t, "caddyfile", "") {
		if e.note == "with postgres" {
			continue // a test of that module loads it
		}
		t.Run(e.place, func(t *testing.T) {
			if formatted := string(caddyfile.Format([]byte(e.text))); formatted != e.text {
				t.Errorf("the Caddyfile is not formatted; want\n%s", formatted)
			}
			around, known := surroundings[e.note]
			if !known {
				t.Fatalf("unknown note %q", e.note)
			}
			config, err := adaptText(fmt.Sprintf(around, onThisMachine(t, e.text)))
			if err != nil {
				t.Fatal(err)
			}
			validate(t, config)
		})
	}
}

// onThisMachine replaces the directory in the documentation with one that has its files.
func onThisMachine(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "messages"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"telecrm-token-dubai": secretToken,
		"messages/hi.json":    "{}",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return strings.ReplaceAll(text, "/etc/caddy", dir)
}

func adaptText(text string) ([]byte, error) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	return config, err
}

func validate(t *testing.T, config []byte) {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", t.TempDir()) // where configs write
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

// Scripts get the JSON shown in docs/json.md. Only the id differs.
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
			t.Errorf("%s: got id %v, want %v", e.place, got["id"], want["id"])
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

var goDocCommand = regexp.MustCompile("`go (doc -all [^`]+)`")

// Each documented go doc command explains keys of the JSON config.
func TestDocumentedGoDoc(t *testing.T) {
	commands := goDocCommand.FindAllStringSubmatch(read(t, "docs/json.md"), -1)
	if len(commands) == 0 {
		t.Fatal("docs/json.md does not have a go doc command")
	}
	for _, command := range commands {
		out, err := exec.CommandContext(t.Context(), "go", strings.Fields(command[1])...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "`json:\"") {
			t.Errorf("go %s: error %v, printed\n%s", command[1], err, out)
		}
	}
}

// The message file in docs/visitor.md is valid.
func TestDocumentedMessages(t *testing.T) {
	for _, e := range examples(t, "json", "messages ") {
		tag := strings.TrimPrefix(e.note, "messages ")
		catalog, err := page.Shipped().With(fstest.MapFS{tag + ".json": {Data: []byte(e.text)}})
		if err != nil {
			t.Fatalf("%s: %v", e.place, err)
		}
		long := page.Fault{Code: "TOO_LONG", Label: "नाम", Limit: "1"}
		if got := catalog.For(tag).Message(long); !strings.Contains(got, "एक ही अक्षर") {
			t.Errorf("%s: got %q for the singular", e.place, got)
		}
	}
}

// TestDocumentedLanguages compares the languages in docs/visitor.md with the message files.
func TestDocumentedLanguages(t *testing.T) {
	text := strings.Join(strings.Fields(read(t, "docs/visitor.md")), " ")
	_, list, _ := strings.Cut(text, "which `<html lang=\"…\">` declares: ")
	list, _, _ = strings.Cut(list, ".")
	documented := strings.Split(strings.ReplaceAll(list, " or ", ", "), ", ")
	files, err := filepath.Glob("page/messages/*.json")
	if err != nil {
		t.Fatal(err)
	}
	known := make([]string, 0, len(files))
	for _, file := range files {
		tag := language.MustParse(strings.TrimSuffix(filepath.Base(file), ".json"))
		name := display.English.Languages().Name(tag)
		known = append(known, strings.Replace(name, "Bangla", "Bengali", 1)) // the more common name
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(known)), slices.Sorted(slices.Values(documented))); diff != "" {
		t.Errorf("languages (-known +documented):\n%s", diff)
	}
}

// inlineCommand matches commands within sentences.
var inlineCommand = regexp.MustCompile("`caddy (telecrm [a-z][^`]*)`")

// The documented commands and their flags exist, and all commands are documented.
func TestDocumentedCommands(t *testing.T) {
	root := &cobra.Command{Use: "telecrm"}
	cli.Build(root, nil, nil, nil, nil)
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
	try := func(place, given string) {
		cmd, rest, err := root.Find(strings.Fields(given))
		if err != nil || cmd.HasSubCommands() {
			t.Errorf("%s: unknown command %s (error %v)", place, given, err)
			return
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Errorf("%s: %s: %v", place, given, err)
		}
		delete(undocumented, cmd.CommandPath())
	}
	for _, e := range examples(t, "console", "") {
		for line := range strings.Lines(e.text) {
			if given, isCommand := strings.CutPrefix(line, "$ caddy telecrm "); isCommand {
				try(e.place, given)
			}
		}
	}
	for _, file := range documents(t) {
		for _, match := range inlineCommand.FindAllStringSubmatch(read(t, file), -1) {
			try(file, strings.TrimPrefix(match[1], "telecrm "))
		}
	}
	if len(undocumented) > 0 {
		t.Errorf("not documented: %v", slices.Sorted(maps.Keys(undocumented)))
	}
}
