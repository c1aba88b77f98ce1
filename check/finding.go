package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Severity is how much harm a finding does.
type Severity string

// The severities.
const (
	// Error means that leads or parts of them are lost or refused.
	Error Severity = "error"
	// Warning means that this may happen, or that visitors are hindered.
	Warning Severity = "warning"
	// Note means that something could be better, or behaves in a way that is worth knowing.
	Note Severity = "note"
)

// Severities lists the severities, the worst first.
func Severities() []Severity { return []Severity{Error, Warning, Note} }

// rank orders severities, the worst first.
func (s Severity) rank() int { return slices.Index(Severities(), s) }

// Place is a position in a file. Lines and columns count from 1; 0 means that it is not known.
type Place struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// String returns the place as file:line:column.
func (p Place) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

func (p Place) compare(q Place) int {
	return cmp.Or(strings.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column))
}

// Finding is something that does not fit together.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	// Form is the name of the form, or empty. Account is set for findings about an account.
	Form    string `json:"form,omitempty"`
	Account string `json:"account,omitempty"`
	Place
	Message string `json:"message"`
	// Remedy is what to write instead, or to add. It can be pasted.
	Remedy string `json:"remedy,omitempty"`
	// Also counts the other places with the same finding.
	Also int `json:"also,omitempty"`
}

// Key is the same for the same finding in each check of a config, also if its words have other
// numbers or reasons, or its place has moved.
func (f Finding) Key() string {
	message := f.Message
	switch f.Code { //nolint:exhaustive // the messages of the others do not change by themselves
	case HandlerWithoutForm, ClockOff, WorkspaceUnavailable, TooManyInputs:
		message = ""
	}
	return strings.Join([]string{string(f.Code), f.Form, f.Account, message}, "\x00")
}

// Report is the result of a check.
type Report struct {
	Findings []Finding `json:"findings"`
	// Omitted counts different findings beyond the first 1,000.
	Omitted int `json:"omitted,omitempty"`
	// Pages and Forms count the pages that were read and the forms on them.
	Pages int `json:"pages"`
	Forms int `json:"forms"`
	// Unverified says what could not be checked, such as a workspace that does not answer.
	Unverified []string `json:"unverified,omitempty"`

	mu       sync.Mutex
	found    map[string]*Finding
	snapshot Snapshot
	fixes    bool // edits are wanted
	edits    []edit
}

// RefusedError says that Caddy refuses lines of the config.
type RefusedError []RefusedLine

// RefusedLine is a line of the config that Caddy refuses.
type RefusedLine struct {
	Place   Place
	Message string
}

func (e RefusedError) Error() string {
	lines := make([]string, 0, len(e))
	for _, line := range e {
		lines = append(lines, line.Message+", at "+line.Place.String())
	}
	return strings.Join(lines, "; and ")
}

// Refused returns the report for a config with lines that Caddy refuses, so that nothing else could
// be checked.
func Refused(e RefusedError) *Report {
	r := newReport()
	for _, line := range e {
		r.add(Finding{Code: ConfigRefused, Place: line.Place, Message: line.Message})
	}
	r.unverified("everything else: Caddy refuses the config")
	r.finish()
	return r
}

// maxFindings bounds the number of different findings.
const maxFindings = 1000

func newReport() *Report {
	return &Report{found: make(map[string]*Finding), snapshot: Snapshot{make(map[string]FormSnapshot)}}
}

// add adds a finding. The same finding in several places counts once, at the first of them.
func (r *Report) add(f Finding) {
	if f.Severity == "" {
		f.Severity = f.Code.severity()
	}
	key := strings.Join([]string{string(f.Code), f.Form, f.Account, f.Message}, "\x00")
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.found[key]
	switch {
	case known == nil && len(r.found) == maxFindings:
		r.Omitted++
	case known == nil:
		r.found[key] = &f
	case f.Place == known.Place:
	default:
		f.Also = known.Also + 1
		if known.compare(f.Place) < 0 {
			f.Place, f.Remedy = known.Place, known.Remedy
		}
		r.found[key] = &f
	}
}

// finish sorts the findings by form, severity and place.
func (r *Report) finish() {
	r.Findings = make([]Finding, 0, len(r.found))
	for _, f := range r.found {
		r.Findings = append(r.Findings, *f)
	}
	slices.Sort(r.Unverified)
	slices.SortFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.Form, b.Form), cmp.Compare(a.Severity.rank(), b.Severity.rank()),
			a.compare(b.Place), strings.Compare(string(a.Code), string(b.Code)), strings.Compare(a.Message, b.Message))
	})
}

// HasErrors reports whether a finding is an error.
func (r *Report) HasErrors() bool { return r.Count(Error) > 0 }

// Count counts the findings of a severity.
func (r *Report) Count(s Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}
