package sandbox_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

func TestDefaultSchemaHasEveryType(t *testing.T) {
	t.Parallel()
	schema := sandbox.DefaultSchema()
	seen := map[sandbox.FieldType]bool{}
	for _, field := range schema.Fields {
		seen[field.Type] = true
	}
	for _, kind := range []sandbox.FieldType{
		sandbox.TypeText, sandbox.TypeEmail, sandbox.TypePhone, sandbox.TypeNumber, sandbox.TypeDate, sandbox.TypeDropdown,
		sandbox.TypeTags, sandbox.TypeMoney, sandbox.TypeWebsite, sandbox.TypeMediaLink, sandbox.TypeActiveUsers,
		sandbox.TypeRating, sandbox.TypeStatus, sandbox.TypeLostReason,
	} {
		if !seen[kind] {
			t.Errorf("no field has the type %s", kind)
		}
	}
	schema.Fields[0].APIName = "changed"
	if sandbox.DefaultSchema().Fields[0].APIName == "changed" {
		t.Error("the default schema is shared between callers")
	}
}

func TestParseSchemaReadsWhatItWrites(t *testing.T) {
	t.Parallel()
	want := sandbox.DefaultSchema()
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := sandbox.ParseSchema(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("schema (-written +read):\n%s", diff)
	}
}

func TestParseSchemaSmallest(t *testing.T) {
	t.Parallel()
	schema, err := sandbox.ParseSchema([]byte(`{"identifier":"email","fields":[{"api_name":"email","type":"EMAIL"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if schema.NationalDigits != 10 {
		t.Errorf("national digits %d, want the default 10", schema.NationalDigits)
	}
}

func TestParseSchemaErrors(t *testing.T) {
	t.Parallel()
	// with adds keys to a valid schema.
	with := func(keys string) string {
		return `{"identifier":"name","fields":[{"api_name":"name","type":"TEXT"}],` + keys + `}`
	}
	fields := func(list string) string {
		return `{"identifier":"name","fields":[{"api_name":"name","type":"TEXT"},` + list + `]}`
	}
	for _, tt := range []struct{ name, data, want string }{
		{"empty", ``, "parse schema"},
		{"syntax", "{\n\"identifier\": \"name\",\n}", "line 3"},
		{"kind", "{\n\"identifier\": 5}", "line 2"},
		{"trailing", with(`"members":[]`) + "{}", "after the JSON object"},
		{"unknown key", with(`"feilds":[]`), `"feilds"`},
		{"unknown field key", fields(`{"api_name":"a","type":"TEXT","length_":5}`), `"length_"`},
		{"no identifier", `{"fields":[{"api_name":"name","type":"TEXT"}]}`, `"identifier" is missing`},
		{"identifier not a field", `{"identifier":"x","fields":[{"api_name":"name","type":"TEXT"}]}`, `"x" is not one of the fields`},
		{"identifier type", `{"identifier":"r","fields":[{"api_name":"r","type":"RATING"}]}`, "only PHONE, EMAIL and TEXT"},
		{"no calling code", fields(`{"api_name":"p","type":"PHONE"}`), "default_calling_code"},
		{"calling code", with(`"default_calling_code":"+91"`), "default_calling_code"},
		{"national digits", with(`"national_digits":3`), "national_digits"},
		{"unknown type", fields(`{"api_name":"a","type":"text"}`), `fields[1] "a": unknown type "text"; known types are ACTIVEUSERS`},
		{"no api name", fields(`{"type":"TEXT"}`), "fields[1]: name missing"},
		{"field twice", fields(`{"api_name":"name","type":"TEXT"}`), `fields[1]: "name" occurs twice`},
		{"options of text", fields(`{"api_name":"a","type":"TEXT","options":["x"]}`), "only DROPDOWN and TAGS"},
		{"option twice", fields(`{"api_name":"a","type":"TAGS","options":["x","x"]}`), `fields[1].options[1]: "x" occurs twice`},
		{"stage", with(`"statuses":[{"label":"Fresh","stage":"NEW"}]`), `got "NEW"`},
		{"status twice", with(`"statuses":[{"label":"A","stage":"OPEN"},{"label":"A","stage":"WON"}]`), `statuses[1]: "A"`},
		{"empty reason", with(`"lost_reasons":[""]`), "lost_reasons[0]: name missing"},
		{"member", with(`"members":["agent7"]`), "members[0] is not an email address"},
		{"prefixed code", with(`"actions":[{"code":"ACTION_1042","name":"Call"}]`), `code must be a number without a prefix, such as 1042, got "ACTION_1042"`},
		{"code twice", with(`"actions":[{"code":"1","name":"A"},{"code":"1","name":"B"}]`), `actions[1]: "1" occurs twice`},
		{"action field", with(`"actions":[{"code":"1","name":"A","fields":[{"api_name":"n","type":"X"}]}]`), "actions[0].fields[0]"},
		{
			"locked action field", with(`"actions":[{"code":"1","name":"A","fields":[{"api_name":"n","type":"TEXT","lock_after_create":true}]}]`),
			"only fields of a lead can be locked",
		},
		{"all at once", with(`"members":["x"],"lost_reasons":["",""]`), "members[0]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := sandbox.ParseSchema([]byte(tt.data))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v does not say %q", err, tt.want)
			}
		})
	}
}

func TestLoadSchema(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "schema.json")
	if _, err := sandbox.LoadSchema(path); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte(`{}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sandbox.LoadSchema(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("broken file: %v, want its name", err)
	}
	if err := os.WriteFile(path, []byte(`{"identifier":"name","fields":[{"api_name":"name","type":"TEXT"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sandbox.LoadSchema(path); err != nil {
		t.Error(err)
	}
}
