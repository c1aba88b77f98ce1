package fieldtype_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/leadwire/caddy-telecrm/fieldtype"
)

// emptyChoices lists first options of lists, as form builders, CRMs and frameworks write them.
func emptyChoices() []string {
	return []string{
		"-None-", "--None--", "- None -", "<None>", "(none)", "_none", "–None–", "-none-", " -NONE- ", "-\u200bNone-",
		"Select…", "Select...", "Select", "- Select -", "-- Select --", "--Select--", "Select one", "Select an option", "Select Option",
		"Please select", "Please Select", "Please select…", "Please select an option", "-- Please Select --", "Please select:",
		"Choose...", "Choose an option", "Choose one", "Please choose", "—Please choose an option—", "Pick one", "Choose your plan", "--- Select Choice ---",
		"--", "---", "- -", "—", "...", "…", "___", "***",
	}
}

func TestEmptyChoices(t *testing.T) {
	t.Parallel()
	options := []string{"Pune", "Delhi"}
	for _, choice := range emptyChoices() {
		for _, typ := range fieldtype.Types() {
			listed := fieldtype.Rules{Type: typ, Country: "IN"}
			if typ == fieldtype.Text || typ == fieldtype.Dropdown || typ == fieldtype.Tags || typ == fieldtype.Status || typ == fieldtype.LostReason {
				listed.Options = options
			}
			bare := fieldtype.Rules{Type: typ, Country: "IN"}
			for _, rules := range []fieldtype.Rules{listed, bare} {
				isOneCharacter := utf8.RuneCountInString(choice) == 1
				if len(rules.Options) == 0 && (typ == fieldtype.Text || isOneCharacter) {
					continue
				}
				checkConversions(t, rules, []conversion{{choice, nil}})
				rules.Required = true
				checkConversions(t, rules, []conversion{{choice, fieldtype.RequiredEmpty}})
			}
		}
	}
	for _, typ := range []fieldtype.Type{fieldtype.Dropdown, fieldtype.Text, fieldtype.Status} {
		checkConversions(t, fieldtype.Rules{Type: typ, Options: options}, []conversion{
			{"-", nil},
			{"Select city", nil},
			{"Select a City…", nil},
			{"Open this select menu", nil},
			{"Nothing selected", nil},
			{"pune", "Pune"},
			{"None", fieldtype.NotAnOption},
			{"Mumbai", fieldtype.NotAnOption},
			{"Selected works", fieldtype.NotAnOption},
			{"-1", fieldtype.NotAnOption},
		})
		// An option is an option, whatever it looks like.
		checkConversions(t, fieldtype.Rules{Type: typ, Options: []string{"-None-", "Select Plus", "--", "Pune"}, Required: true}, []conversion{
			{"-none-", "-None-"},
			{"select plus", "Select Plus"},
			{"--", "--"},
			{"--None--", fieldtype.RequiredEmpty},
		})
	}
	// What a person types as text stays.
	for _, choice := range emptyChoices() {
		typed := strings.TrimSpace(choice)
		checkConversions(t, fieldtype.Rules{Type: fieldtype.Text}, []conversion{{choice, typed}})
	}
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Text}, []conversion{{"None", "None"}, {"Select the blue one, please", "Select the blue one, please"}})
	// Labels without a list of options may be any words.
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Status}, []conversion{{"None", "None"}, {"Select Plus", "Select Plus"}, {"Pick-up", "Pick-up"}, {"Chosen", "Chosen"}})
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Dropdown, Options: options, Default: "Delhi"}, []conversion{{"-None-", "Delhi"}})
	tags := fieldtype.Rules{Type: fieldtype.Tags, Options: options}
	if got, ok := outcome(t, tags, "-None-", "Pune").([]string); !ok || len(got) != 1 || got[0] != "Pune" {
		t.Errorf("a tag beside an empty choice: got %v", got)
	}
}

func TestBlank(t *testing.T) {
	t.Parallel()
	blank := []string{"Bitte wählen", "None", "+91", "0"}
	for _, typ := range fieldtype.Types() {
		rules := fieldtype.Rules{Type: typ, Country: "IN", Blank: blank, Required: true}
		if typ == fieldtype.Dropdown {
			rules.Options = []string{"Pune"}
		}
		if err := rules.Check(); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
		checkConversions(t, rules, []conversion{
			{"bitte  WÄHLEN ", fieldtype.RequiredEmpty}, {"None", fieldtype.RequiredEmpty}, {"+91", fieldtype.RequiredEmpty}, {"0", fieldtype.RequiredEmpty},
		})
	}
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Number, Blank: blank}, []conversion{{"0.0", outcome(t, numberIn(""), "0")}})
	for _, bad := range []fieldtype.Rules{
		{Type: fieldtype.Text, Blank: []string{""}},
		{Type: fieldtype.Text, Blank: []string{" \u200b"}},
		{Type: fieldtype.Dropdown, Options: []string{"None", "Pune"}, Blank: []string{"none"}},
		{Type: fieldtype.Dropdown, Options: []string{"Pune"}, Default: "-None-"},
		{Type: fieldtype.Text, Blank: []string{"Web"}, Default: "Web"},
	} {
		if err := bad.Check(); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
	for _, good := range []fieldtype.Rules{
		{Type: fieldtype.Dropdown, Options: []string{"-None-", "Pune"}, Required: true, Default: "-None-"},
		{Type: fieldtype.Tags, Options: []string{"--", "Select one"}, Required: true},
	} {
		if err := good.Check(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
}
