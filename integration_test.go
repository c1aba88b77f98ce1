package caddytelecrm_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
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

// A mistake in one line is found while parsing. The error has the line's number, quotes the wrong
// word, and names the one that was probably meant.
func TestMistakesHaveAPlace(t *testing.T) {
	const account, form = "account", "form"
	for _, test := range []struct{ where, line, want string }{
		{form, "field x y telephon", `"telephon"; did you mean phone?`},
		{form, "field x y emial", `"emial"; did you mean email?`},
		{form, "field x y select", `"select"; did you mean dropdown?`},
		{form, "field x y Date", `"Date"; did you mean date?`},
		{form, "field x y colour", `"colour"; known types are: text, email,`},
		{form, "set x 5 nubmer", `"nubmer"; did you mean number?`},
		{form, "set x five number", "set x: "},
		{form, "set x 2026-13-45 date", "set x: "},
		{form, "field x {\npattern [\n}", `pattern "[": error parsing regexp`},
		{form, "field x {\npattern (?=x)\n}", `pattern "(?=x)": error parsing regexp`},
		{form, "field x y phone {\ncountry India\n}", `"India"; did you mean IN?`},
		{form, "field x y phone {\ncountry IND\n}", `"IND"; did you mean IN?`},
		{form, "field x y phone {\ncountry UK\n}", `"UK"; did you mean GB?`},
		{form, "field x {\nmin two\n}", `"two"`},
		{form, "field x {\nrequird\n}", `"requird"; did you mean required?`},
		{form, "field x y dropdown {\noptions Rooftop solar, Battery\n}", `"solar," ends with a comma`},
		{form, "field x y dropdown", "must list its options"},
		{form, "field x y number {\nmin 5\nmax 3\n}", "min 5 is greater than max 3"},
		{form, "field x y number {\ndefault many\n}", `default "many"`},
		{form, "field x y rating {\noptions 1 9\n}", `option "9"`},
		{form, "action ACTION_1042", `"ACTION_1042"`},
		{form, "action call", `"call"`},
		{form, "action 1042 {\nfield x y telefone\n}", `"telefone"; did you mean phone?`},
		{form, "action PAYMENT {\nfield colour\n}", `"colour"`},
		{form, "action PAYMENT {\nset currency rupees\n}", "INR"},
		{form, "errors pager", `"pager"; did you mean page?`},
		{form, "errors redirect", "takes one path"},
		{form, "errors redirect thanks", `"thanks"`},
		{form, "deliver soon", `"soon"; known words are: now, later`},
		{form, "deliver latter", `"latter"; did you mean later?`},
		{form, "deliver now fast", `"fast"`},
		{form, "on_duplicate updat name", `"updat"; did you mean update?`},
		{form, "on_duplicate update emial", "emial"},
		{form, "rate_limit ten 1m", `"ten"`},
		{form, "rate_limit 10 minute", `"minute"`},
		{form, "dedupe often", `"often"`},
		{form, "max_body big", `"big"`},
		{form, "origins www.example.com", `"www.example.com"`},
		{form, "form_page contact.html", `"contact.html"`},
		{form, "challenge turnstyle", `"turnstyle"; did you mean turnstile?`},
		{form, "challenge altcha {\nfail opened\n}", `"opened"; did you mean open?`},
		{form, "challenge altcha {\ncomplexity lots\n}", `"lots"`},
		{form, "time_zone Asia/Kolkatta", `"Asia/Kolkatta"`},
		{form, "country Indai", `"Indai"; did you mean IN?`},
		{form, "feild email", `"feild"; did you mean field?`},
		{form, "account dafault", `"dafault"; did you mean default?`},
		{form, "unmapped {$TELECRM_UNSET}", "is the variable set?"},
		{account, "country Germany", `"Germany"; did you mean DE?`},
		{account, "time_zone India", `"India"`},
		{account, "crm_rate 3600/hour", `"3600/hour"`},
		{account, "crm_rate fast", `"fast"`},
		{account, "base_url http://crm.example.com", "it must be https"},
		{account, "timeout soon", `"soon"`},
		{account, "async_token {$TELECRM_UNSET}", "is the variable set?"},
		{account, "idntifier email", `"idntifier"; did you mean identifier?`},
	} {
		lines := map[string]string{test.where: test.line}
		country := "country IN"
		if test.where == account && strings.HasPrefix(test.line, "country") {
			country = ""
		}
		input := fmt.Sprintf("{\ntelecrm {\naccount {\n%s\ntoken {env.TELECRM_TOKEN}\nenterprise_id 66aa00bb11cc22dd33ee44ff\n%s\n}\n}\n}\n"+
			":9080 {\ntelecrm /enquire {\n%s\nfield phone\nthank_you /thanks\n}\n}\n",
			lines[account], country, lines[form])
		_, err := adapt(input)
		if err == nil {
			t.Errorf("%s: accepted", test.line)
			continue
		}
		first := 1 + strings.Count(input[:strings.Index(input, test.line)], "\n")
		last := first + strings.Count(test.line, "\n")
		isPlaced := false
		for line := first; line <= last; line++ {
			isPlaced = isPlaced || strings.HasSuffix(err.Error(), fmt.Sprintf(", at Caddyfile:%d", line))
		}
		if !isPlaced || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v\nwant one about lines %d to %d that contains %s", test.line, err, first, last, test.want)
		}
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
