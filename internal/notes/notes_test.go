package notes_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/internal/notes"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/page"
)

func newNotes() (*notes.Notes, *observer.ObservedLogs) {
	core, log := observer.New(zapcore.DebugLevel)
	return notes.New("/contact", zap.New(core)), log
}

// Each kind of trouble is written once, however often it happens.
func TestOnce(t *testing.T) {
	t.Parallel()
	n, log := newNotes()
	for range 3 {
		n.Charset("")
		n.Secrets(nil)
	}
	if log.Len() > 0 {
		t.Errorf("logged %v", log.All())
	}
	for range 3 {
		n.Charset("windows-1252")
		n.Secrets([]string{"password"})
		n.Rebuilt("<astro-island>")
	}
	if log.Len() != 3 {
		t.Errorf("%d warnings, want 3: %v", log.Len(), log.All())
	}
	for _, entry := range log.All() {
		if entry.Level != zapcore.WarnLevel || entry.ContextMap()["form"] != "/contact" {
			t.Errorf("%v", entry)
		}
	}
}

// A field that nearly every post is refused for is the form's trouble. Now and then a visitor is
// refused for something.
func TestRefusedAgainAndAgain(t *testing.T) {
	t.Parallel()
	invalid := &mapping.Problem{Input: "city", Code: fieldtype.NotAnOption}
	empty := &mapping.Problem{Input: "city", Code: fieldtype.RequiredEmpty}
	other := &mapping.Problem{Input: "phone", Code: fieldtype.NotAnOption}
	for name, test := range map[string]struct {
		posts func(n int) []*mapping.Problem
		count int
		want  int // warnings
	}{
		"nine times":                {func(int) []*mapping.Problem { return []*mapping.Problem{invalid} }, 9, 0},
		"ten times":                 {func(int) []*mapping.Problem { return []*mapping.Problem{invalid} }, 10, 1},
		"very often":                {func(int) []*mapping.Problem { return []*mapping.Problem{invalid} }, 1000, 1},
		"two fields":                {func(int) []*mapping.Problem { return []*mapping.Problem{invalid, other} }, 10, 2},
		"tags in one post":          {func(int) []*mapping.Problem { return []*mapping.Problem{invalid, invalid} }, 9, 0},
		"two reasons":               {func(n int) []*mapping.Problem { return []*mapping.Problem{[]*mapping.Problem{invalid, empty}[n%2]} }, 1000, 0},
		"two fields in turn":        {func(n int) []*mapping.Problem { return []*mapping.Problem{[]*mapping.Problem{invalid, other}[n%2]} }, 1000, 0},
		"never":                     {func(int) []*mapping.Problem { return nil }, 1000, 0},
		"every second time":         {func(n int) []*mapping.Problem { return []*mapping.Problem{invalid}[n%2:] }, 1000, 0},
		"all but every tenth":       {func(n int) []*mapping.Problem { return []*mapping.Problem{invalid}[toInt(n%10 == 0):] }, 100, 1},
		"all but every fourth":      {func(n int) []*mapping.Problem { return []*mapping.Problem{invalid}[toInt(n%4 == 0):] }, 1000, 0},
		"since the page changed":    {func(n int) []*mapping.Problem { return []*mapping.Problem{invalid}[toInt(n < 10_000):] }, 10_200, 1},
		"until the page was mended": {func(n int) []*mapping.Problem { return []*mapping.Problem{invalid}[toInt(n > 8):] }, 1000, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, log := newNotes()
			for i := range test.count {
				n.Judged(test.posts(i))
			}
			if log.Len() != test.want {
				t.Errorf("%d warnings, want %d: %v", log.Len(), test.want, log.All())
			}
			for _, entry := range log.All() {
				if fields := entry.ContextMap(); fields["code"] != "NOT_AN_OPTION" || fields["refused"].(int64) < 10 {
					t.Errorf("%v", fields)
				}
			}
		})
	}
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// compared returns what is written about a form: the field, both names, and the line for the
// Caddyfile.
func compared(t *testing.T, config mapping.Config, inputs []page.Input, sent ...string) []string {
	t.Helper()
	config.Country = "IN"
	if config.Identifier == "" {
		config.Identifier = "id"
		config.Set = []mapping.Setting{{Name: "id", Value: "1"}}
	}
	m, err := mapping.New(config)
	if err != nil {
		t.Fatal(err)
	}
	posted := new(form.Form)
	for _, name := range sent {
		posted.Entries = append(posted.Entries, form.Entry{Name: name, Value: "typed by a visitor"})
	}
	n, log := newNotes()
	for range 2 {
		n.Compare(notes.Comparison{Mapping: m, Inputs: inputs, Posted: posted, IsOther: func(input string) bool { return input == "_gotcha" }})
	}
	var lines []string
	for _, entry := range log.All() {
		fields := entry.ContextMap()
		if strings.Contains(fmt.Sprint(fields), "visitor") || entry.Level != zapcore.WarnLevel {
			t.Errorf("%v", entry)
		}
		write, _ := fields["write"].(string)
		lines = append(lines, fmt.Sprintf("%v %v: %s", fields["field"], fields["input"], write))
	}
	return lines
}

