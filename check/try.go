package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/trial"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/page"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Trial says what would become of a post, and why.
type Trial struct {
	Form  string `json:"form"`
	Place string `json:"place,omitempty"`
	URL   string `json:"url"`
	Page  string `json:"page,omitempty"`

	// Inputs are those of the post, as read. Files and inputs beyond the limits are skipped.
	Inputs  []TriedInput `json:"inputs"`
	Files   []string     `json:"files,omitempty"`
	Skipped []string     `json:"skipped,omitempty"`
	// Values are those of the lines of the config.
	Values   []TriedValue   `json:"values"`
	Problems []TriedProblem `json:"problems,omitempty"`
	// Remarks say which parts of the post the lead does not have as typed.
	Remarks []string `json:"remarks,omitempty"`

	Guards []trial.Guard `json:"guards"`
	// Score is the spam score, the sum of the signals.
	Score   int           `json:"score"`
	Signals []TriedSignal `json:"signals,omitempty"`

	Outcome trial.Outcome `json:"outcome"`
	// Reason says why the post could not be read.
	Reason string `json:"reason,omitempty"`
	// Request is what TeleCRM would get; nil if nothing would be sent.
	Request *TriedRequest `json:"request,omitempty"`
}

// TriedInput is an input of the post.
type TriedInput struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// Becomes lists the fields that take it. Reason says why there are none.
	Becomes []string `json:"becomes,omitempty"`
	Reason  string   `json:"reason,omitempty"`
}

// TriedValue is a value of the lead.
type TriedValue struct {
	// Field is the API name, with the action before it.
	Field string `json:"field"`
	// Value is nil if the lead does not have the field. Reason says where it comes from, or why it is
	// missing.
	Value  any    `json:"value"`
	Type   string `json:"type,omitempty"`
	Reason string `json:"reason"`
	Place  string `json:"place,omitempty"`
}

// TriedProblem is a problem that the visitor would be asked to correct.
type TriedProblem struct {
	Input   string `json:"input,omitempty"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// TriedSignal is a sign of spam.
type TriedSignal struct {
	Reason string `json:"reason"`
	Weight int    `json:"weight"`
}

// TriedRequest is the request that creates the lead. Its token is left out.
type TriedRequest struct {
	Method string       `json:"method"`
	URL    string       `json:"url"`
	Lead   telecrm.Lead `json:"lead"`
}

// Scale says what the spam score means.
var Scale = fmt.Sprintf("from %d the visitor is asked to send it again, from %d it is parked", guard.Doubt, guard.Junk)

// hidden stands for a value that is not shown.
const hidden = "(not shown)"

// Explain says how a form's handler judged a post, and which lines of the config had which effect.
// Secrets are left out.
func Explain(f *Form, posted trial.Post, record *trial.Record) *Trial {
	e := &explanation{form: f, record: record, posted: record.Posted}
	if e.posted == nil {
		e.posted = new(form.Form)
	}
	t := &Trial{
		Form: f.Name, Place: written(f.Place), URL: posted.URL, Page: posted.Header.Get("Referer"),
		Inputs: []TriedInput{}, Values: []TriedValue{}, Files: e.posted.Files, Skipped: e.posted.SkippedNames(),
		Guards: record.Guards, Score: record.Signals.Score(), Outcome: record.Outcome, Reason: record.Reason,
		Problems: problemsOf(record.Draft),
	}
	for _, s := range record.Signals {
		t.Signals = append(t.Signals, TriedSignal{s.Reason, s.Weight})
	}
	for _, entry := range e.posted.Entries {
		t.Inputs = append(t.Inputs, e.input(entry))
	}
	if t.Reason != "" {
		return t
	}
	lead := e.lead()
	t.Values = e.values(lead)
	for _, remark := range record.Draft.Remarks {
		t.Remarks = append(t.Remarks, strings.TrimSpace(remark.Field+": "+remark.Text))
	}
	if record.Outcome == trial.Sent {
		t.Request = f.request(lead)
	}
	return t
}

// written returns a place as text, or "" for an unknown one.
func written(at Place) string {
	if at.Line == 0 {
		return ""
	}
	return at.String()
}

func problemsOf(draft mapping.Draft) []TriedProblem {
	words := page.Shipped().For("en")
	problems := make([]TriedProblem, 0, len(draft.Problems))
	for _, p := range draft.Problems {
		message := p.Message
		if message == "" {
			message = words.Message(page.Fault{
				Code: string(p.Code), Type: string(p.Kind), Label: p.Label,
				Limit: strconv.FormatFloat(p.Limit, 'f', -1, 64), Choices: p.HasOptions,
			})
		}
		problems = append(problems, TriedProblem{p.Input, string(p.Code), message})
	}
	return problems
}

// explanation explains a post.
type explanation struct {
	form   *Form
	record *trial.Record
	posted *form.Form
}

// input says what becomes of an input.
func (e *explanation) input(entry form.Entry) TriedInput {
	f := e.form
	tried := TriedInput{Name: entry.Name, Value: entry.Value}
	if form.IsSecret(entry.Name) && !f.takes(entry.Name) {
		tried.Value = hidden
	}
	for _, v := range f.values() {
		if slices.Contains(inputsOf(v), entry.Name) {
			tried.Becomes = append(tried.Becomes, v.path())
		}
	}
	switch {
	case len(tried.Becomes) > 0:
	case slices.Contains(f.traps(), entry.Name):
		tried.Reason = "it is a trap; people leave it empty"
	case f.Protect && slices.Contains(guard.Traps(), entry.Name):
		tried.Reason = "it is the trap that protect adds to the page"
	case form.IsForService(entry.Name):
		tried.Reason = "it is for a form service or a captcha"
	case form.IsSecret(entry.Name):
		tried.Reason = "its name says that it is a secret"
	case f.Unmapped != "" && strings.TrimSpace(entry.Value) == "":
		tried.Reason = "it is empty"
	case f.Unmapped != "":
		tried.Becomes = []string{f.Unmapped}
	default:
		tried.Reason = "no line of the config takes it"
	}
	return tried
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

// path returns the value's field, with the action before it.
func (v value) path() string {
	if v.action != "" {
		return "action " + v.action + " " + v.name
	}
	return v.name
}

// request returns the request for the lead.
func (f *Form) request(lead telecrm.Lead) *TriedRequest {
	base, id, last := telecrm.DefaultBaseURL, "", "/lead"
	if f.Account != nil {
		id = f.Account.EnterpriseID
		if f.Account.BaseURL != "" {
			base = strings.TrimSuffix(f.Account.BaseURL, "/")
		}
		if f.OnDuplicate == "upsert" || f.Account.IsAsync {
			base, last = telecrm.DefaultAsyncBaseURL, "/autoupdatelead"
			if f.Account.AsyncBaseURL != "" {
				base = strings.TrimSuffix(f.Account.AsyncBaseURL, "/")
			}
		}
	}
	if id == "" {
		id = "<enterprise_id>"
	}
	return &TriedRequest{"POST", fmt.Sprintf("%s/enterprise/%s%s", base, id, last), lead}
}
