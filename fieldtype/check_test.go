package fieldtype_test

import (
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/fieldtype"
)

func TestCheckAccepts(t *testing.T) {
	t.Parallel()
	letters := regexp.MustCompile(`[A-Z]+`)
	for name, rules := range map[string]fieldtype.Rules{
		"text":                 {Type: fieldtype.Text, Pattern: letters, Min: new(float64(2)), Max: new(float64(2)), Default: "AB"},
		"phone in lower case":  {Type: fieldtype.Phone, Country: "in", Default: "081234 56789"},
		"phone options":        {Type: fieldtype.Phone, Country: "US", Options: []string{"201-555-0123"}},
		"negative bounds":      {Type: fieldtype.Number, Min: new(-2.5), Max: new(float64(-1)), Default: "-2"},
		"money":                {Type: fieldtype.Money, Min: new(0.5), Default: "1"},
		"tags":                 {Type: fieldtype.Tags, Min: new(float64(1)), Max: new(float64(2)), Default: "VIP, North"},
		"tag options":          {Type: fieldtype.Tags, Min: new(float64(2)), Options: []string{"VIP, gold", "North"}},
		"option is default":    {Type: fieldtype.Dropdown, Options: []string{"Website", "Walk in"}, Default: "walk  IN"},
		"number options":       {Type: fieldtype.Number, Options: []string{"10", "20"}, Default: "20.0"},
		"required with option": {Type: fieldtype.Status, Required: true, Options: []string{"Fresh"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := rules.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		rules fieldtype.Rules
		want  string
	}{
		{"no type", fieldtype.Rules{}, "unknown field type"},
		{"unknown type", fieldtype.Rules{Type: "integer"}, "lost_reason"},
		{"phone without country", fieldtype.Rules{Type: fieldtype.Phone}, "country"},
		{"phone with unknown country", fieldtype.Rules{Type: fieldtype.Phone, Country: "UK"}, "unknown country"},
		{"three letters", fieldtype.Rules{Type: fieldtype.Number, Country: "IND"}, "unknown country"},
		{"pattern on number", fieldtype.Rules{Type: fieldtype.Number, Pattern: regexp.MustCompile(`1`)}, "pattern"},
		{"pattern on phone", fieldtype.Rules{Type: fieldtype.Phone, Country: "IN", Pattern: regexp.MustCompile(`1`)}, "pattern"},
		{"min on date", fieldtype.Rules{Type: fieldtype.Date, Min: new(float64(1))}, "cannot have min"},
		{"max on rating", fieldtype.Rules{Type: fieldtype.Rating, Max: new(float64(4))}, "cannot have min or max"},
		{"max on phone", fieldtype.Rules{Type: fieldtype.Phone, Country: "IN", Max: new(float64(4))}, "cannot have min or max"},
		{"min above max", fieldtype.Rules{Type: fieldtype.Number, Min: new(float64(2)), Max: new(float64(1))}, "greater than max"},
		{"not a number", fieldtype.Rules{Type: fieldtype.Number, Min: new(math.NaN())}, "finite"},
		{"infinite", fieldtype.Rules{Type: fieldtype.Number, Max: new(math.Inf(1))}, "finite"},
		{"negative length", fieldtype.Rules{Type: fieldtype.Text, Min: new(float64(-1))}, "negative"},
		{"negative money", fieldtype.Rules{Type: fieldtype.Money, Max: new(float64(-1))}, "negative"},
		{"fractional length", fieldtype.Rules{Type: fieldtype.Email, Max: new(1.5)}, "whole"},
		{"fractional tags", fieldtype.Rules{Type: fieldtype.Tags, Max: new(1.5)}, "whole"},
		{"max zero", fieldtype.Rules{Type: fieldtype.Text, Max: new(float64(0))}, "max 0"},
		{"more tags than options", fieldtype.Rules{Type: fieldtype.Tags, Min: new(float64(2)), Options: []string{"a"}}, "more tags"},
		{"blank option", fieldtype.Rules{Type: fieldtype.Dropdown, Options: []string{"a", "\u200b "}}, "blank"},
		{"duplicate option", fieldtype.Rules{Type: fieldtype.Dropdown, Options: []string{"Walk in", " walk  IN"}}, "twice"},
		{"option of another type", fieldtype.Rules{Type: fieldtype.Number, Options: []string{"ten"}}, "never be sent"},
		{"option too long", fieldtype.Rules{Type: fieldtype.Text, Max: new(float64(2)), Options: []string{"abc"}}, "never be sent"},
		{"option is not an address", fieldtype.Rules{Type: fieldtype.Assignee, Options: []string{"Asha"}}, "never be sent"},
		{"default is not an option", fieldtype.Rules{Type: fieldtype.Status, Options: []string{"Fresh"}, Default: "New"}, "default"},
		{"default of another type", fieldtype.Rules{Type: fieldtype.Date, Default: "01/06/2026"}, "default"},
		{"blank default", fieldtype.Rules{Type: fieldtype.Text, Required: true, Default: " "}, "default is blank"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.rules.Check()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error about %q", err, tt.want)
			}
		})
	}
}

func TestCheckReportsEverything(t *testing.T) {
	t.Parallel()
	err := fieldtype.Rules{
		Type: fieldtype.Phone, Pattern: regexp.MustCompile(`x`), Min: new(float64(1)), Options: []string{""},
	}.Check()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"country", "pattern", "min", "option"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}
