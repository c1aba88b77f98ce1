package delivery

import (
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// A timeline is evidence for or against an action.
func TestFindActions(t *testing.T) {
	since := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	sent := []telecrm.Action{{Type: "1042", Fields: map[string]any{"note": "Call me", "slot": "Morning"}}}
	shown := func(age time.Duration, actionType, note string) telecrm.ShownAction {
		action := telecrm.ShownAction{Type: actionType, Fields: map[string]any{"note": note, "slot": "Morning"}}
		if age != unknownAge {
			action.CreatedOn = since.Add(-age)
		}
		return action
	}
	for name, test := range map[string]struct {
		shown telecrm.Shown
		want  evidence
	}{
		"an empty timeline":                 {telecrm.Shown{}, absent},
		"ours":                              {timeline(shown(-time.Second, "1042", "Call me")), present},
		"ours, clock behind":                {timeline(shown(time.Second, "1042", "Call me")), present},
		"the same of last week":             {timeline(shown(7*24*time.Hour, "1042", "Call me")), absent},
		"the same, undated":                 {timeline(shown(unknownAge, "1042", "Call me")), inconclusive},
		"another of last week":              {timeline(shown(7*24*time.Hour, "1042", "Hello")), absent},
		"another since":                     {timeline(shown(-time.Second, "1042", "Hello")), absent},
		"one without the note since":        {timeline(without(shown(-time.Second, "1042", ""), "note")), inconclusive},
		"one without the note of last week": {timeline(without(shown(7*24*time.Hour, "1042", ""), "note")), absent},
		"another, undated":                  {timeline(shown(unknownAge, "1042", "Hello")), absent},
		"of another type since":             {timeline(shown(-time.Second, "1043", "Call me")), absent},
		"another since, and ours":           {timeline(shown(-time.Second, "1042", "Hello"), shown(-time.Second, "1042", "Call me")), present},
		"more than is shown":                {telecrm.Shown{MoreActions: true}, inconclusive},
		"ours, server an hour ahead":        {serverAhead(timeline(shown(-time.Hour-time.Second, "1042", "Call me"))), present},
		"older, server an hour ahead":       {serverAhead(timeline(shown(-time.Minute, "1042", "Call me"))), absent},
	} {
		t.Run(name, func(t *testing.T) {
			if got := findActions(sent, test.shown, since, since.Add(time.Minute)); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

const unknownAge = time.Duration(-1 << 62)

func timeline(actions ...telecrm.ShownAction) telecrm.Shown { return telecrm.Shown{Actions: actions} }

func without(action telecrm.ShownAction, field string) telecrm.ShownAction {
	delete(action.Fields, field)
	return action
}

// serverAhead sets the server's clock an hour ahead.
func serverAhead(shown telecrm.Shown) telecrm.Shown {
	shown.ServerTime = time.Date(2026, time.March, 1, 13, 1, 0, 0, time.UTC)
	return shown
}

// Every action needs a timeline entry of its own. A single one may be of another enquiry.
func TestFindAllActions(t *testing.T) {
	since := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	page := map[string]any{"page": "/solar"}
	full := map[string]any{"page": "/solar", "note": "Call me"}
	shown := func(fields map[string]any) telecrm.ShownAction {
		return telecrm.ShownAction{Type: "1042", Fields: fields, CreatedOn: since}
	}
	sent := []telecrm.Action{{Type: "1042", Fields: page}, {Type: "1042", Fields: full}}
	for name, test := range map[string]struct {
		shown telecrm.Shown
		want  evidence
	}{
		"both":                             {timeline(shown(page), shown(full)), present},
		"both, reversed":                   {timeline(shown(full), shown(page)), present},
		"the one with fewer values":        {timeline(shown(page)), inconclusive},
		"the one with more values":         {timeline(shown(full)), inconclusive},
		"the one with fewer values, twice": {timeline(shown(page), shown(page)), inconclusive},
		"neither":                          {timeline(), absent},
		"another's":                        {timeline(shown(map[string]any{"page": "/wind", "note": "Hello"})), absent},
		"other, and more":                  {telecrm.Shown{MoreActions: true}, inconclusive},
	} {
		t.Run(name, func(t *testing.T) {
			if got := findActions(sent, test.shown, since, since.Add(time.Minute)); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}
