package answer

import (
	"cmp"
	"net/http"

	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/page"
)

// Checked answers a request that only wants the form checked. f is what a submission would be told
// about; the status of a form without a mistake is 0.
func (a *Responder) Checked(w http.ResponseWriter, r *http.Request, p *Post, f Failure) error {
	w.Header().Add("Vary", "Accept-Language")
	if httpx.ValidationOf(r) == httpx.Precognition {
		return a.checkedPrecognition(w, r, f)
	}
	return a.checkedUnpoly(w, r, p, f)
}

// checkedUnpoly answers with the form's page and the messages at the inputs. Unpoly takes from it
// the parts around the inputs that changed, and ignores an empty answer. Such a part may be the
// whole form, so inputs that the visitor has not reached do not get a message.
func (a *Responder) checkedUnpoly(w http.ResponseWriter, r *http.Request, p *Post, f Failure) error {
	validates := httpx.Validates(r)
	shown := Failure{Status: cmp.Or(f.Status, http.StatusOK)}
	for _, problem := range f.Problems {
		if validates(problem.Input) || p.Typed != nil && p.Typed.First(problem.Input) != "" {
			shown.Problems = append(shown.Problems, problem)
		}
	}
	if f.Code == "" && len(shown.Problems) == 0 {
		shown.Status = http.StatusOK
	}
	own, err := a.renderOwnPage(r, p, shown)
	switch {
	case err == nil:
		return writeOwnPage(w, r, shown.Status, own)
	case f.Code != "":
		w.WriteHeader(f.Status)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
	return nil
}

// checkedBody is the JSON of Laravel's validation errors.
type checkedBody struct {
	Message string              `json:"message"`
	Errors  map[string][]string `json:"errors"`
}

// checkedPrecognition answers about the inputs that the request names. The library throws away
// answers without its header, whatever their status.
func (a *Responder) checkedPrecognition(w http.ResponseWriter, r *http.Request, f Failure) error {
	w.Header().Set("Precognition", "true")
	validates := httpx.Validates(r)
	var asked []*mapping.Problem
	for _, problem := range f.Problems {
		if validates(problem.Input) {
			asked = append(asked, problem)
		}
	}
	if len(asked) == 0 && f.Code == "" {
		w.Header().Set("Precognition-Success", "true")
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	f.Problems = asked
	words := a.wordsFor(r)
	return JSON(w, f.Status, checkedBody{Message: f.summary(words), Errors: errorsByInput(asked, words)})
}

func errorsByInput(problems []*mapping.Problem, words *page.Words) map[string][]string {
	byInput := make(map[string][]string, len(problems))
	for _, problem := range problems {
		byInput[problem.Input] = append(byInput[problem.Input], phrase(problem, words).String())
	}
	return byInput
}
