package delivery

import (
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// What a timeline says about actions that may have been appended.
func TestCarriedOut(t *testing.T) {
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
		want  certainty
	}{
		"an empty timeline":                 {telecrm.Shown{}, no},
		"ours":                              {timeline(shown(-time.Second, "1042", "Call me")), yes},
		"ours, by a clock that goes late":   {timeline(shown(time.Second, "1042", "Call me")), yes},
		"the same of last week":             {timeline(shown(7*24*time.Hour, "1042", "Call me")), no},
		"the same, undated":                 {timeline(shown(unknownAge, "1042", "Call me")), unknown},
		"another of last week":              {timeline(shown(7*24*time.Hour, "1042", "Hello")), no},
		"another since":                     {timeline(shown(-time.Second, "1042", "Hello")), no},
		"one without the note since":        {timeline(without(shown(-time.Second, "1042", ""), "note")), unknown},
		"one without the note of last week": {timeline(without(shown(7*24*time.Hour, "1042", ""), "note")), no},
		"another, undated":                  {timeline(shown(unknownAge, "1042", "Hello")), no},
		"of another type since":             {timeline(shown(-time.Second, "1043", "Call me")), no},
		"another since, and ours":           {timeline(shown(-time.Second, "1042", "Hello"), shown(-time.Second, "1042", "Call me")), yes},
		"more than is shown":                {telecrm.Shown{MoreActions: true}, unknown},
		"ours, by a server with other time": {serverAhead(timeline(shown(-time.Hour-time.Second, "1042", "Call me"))), yes},
		"older, by such a server":           {serverAhead(timeline(shown(-time.Minute, "1042", "Call me"))), no},
	} {
		t.Run(name, func(t *testing.T) {
			if got := carriedOut(sent, test.shown, since, since.Add(time.Minute)); got != test.want {
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

// serverAhead has the server's clock show an hour more.
func serverAhead(shown telecrm.Shown) telecrm.Shown {
	shown.ServerTime = time.Date(2026, time.March, 1, 13, 1, 0, 0, time.UTC)
	return shown
}

// Every action that was sent needs an entry of its own: one alone can be another enquiry's.
func TestCarriedOutWhole(t *testing.T) {
	since := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	page := map[string]any{"page": "/solar"}
	full := map[string]any{"page": "/solar", "note": "Call me"}
	shown := func(fields map[string]any) telecrm.ShownAction {
		return telecrm.ShownAction{Type: "1042", Fields: fields, CreatedOn: since}
	}
	sent := []telecrm.Action{{Type: "1042", Fields: page}, {Type: "1042", Fields: full}}
	for name, test := range map[string]struct {
		shown telecrm.Shown
		want  certainty
	}{
		"both":            {timeline(shown(page), shown(full)), yes},
		"both, turned":    {timeline(shown(full), shown(page)), yes},
		"the poorer":      {timeline(shown(page)), unknown},
		"the richer":      {timeline(shown(full)), unknown},
		"the poorer two":  {timeline(shown(page), shown(page)), unknown},
		"neither":         {timeline(), no},
		"another's":       {timeline(shown(map[string]any{"page": "/wind", "note": "Hello"})), no},
		"other, and more": {telecrm.Shown{MoreActions: true}, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			if got := carriedOut(sent, test.shown, since, since.Add(time.Minute)); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}
