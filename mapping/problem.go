package mapping

import (
	"errors"

	"github.com/leadwire/caddy-telecrm/fieldtype"
)

// Problem is something that the visitor can correct.
type Problem struct {
	// Input is the name of the input; empty if the problem is with no single one.
	Input string
	// Label is what messages call the input. IsLabelled says that the operator wrote it.
	Label      string
	IsLabelled bool

	Code  fieldtype.Code
	Kind  fieldtype.Type
	Limit float64
	// HasOptions says that the visitor chooses from a list.
	HasOptions bool
	// Message is the operator's own message; it may be empty.
	Message string
}

// newProblem makes a problem of a field error.
func newProblem(input, label string, err error) *Problem {
	p := &Problem{Input: input, Label: label, Code: fieldtype.Refused}
	if fieldErr, ok := errors.AsType[*fieldtype.Error](err); ok {
		p.Code, p.Kind, p.Limit = fieldErr.Code, fieldErr.Type, fieldErr.Limit
	}
	return p
}
