package outbox

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func settings(account, setting, value string) Settings {
	s := make(Settings)
	s.Add(account, setting, value)
	return s
}

// A disagreement names the values and who has them. What a node does not have agrees with all.
func TestDisagreements(t *testing.T) {
	t.Parallel()
	node := func(name string, s Settings) Node { return Node{Name: name, Settings: s} }
	fast, slow := settings("default", "crm_rate", "3600/h 5"), settings("default", "crm_rate", "60/h 5")
	for _, test := range []struct {
		name  string
		nodes []Node
		want  []string
	}{
		{"none", nil, nil},
		{"alone", []Node{node("a", fast)}, nil},
		{"the same", []Node{node("a", fast), node("b", fast)}, nil},
		{"an older program", []Node{node("a", fast), node("b", nil)}, nil},
		{"another account", []Node{node("a", fast), node("b", settings("north", "crm_rate", "60/h 5"))}, nil},
		{"another setting", []Node{node("a", fast), node("b", settings("default", "retry_for", "72h0m0s"))}, nil},
		{"two values", []Node{node("a", fast), node("b", slow)}, []string{"crm_rate of account default: 3600/h 5 on a, 60/h 5 on b"}},
		{"of the store", []Node{node("a", settings("", "retry_for", "1h0m0s")), node("b", settings("", "retry_for", "2h0m0s"))}, []string{"retry_for: 1h0m0s on a, 2h0m0s on b"}},
		{
			"many",
			[]Node{node("a", fast), node("b", fast), node("c", slow), node("d", fast), node("e", fast), node("f", fast)},
			[]string{"crm_rate of account default: 3600/h 5 on a, b, d and 2 more, 60/h 5 on c"},
		},
		{
			"three values",
			[]Node{node("a", fast), node("b", slow), node("c", settings("default", "crm_rate", "1/h 1"))},
			[]string{"crm_rate of account default: 3600/h 5 on a, 60/h 5 on b, 1/h 1 on c"},
		},
		{
			"sorted",
			[]Node{
				node("a", Settings{"north": {"x": "1", "w": "1"}, "": {"y": "1"}}),
				node("b", Settings{"north": {"x": "2", "w": "2"}, "": {"y": "2"}}),
			},
			[]string{"y: 1 on a, 2 on b", "w of account north: 1 on a, 2 on b", "x of account north: 1 on a, 2 on b"},
		},
	} {
		found := Disagreements(test.nodes)
		got := make([]string, 0, len(found))
		for _, d := range found {
			got = append(got, d.String())
		}
		if diff := cmp.Diff(strings.Join(test.want, "\n"), strings.Join(got, "\n")); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

// A setting with several values in one process has them in the same order everywhere.
func TestAddSettings(t *testing.T) {
	t.Parallel()
	a, b := settings("default", "on_duplicate of form x", "park"), settings("default", "on_duplicate of form x", "actions")
	a.Add("default", "on_duplicate of form x", "actions")
	a.Add("default", "on_duplicate of form x", "park")
	b.Add("default", "on_duplicate of form x", "park")
	if !a.Equal(b) || a["default"]["on_duplicate of form x"] != "actions; park" {
		t.Errorf("got %v and %v", a, b)
	}
}
