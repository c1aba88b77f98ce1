package fieldtype

import (
	"testing"

	"pgregory.net/rapid"
)

// A value that is a list's first option is not passed over because of how it begins.
func TestChoicesMayBeChoices(t *testing.T) {
	words := []string{
		"Select", "please select", "CHOOSE one", "pick", "None", "null", "n/a", "NA", "Open this select menu",
		"nothing selected", "no selection", "not selected", "-", "…", "Select an option", "pic\u212A", "\u017Felect",
	}
	rapid.Check(t, func(t *rapid.T) {
		before := rapid.SliceOf(rapid.SampledFrom([]rune(decoration+"\t\u200b\u00a0\u00ad"))).Draw(t, "before")
		value := string(before) + rapid.SampledFrom(words).Draw(t, "words")
		rules := Rules{Type: Phone, Blank: []string{"any list of its own"}} // which are compared with every value
		if rules.isLeftEmpty(value) && !mayBeChoice(value) {
			t.Fatalf("%q is passed over", value)
		}
	})
}
