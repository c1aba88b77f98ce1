package mapping

import (
	"errors"

	"github.com/leadwire/caddy-telecrm/fieldtype"
)

// Problem describes something that the visitor can correct.
type Problem struct {
	// Input is the name of the input. It is empty if the problem does not belong to a single input.
	Input string
	// Label is the input's name in messages. IsLabelled says that the operator wrote it.
	Label      string
	IsLabelled bool

	Code  fieldtype.Code
	Kind  fieldtype.Type
	Limit float64
	// HasOptions says that the visitor chooses from a list.
	HasOptions bool
	// Message is the operator's own message, if any.
	Message string
}

// newProblem turns a field error into a problem.
func newProblem(input, label string, err error) *Problem {
	p := &Problem{Input: input, Label: label, Code: fieldtype.Refused}
	if fieldErr, ok := errors.AsType[*fieldtype.Error](err); ok {
		p.Code, p.Kind, p.Limit = fieldErr.Code, fieldErr.Type, fieldErr.Limit
	}
	return p
}
