package caddytelecrm_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	caddytelecrm "github.com/leadwire/caddy-telecrm"
)

var update = flag.Bool("update", false, "rewrite the JSON in the adapt fixtures")

const separator = "----------"

const (
	testToken      = "11111111-2222-3333-1700000000000:44444444-5555-6666"
	testAsyncToken = "77777777-8888-9999-1700000000000:00000000-1111-2222"
	testSiteSecret = "0x4AAAAAAA-test-SECRET_0123456789"
)

func TestMain(m *testing.M) {
	storage, err := os.MkdirTemp("", "caddy-telecrm")
	if err != nil {
		panic(err)
	}
	caddy.DefaultStorage.Path = storage // for configs provisioned by tests
	code := m.Run()
	_ = os.RemoveAll(storage)
	os.Exit(code)
}

// Each fixture contains a Caddyfile and, below a line of dashes, the expected JSON, or the expected
// error from adapting it or loading the result.
func TestAdapt(t *testing.T) {
	t.Setenv("TELECRM_TOKEN", testToken)
	t.Setenv("TELECRM_ASYNC_TOKEN", testAsyncToken)
	t.Setenv("TELECRM_SITE_SECRET", testSiteSecret)
	fixtures, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil || len(fixtures) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range fixtures {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, found := strings.Cut(string(content), separator)
			if !found {
				t.Fatal("the fixture does not contain a line of dashes")
			}
			want = strings.TrimSpace(want)
			if formatted := caddyfile.Format([]byte(input)); !bytes.Equal(bytes.TrimSpace(formatted), []byte(strings.TrimSpace(input))) {
				t.Errorf("the Caddyfile is not formatted; want\n%s", formatted)
			}
			adapted, err := adapt(input)
			if strings.HasPrefix(want, "{") {
				checkAdapted(t, file, input, want, adapted, err)
				return
			}
			if err == nil {
				err = load(t, adapted)
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got error %v\nwant one that contains\n%s", err, want)
			}
		})
	}
}

func adapt(input string) ([]byte, error) {
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(input), map[string]any{"filename": "Caddyfile"})
	return adapted, err
}

// checkAdapted compares the JSON, loads it, and checks that it survives a round trip.
func checkAdapted(t *testing.T, file, input, want string, adapted []byte, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, adapted, "", "\t"); err != nil {
		t.Fatal(err)
	}
	if *update {
		content := strings.TrimSpace(input) + "\n" + separator + "\n" + pretty.String() + "\n"
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, pretty.String()); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	if err := load(t, adapted); err != nil {
		t.Errorf("the JSON does not load: %v", err)
	}
	checkSameJSON(t, adapted)
}

// load provisions and validates the config, as `caddy validate` does.
func load(t *testing.T, adapted []byte) error {
	t.Helper()
	var config caddy.Config
	if err := caddy.StrictUnmarshalJSON(adapted, &config); err != nil {
		return err
	}
	return caddy.Validate(&config)
}

// checkSameJSON decodes and encodes every telecrm handler and compares the JSON.
func checkSameJSON(t *testing.T, adapted []byte) {
	t.Helper()
	var config any
	if err := json.Unmarshal(adapted, &config); err != nil {
		t.Fatal(err)
	}
	walk(config, func(object map[string]any) {
		if object["handler"] != "telecrm" {
			return
		}
		delete(object, "handler")
		raw, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		var h caddytelecrm.Handler
		if err := caddy.StrictUnmarshalJSON(raw, &h); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(again, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(object, got); diff != "" {
			t.Errorf("JSON after a round trip (-before +after):\n%s", diff)
		}
	})
}

func walk(value any, visit func(map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		for _, child := range v {
			walk(child, visit)
		}
		visit(v)
	case []any:
		for _, child := range v {
			walk(child, visit)
		}
	}
}

// FuzzCaddyfile checks that the directive's parser accepts or rejects any block, and that accepted
// blocks survive a JSON round trip.
func FuzzCaddyfile(f *testing.F) {
	fixtures, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range fixtures {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		input, _, _ := strings.Cut(string(content), separator)
		if _, block, ok := strings.Cut(input, "\ttelecrm "); ok {
			f.Add("telecrm " + block)
		}
	}
	f.Add("telecrm {\n field \"\" \"\" \"\" {\n options \"\"\n min 1e999\n }\n}")
	f.Fuzz(func(t *testing.T, input string) {
		tokens, err := caddyfile.Tokenize([]byte(input), "Caddyfile")
		if err != nil || len(tokens) == 0 {
			return
		}
		var h caddytelecrm.Handler
		if h.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)) != nil {
			return
		}
		raw, err := json.Marshal(h)
		if err != nil {
			t.Fatalf("encoding the accepted block: %v", err)
		}
		var again caddytelecrm.Handler
		if err := caddy.StrictUnmarshalJSON(raw, &again); err != nil {
			t.Fatalf("decoding the JSON: %v", err)
		}
	})
}
