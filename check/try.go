package check

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/page"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Trial is what would become of a post.
type Trial struct {
	Form   string       `json:"form"`
	Inputs []TriedInput `json:"inputs"`
	// Trap is the trap that was filled in, or "". The post would be parked as suspected spam.
	Trap     string         `json:"trap,omitempty"`
	Problems []TriedProblem `json:"problems,omitempty"`
	// Empty lists the placeholders that only a request gives a value, which are left empty.
	Empty []string `json:"empty,omitempty"`
	// Remarks say which parts of the post the lead does not have as typed.
	Remarks []string     `json:"remarks,omitempty"`
	Lead    telecrm.Lead `json:"lead"`
}

// TriedInput is an input of the post.
type TriedInput struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// Becomes lists the fields that take it. Reason says why there are none.
	Becomes []string `json:"becomes,omitempty"`
	Reason  string   `json:"reason,omitempty"`
}

// TriedProblem is a problem that the visitor would be asked to correct.
type TriedProblem struct {
	Input   string `json:"input,omitempty"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Try maps a post as the form's handler does. Placeholders other than {form.NAME} are left empty.
// Nothing is sent.
func Try(f *Form, posted *form.Form) (*Trial, error) {
	in := mapping.Locale{Country: f.Country}
	if f.TimeZone != "" {
		location, err := time.LoadLocation(f.TimeZone)
		if err != nil {
			return nil, fmt.Errorf("time_zone: %w", err)
		}
		in.Location = location
	}
	if f.DateOrder != "" {
		order, err := fieldtype.ParseDateOrder(f.DateOrder)
		if err != nil {
			return nil, err
		}
		in.DateOrder = order
	}
	identifier := "phone"
	if f.Account != nil && f.Account.Identifier != "" {
		identifier = f.Account.Identifier
	}
	m, err := mapping.New(mapping.Config{Fields: f.Fields, Set: f.Set, Actions: f.Actions, Unmapped: f.Unmapped, Identifier: identifier, Locale: in})
	if err != nil {
		return nil, err
	}
	traps := f.traps()
	m.Ignore(traps)
	trial := &Trial{Form: f.Name}
	draft := m.Lead(posted, func(template string) string { return trial.expand(template, posted) }, nil)
	trial.Lead = draft.Lead
	for _, entry := range posted.Entries {
		trial.Inputs = append(trial.Inputs, f.tried(entry, traps))
		if slices.Contains(traps, entry.Name) && strings.TrimSpace(entry.Value) != "" {
			trial.Trap = entry.Name
		}
	}
	words := page.Shipped().For("en")
	for _, p := range draft.Problems {
		fault := page.Fault{
			Code: string(p.Code), Type: string(p.Kind), Label: p.Label, Limit: strconv.FormatFloat(p.Limit, 'f', -1, 64), Choices: p.HasOptions,
		}
		message := p.Message
		if message == "" {
			message = words.Message(fault)
		}
		trial.Problems = append(trial.Problems, TriedProblem{p.Input, string(p.Code), message})
	}
	for _, remark := range draft.Remarks {
		trial.Remarks = append(trial.Remarks, strings.TrimSpace(remark.Field+": "+remark.Text))
	}
	return trial, nil
}

// traps returns the names of the form's traps.
func (f *Form) traps() []string {
	switch {
	case len(f.Honeypot) == 0:
		f.values()
		return slices.DeleteFunc(guard.KnownTraps(), f.takes)
	case slices.Contains(f.Honeypot, "off"):
		return nil
	}
	return f.Honeypot
}

// tried says what becomes of an input.
func (f *Form) tried(entry form.Entry, traps []string) TriedInput {
	tried := TriedInput{Name: entry.Name, Value: entry.Value}
	for _, v := range f.values() {
		if slices.Contains(inputsOf(v), entry.Name) {
			name := v.name
			if v.action != "" {
				name = "action " + v.action + " " + name
			}
			tried.Becomes = append(tried.Becomes, name)
		}
	}
	switch {
	case len(tried.Becomes) > 0:
	case slices.Contains(traps, entry.Name):
		tried.Reason = "it is a trap; people leave it empty"
	case form.IsForService(entry.Name):
		tried.Reason = "it is for a form service or a captcha"
	case form.IsSecret(entry.Name):
		tried.Reason = "its name says that it is a secret"
	case f.Unmapped != "":
		tried.Becomes = []string{f.Unmapped}
	default:
		tried.Reason = "no line of the config takes it"
	}
	return tried
}

var placeholders = regexp.MustCompile(`\{[^{}\s]+\}`)

// expand replaces {form.NAME}, and notes the placeholders that are left empty.
func (t *Trial) expand(template string, posted *form.Form) string {
	return placeholders.ReplaceAllStringFunc(template, func(placeholder string) string {
		key := strings.Trim(placeholder, "{}")
		if input, ok := strings.CutPrefix(key, mapping.FormPlaceholder); ok {
			return strings.Join(posted.Values(input), ", ")
		}
		if !slices.Contains(t.Empty, placeholder) {
			t.Empty = append(t.Empty, placeholder)
		}
		return ""
	})
}
