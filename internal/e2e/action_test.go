package e2e_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
)

// input matches an input of the action where a step uses it.
var input = regexp.MustCompile(`\$\{\{ inputs\.(\w+) \}\}`)

// The steps of the GitHub Action run on a repository whose Caddyfile is for a server, and fail for
// mistakes in it.
func TestActionRuns(t *testing.T) {
	t.Parallel()
	caddyproc.LeaveOutIfShort(t)
	bash := caddyproc.Need(t, "bash")
	caddy, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	var action struct {
		Inputs map[string]struct{ Default string }
		Runs   struct {
			Steps []struct {
				ID, Run string
				Env     map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, ".github/actions/check/action.yml")), &action); err != nil {
		t.Fatal(err)
	}
	const config = `www.example.com {
	root * /srv/site
	telecrm /enquire {
		token {env.ACTION_NO_SUCH_TOKEN}
		enterprise_id {file./run/no/such/id}
		country IN
		field phone INPUT
		thank_you /
	}
	file_server
}
`
	const page = `<form method="post" action="/enquire"><label>Phone <input name="phone" type="tel" autocomplete="tel" required></label></form>`
	for name, status := range map[string]string{"phone": "status=0", "fone": "status=1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repository, runner := t.TempDir(), t.TempDir()
			if err := errors.Join(
				os.WriteFile(filepath.Join(repository, "Caddyfile"), []byte(strings.Replace(config, "INPUT", name, 1)), 0o600),
				os.Mkdir(filepath.Join(repository, "public"), 0o700),
				os.WriteFile(filepath.Join(repository, "public", "index.html"), []byte(page), 0o600),
				os.Symlink(caddy, filepath.Join(runner, "caddy-telecrm")),
			); err != nil {
				t.Fatal(err)
			}
			given := map[string]string{"root": "public"}
			output := filepath.Join(runner, "output")
			for _, step := range action.Runs.Steps {
				if step.ID != "check" {
					continue
				}
				cmd := exec.CommandContext(t.Context(), bash, "--noprofile", "--norc", "-eo", "pipefail", "-c", step.Run)
				cmd.Dir = repository
				cmd.Env = append(os.Environ(), "RUNNER_TEMP="+runner, "GITHUB_OUTPUT="+output, "XDG_DATA_HOME="+runner, "XDG_CONFIG_HOME="+runner)
				for variable, value := range step.Env {
					value = input.ReplaceAllStringFunc(value, func(found string) string {
						name := input.FindStringSubmatch(found)[1]
						if text, has := given[name]; has {
							return text
						}
						return action.Inputs[name].Default
					})
					cmd.Env = append(cmd.Env, variable+"="+value)
				}
				if printed, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, printed)
				}
			}
			if got := read(t, output); got != "found=true\n"+status+"\n" {
				t.Errorf("the outputs are %q", got)
			}
			var log struct{ Runs []any }
			if err := json.Unmarshal([]byte(read(t, filepath.Join(repository, "telecrm-check.sarif"))), &log); err != nil || len(log.Runs) != 1 {
				t.Errorf("SARIF with %d runs, error %v", len(log.Runs), err)
			}
		})
	}
}
