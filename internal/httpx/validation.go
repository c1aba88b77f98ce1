package httpx

import (
	"net/http"
	"slices"
	"strings"
)

// Validation is a protocol with which a script has a form checked while the visitor fills it in.
// Such a request is not a submission.
type Validation int

// The known protocols.
const (
	NoValidation  Validation = iota
	Precognition             // of Laravel, https://laravel.com/docs/precognition
	UnpolyPreview            // https://unpoly.com/X-Up-Validate
)

// ValidationOf returns the protocol of a request that only wants the form checked.
func ValidationOf(r *http.Request) Validation {
	switch {
	case strings.EqualFold(strings.TrimSpace(r.Header.Get("Precognition")), "true"):
		return Precognition
	case r.Header.Get("X-Up-Validate") != "":
		return UnpolyPreview
	}
	return NoValidation
}

// maxValidated bounds the list of inputs in a header, in bytes.
const maxValidated = 8 << 10

// Validates returns a function that reports whether a request asks about an input. It asks about
// all inputs unless it names some. Names of arrays may be followed by an index or a "*".
func Validates(r *http.Request) func(input string) bool {
	var names []string
	var header string
	if ValidationOf(r) == Precognition {
		header = strings.Join(r.Header.Values("Precognition-Validate-Only"), ",")
		names = strings.FieldsFunc(header, func(r rune) bool { return r == ',' || r == ' ' })
	} else {
		header = r.Header.Get("X-Up-Validate")
		names = strings.Fields(header)
	}
	if len(names) == 0 || len(header) > maxValidated || slices.Contains(names, ":unknown") {
		return func(string) bool { return true }
	}
	return func(input string) bool {
		plain := strings.TrimSuffix(input, "[]")
		return slices.ContainsFunc(names, func(name string) bool {
			return name == input || name == plain || strings.HasPrefix(name, plain+".")
		})
	}
}
