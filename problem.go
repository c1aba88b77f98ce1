package caddytelecrm

import (
	"errors"
	"strconv"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/page"
)

// problem is something that the visitor can correct.
type problem struct {
	input      string // the input's name; empty if it is no single one
	label      string
	isLabelled bool // by the operator
	code       fieldtype.Code
	kind       fieldtype.Type
	limit      float64
	options    []string
	message    string // the operator's own words, if any
}

// newProblem makes a problem of a field error.
func newProblem(input, label string, err error) *problem {
	p := &problem{input: input, label: label, code: fieldtype.Refused}
	if fieldErr, ok := errors.AsType[*fieldtype.Error](err); ok {
		p.code, p.kind, p.limit = fieldErr.Code, fieldErr.Type, fieldErr.Limit
	}
	return p
}

// onPage is the problem for the visitor's own page, which may have a label of
// its own. One that the operator wrote comes before that.
func (p *problem) onPage() page.Problem {
	on := page.Problem{Input: p.input, Message: p.message, Fault: p.fault()}
	if !p.isLabelled {
		on.Fault.Label, on.Fallback = "", p.label
	}
	return on
}

// phrase is what the visitor is told to do.
func (p *problem) phrase(words *page.Words) page.Phrase {
	if p.message != "" {
		return page.Said(p.message)
	}
	return words.SayFault(p.fault())
}

func (p *problem) fault() page.Fault {
	return page.Fault{
		Code:    string(p.code),
		Type:    string(p.kind),
		Label:   p.label,
		Limit:   strconv.FormatFloat(p.limit, 'f', -1, 64),
		Choices: len(p.options) > 0,
	}
}
