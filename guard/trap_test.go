package guard_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/guard"
)

func TestTrapNames(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		named []string
		takes string
		want  []string
		err   string
	}{
		"known":          {nil, "", guard.KnownTraps(), ""},
		"known, a field": {nil, "_gotcha", guard.KnownTraps()[1:], ""},
		"named":          {[]string{"_check", "_more"}, "_gotcha", []string{"_check", "_more"}, ""},
		"named, a field": {[]string{"_check", "_more"}, "_more", nil, "input _more is sent to TeleCRM"},
		"off":            {[]string{"off"}, "", nil, ""},
		"off and named":  {[]string{"_check", "off"}, "", nil, "either off or the names"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := guard.TrapNames(test.named, func(input string) bool { return input == test.takes })
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("error %v, want %q", err, test.err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("traps (-want +got):\n%s", diff)
			}
		})
	}
}
