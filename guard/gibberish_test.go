package guard_test

import (
	_ "embed"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/guard"
)

// names are as people of many countries write theirs, hurry and company names
// included.
//
//go:embed testdata/names.txt
var names string

// No name is doubted for its letters, and next to none is noticed.
func TestNamesArePeoples(t *testing.T) {
	list := strings.Split(strings.TrimSpace(names), "\n")
	noticed := 0
	for _, name := range list {
		opinion := guard.Texts([]string{"Please call me."}, []string{name}, "")
		if opinion.Score() > 0 {
			noticed++
			t.Logf("%s: %s", name, opinion.Reasons())
		}
		if opinion.Verdict() != guard.Welcome {
			t.Errorf("%s has a score of %d: %s", name, opinion.Score(), opinion.Reasons())
		}
	}
	if 100*noticed > 3*len(list) {
		t.Errorf("%d of %d are noticed", noticed, len(list))
	}
}

func TestLettersAtRandom(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       int
	}{
		{"XkRtqZpWm", "Hello", 4},
		{"qPwOeIrUtY", "LaKsJdHfGm", 6},
		{"Meera Iyer", "LaKsJdHfGm", 0}, // a key that the page sends along
		{"XkRtqZpWm", "EAIaIQobChMIxYz_123", 4},
		{"qwrtpsdfgh", "", 2},
		{"Qwrtpsdfgh Zxcvbnmk", "", 2},
		{"QWRTPSDFGH", "", 0},
	} {
		opinion := guard.Texts([]string{test.text}, []string{test.name}, "")
		if opinion.Score() != test.want {
			t.Errorf("%s and %s have a score of %d, want %d: %s", test.name, test.text, opinion.Score(), test.want, opinion.Reasons())
		}
	}
}
