package outbox

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Settings are the settings of a process that all processes with the same store should share: values
// by account and by the name of the setting. The account is empty for settings of the whole store.
// They contain neither secrets nor personal data.
type Settings map[string]map[string]string

// Add adds a value. If the setting has another value already, it has both.
func (s Settings) Add(account, setting, value string) {
	if s[account] == nil {
		s[account] = make(map[string]string)
	}
	const separator = "; "
	var values []string
	if known := s[account][setting]; known != "" {
		values = strings.Split(known, separator)
	}
	values = append(values, value)
	slices.Sort(values)
	s[account][setting] = strings.Join(slices.Compact(values), separator)
}

// SettingsPublisher is a shared store that tells the other processes the settings of this one.
type SettingsPublisher interface {
	// PublishSettings replaces the settings of this process. It does not wait for the store.
	PublishSettings(settings Settings)
}

// SpoolPublisher is a shared store that tells the other processes what this one keeps in spools.
type SpoolPublisher interface {
	// PublishSpooled replaces the number of entries in the spools of this process. It does not wait for
	// the store.
	PublishSpooled(entries int)
}

// Disagreement is a setting that differs between the nodes of a fleet.
type Disagreement struct {
	// Account is empty for a setting of the whole store.
	Account string `json:"account,omitempty"`
	Setting string `json:"setting"`
	// Values has at least two values.
	Values []Variant `json:"values"`
}

// Variant is a value of a setting, and the names of the nodes that have it.
type Variant struct {
	Value string   `json:"value"`
	Nodes []string `json:"nodes"`
}

// maxNamed is how many nodes of a variant are named.
const maxNamed = 3

// String says which nodes have the value.
func (v Variant) String() string {
	names := v.Nodes
	if more := len(names) - maxNamed; more > 0 {
		names = append(slices.Clone(names[:maxNamed]), fmt.Sprintf("%d more", more))
	}
	last := len(names) - 1
	if last < 1 {
		return v.Value + " on " + strings.Join(names, "")
	}
	return fmt.Sprintf("%s on %s and %s", v.Value, strings.Join(names[:last], ", "), names[last])
}

// String describes the disagreement in one line.
func (d Disagreement) String() string {
	setting := d.Setting
	if d.Account != "" {
		setting += " of account " + d.Account
	}
	values := make([]string, 0, len(d.Values))
	for _, v := range d.Values {
		values = append(values, v.String())
	}
	return setting + ": " + strings.Join(values, ", ")
}

// Disagreements returns the settings that differ between nodes, sorted by account and setting. A
// setting or an account that a node does not have agrees with all values.
func Disagreements(nodes []Node) []Disagreement {
	type place struct{ account, setting string }
	found := make(map[place][]Variant)
	for _, n := range nodes {
		for account, settings := range n.Settings {
			for setting, value := range settings {
				at := place{account, setting}
				found[at] = addVariant(found[at], value, n.Name)
			}
		}
	}
	list := make([]Disagreement, 0, len(found))
	for at, variants := range found {
		if len(variants) > 1 {
			list = append(list, Disagreement{at.account, at.setting, variants})
		}
	}
	slices.SortFunc(list, func(a, b Disagreement) int {
		return slices.Compare([]string{a.Account, a.Setting}, []string{b.Account, b.Setting})
	})
	return list
}

// addVariant adds a node to the variant with its value.
func addVariant(variants []Variant, value, node string) []Variant {
	i := slices.IndexFunc(variants, func(v Variant) bool { return v.Value == value })
	if i < 0 {
		return append(variants, Variant{value, []string{node}})
	}
	variants[i].Nodes = append(variants[i].Nodes, node)
	return variants
}

// Equal reports whether two processes have the same settings.
func (s Settings) Equal(other Settings) bool { return maps.EqualFunc(s, other, maps.Equal) }
