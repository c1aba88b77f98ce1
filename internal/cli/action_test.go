package cli

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// The GitHub Action uses inputs that it declares, and flags that the command has.
func TestActionFitsTheCommand(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../../.github/actions/check/action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var action struct {
		Inputs map[string]struct{ Description, Default string }
		Runs   struct {
			Using string
			Steps []struct{ Uses, Run, Shell string }
		}
	}
	if err := yaml.Unmarshal(content, &action); err != nil {
		t.Fatal(err)
	}
	used := make(map[string]bool)
	for _, match := range regexp.MustCompile(`inputs\.(\w+)`).FindAllStringSubmatch(string(content), -1) {
		used[match[1]] = true
	}
	for name, input := range action.Inputs {
		if !used[name] || input.Description == "" {
			t.Errorf("the input %s is not used, or not described", name)
		}
		delete(used, name)
	}
	if len(used) > 0 || action.Runs.Using != "composite" {
		t.Errorf("it uses %v without declaring them", used)
	}
	root := &cobra.Command{Use: "telecrm"}
	Build(root, nil, nil, nil, nil)
	command, _, err := root.Find([]string{"check"})
	if err != nil {
		t.Fatal(err)
	}
	flags := 0
	for _, step := range action.Runs.Steps {
		if (step.Run == "") != (step.Shell == "") || step.Uses == "" && step.Run == "" {
			t.Errorf("step %+v", step)
		}
		if !strings.Contains(step.Run, "telecrm check") {
			continue
		}
		for _, flag := range regexp.MustCompile(`--([a-z]+)`).FindAllStringSubmatch(step.Run, -1) {
			flags++
			if command.Flags().Lookup(flag[1]) == nil && root.PersistentFlags().Lookup(flag[1]) == nil {
				t.Errorf("the command does not have the flag --%s", flag[1])
			}
		}
	}
	if flags < 4 {
		t.Errorf("got %d flags", flags)
	}
}