// An input of another name on the page is found by its name, its type, or because nothing else is
// left.
func TestNamesThatDoNotMatch(t *testing.T) {
	t.Parallel()
	text := func(names ...string) (inputs []page.Input) {
		for _, name := range names {
			inputs = append(inputs, page.Input{Name: name, Type: "text", IsShown: true})
		}
		return inputs
	}
	phone := mapping.Config{Identifier: "phone", Fields: []mapping.Field{{Name: "phone"}, {Name: "name"}}}
	for name, test := range map[string]struct {
		config mapping.Config
		inputs []page.Input
		sent   []string
		want   []string
	}{
		"matches":           {phone, text("name", "phone"), nil, nil},
		"synonym":           {phone, text("name", "mobile", "message"), nil, []string{"phone phone: field phone mobile"}},
		"synonym in words":  {phone, text("name", "Contact No.", "message"), nil, []string{`phone phone: field phone "Contact No."`}},
		"type":              {phone, append(text("name", "subject"), page.Input{Name: "reach", Type: "tel", IsShown: true}), nil, []string{"phone phone: field phone reach"}},
		"misspelt":          {phone, text("name", "phoen", "message"), nil, []string{"phone phone: field phone phoen"}},
		"case":              {phone, text("name", "Phone", "message"), nil, []string{"phone phone: field phone Phone"}},
		"part of a name":    {phone, text("your-name", "phone"), nil, []string{"name name: field name your-name"}},
		"both":              {phone, text("full_name", "mobile"), nil, []string{"phone phone: field phone mobile", "name name: field name full_name"}},
		"only one left":     {phone, text("name", "reach"), nil, []string{"phone phone: field phone reach"}},
		"with a type":       {mapping.Config{Fields: []mapping.Field{{Name: "callback", Input: "tel", Type: "phone"}}}, text("mobile"), nil, []string{"callback tel: field callback mobile phone"}},
		"email":             {mapping.Config{Fields: []mapping.Field{{Name: "email"}}}, text("mail", "message"), nil, []string{"email email: field email mail"}},
		"of an action":      {mapping.Config{Actions: []mapping.Action{{Code: "1042", Fields: []mapping.Field{{Name: "note", Input: "message"}}}}}, text("messages"), nil, []string{"note message: field note messages"}},
		"nothing like it":   {phone, text("name", "subject", "text"), nil, []string{"phone phone: "}},
		"optional":          {mapping.Config{Fields: []mapping.Field{{Name: "city"}}}, text("subject", "text"), nil, nil},
		"added by a script": {phone, text("name", "mobile"), []string{"phone"}, nil},
		"a trap":            {phone, text("name", "_gotcha"), nil, []string{"phone phone: "}},
		"hidden":            {phone, []page.Input{{Name: "name", IsShown: true}, {Name: "phone_id"}}, nil, []string{"phone phone: "}},
		"a secret":          {phone, text("name", "password"), nil, []string{"phone phone: "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, compared(t, test.config, test.inputs, test.sent...)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// Answers that the page offers and a field does not take are named with the line that takes them.
func TestAnswersThatAreNotListed(t *testing.T) {
	t.Parallel()
	room := func(options ...string) mapping.Config {
		return mapping.Config{Fields: []mapping.Field{{Name: "room", Type: "dropdown", Options: options}}}
	}
	for name, test := range map[string]struct {
		config mapping.Config
		offers []page.Choice
		want   []string
	}{
		"all listed":     {room("Kitchen", "Bath"), []page.Choice{{Value: "kitchen"}, {Value: "Bath "}}, nil},
		"words":          {room("Kitchen"), []page.Choice{{Value: "Kitchen & bath"}}, []string{`room room: options Kitchen "Kitchen & bath"`}},
		"indented":       {room("Kitchen"), []page.Choice{{Value: "\u00a0\u00a0Guest\r\nbath", Label: "Guest bath"}}, []string{`room room: options Kitchen "Guest bath"`}},
		"one word":       {room("Kitchen"), []page.Choice{{Value: "Kitchen"}, {Value: "Bath"}}, []string{"room room: options Kitchen Bath"}},
		"twice":          {room("Kitchen"), []page.Choice{{Value: "Bath"}, {Value: "Bath"}}, []string{"room room: options Kitchen Bath"}},
		"quotes":         {room(`6" pipe`), []page.Choice{{Value: `8" pipe`}, {Value: "a \"b` {c}"}}, []string{"room room: options `6\" pipe` `8\" pipe` \"a \\\"b` {c}\""}},
		"code and label": {room("Kitchen"), []page.Choice{{Value: "7", Label: "Kitchen & bath"}}, []string{"room room: options Kitchen 7"}},
		"asks to choose": {room("Kitchen"), []page.Choice{{Value: "0", Label: "Choose a room"}, {Value: "-1", Label: "Select…"}}, nil},
		"number":         {mapping.Config{Fields: []mapping.Field{{Name: "rooms", Input: "room", Type: "number"}}}, []page.Choice{{Value: "2"}, {Value: "2 BHK"}}, []string{"rooms room: field rooms room text"}},
		"pattern":        {mapping.Config{Fields: []mapping.Field{{Name: "rooms", Input: "room", Pattern: "[0-9]+"}}}, []page.Choice{{Value: "two"}}, []string{"rooms room: "}},
		"free text":      {mapping.Config{Fields: []mapping.Field{{Name: "room"}}}, []page.Choice{{Value: "Kitchen & bath"}}, nil},
		"tags":           {mapping.Config{Fields: []mapping.Field{{Name: "room", Type: "tags", Options: []string{"Roof"}}}}, []page.Choice{{Value: "Roof"}, {Value: "Wall, inside"}}, []string{`room room: options Roof "Wall, inside"`}},
		"of an action":   {mapping.Config{Actions: []mapping.Action{{Code: "1042", Fields: []mapping.Field{{Name: "slot", Input: "room", Options: []string{"Morning"}}}}}}, []page.Choice{{Value: "Evening"}}, []string{"slot room: options Morning Evening"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inputs := []page.Input{{Name: "room", IsShown: true, Choices: test.offers}}
			if diff := cmp.Diff(test.want, compared(t, test.config, inputs)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}
