package placeholder_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/internal/placeholder"
)

func TestExpand(t *testing.T) {
	folder := t.TempDir()
	for name, content := range map[string]string{"token": " abc \n", "empty": "", "blank": " \n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TELECRM_SET", "xyz")
	t.Setenv("TELECRM_EMPTY", "")
	for text, want := range map[string]string{
		"":                            "",
		"plain":                       "plain",
		"{env.TELECRM_SET}":           "xyz",
		" {env.TELECRM_SET} ":         "xyz",
		"{file." + folder + "/token}": "abc",
		"a{env.TELECRM_SET}b":         "axyzb",
		"{env.TELECRM_UNSET}":         "error: token: the environment variable TELECRM_UNSET is not set, or empty",
		"{env.TELECRM_EMPTY}":         "error: token: the environment variable TELECRM_EMPTY is not set, or empty",
		"{file." + folder + "/none}":  "error: token: reading the file of the placeholder: open " + folder + "/none: no such file or directory; create it, or correct the path",
		"{file." + folder + "}":       "error: token: reading the file of the placeholder: read " + folder + ": is a directory; name a file in it",
		"{file.no-such-token}":        "error: token: reading the file of the placeholder: open no-such-token: no such file or directory in " + here + ", where Caddy was started; write the absolute path",
		"{file." + folder + "/empty}": "error: token: the file " + folder + "/empty is empty",
		"{file." + folder + "/blank}": "error: token: the file " + folder + "/blank is empty",
		"{nothing}":                   "error: token: unrecognized placeholder {nothing}; write {env.NAME} for an environment variable, or {file./path} for a file",
		"{TELECRM_SET}":               "error: token: unrecognized placeholder {TELECRM_SET}; write {env.TELECRM_SET} for the environment variable",
		"${TELECRM_SET}":              "error: token: unrecognized placeholder {TELECRM_SET}; write {env.TELECRM_SET} for the environment variable, without the $",
		"{env:TELECRM_SET}":           "error: token: unrecognized placeholder {env:TELECRM_SET}; write {env.TELECRM_SET} for the environment variable",
		"{{env.TELECRM_SET}}":         "error: token: unrecognized placeholder {{env.TELECRM_SET}; write {env.TELECRM_SET} for the environment variable",
		"{file:/etc/token}":           "error: token: unrecognized placeholder {file:/etc/token}; write {file./etc/token} for the file",
		"{/etc/token}":                "error: token: unrecognized placeholder {/etc/token}; write {file./etc/token} for the file",
		"{env.TELECRM_SET":            "error: token: the placeholder {env.TELECRM_SET does not end with }",
		"{file./etc/token":            "error: token: the placeholder {file./etc/token does not end with }",

		// It may be the secret itself.
		"{ent:s3cret}":                           "error: token: what is in the braces is not a placeholder",
		"{0x4AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA}": "error: token: what is in the braces is not a placeholder",
		"{env.ent:s3cret}":                       "error: token: what follows {env. is not the name of an environment variable",
		"{env.0x4AAAAAAA}":                       "error: token: what follows {env. is not the name of an environment variable",
		"{file./run/credentials/the-token-of-our-sales-department-in-india}": "error: token: reading the file of the placeholder: open /run/credentials/the-token-of-our-sales-department-in-india: no such file or directory",
		"{file.ent:s3cret}": "error: token: what follows {file. is not a file that can be read",
	} {
		value := text
		err := placeholder.Expand(caddy.NewReplacer(), placeholder.Setting{Name: "token", Value: &value})
		if wantErr, isErr := strings.CutPrefix(want, "error: "); isErr {
			if err == nil || !strings.HasPrefix(err.Error(), wantErr) {
				t.Errorf("%q: got error %v, want %s", text, err, wantErr)
			}
		} else if err != nil || value != want {
			t.Errorf("%q: got %q and error %v, want %q", text, value, err, want)
		}
	}
}
