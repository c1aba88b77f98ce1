package answer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/page"
)

// Codes of errors with the form as a whole, in JSON answers beside the field codes.
const (
	CodeMalformed   = "MALFORMED"
	CodeTooLarge    = "FORM_TOO_LARGE"
	CodeNotAForm    = "NOT_A_FORM"
	CodeUnavailable = "UNAVAILABLE"
	CodeForeign     = "FOREIGN"
	CodeTooMany     = "TOO_MANY"
	CodeConfirm     = "CONFIRM"
	CodeChallenge   = "CHALLENGE"
)

// inputs lists the inputs to correct.
func (f Failure) inputs() []string {
	names := make([]string, 0, len(f.Problems))
	for _, p := range f.Problems {
		if p.Input != "" {
			names = append(names, p.Input)
		}
	}
	return names
}

// summary returns the whole failure in words for the visitor.
func (f Failure) summary(words *page.Words) string {
	sentences := make([]string, 0, len(f.Problems)+1)
	if message := f.message(words); message != "" {
		sentences = append(sentences, message)
	}
	for _, p := range f.Problems {
		sentences = append(sentences, phrase(p, words).String())
	}
	return strings.Join(sentences, " ")
}

// message returns the message for the form as a whole.
func (f Failure) message(words *page.Words) string {
	if f.Code == "" {
		return f.Note
	}
	return strings.TrimSpace(words.FormMessage(f.Code, f.Detail) + " " + f.Note)
}

// reason returns the failure in words for the log.
func (f Failure) reason() string {
	if f.Code != "" {
		return "form not accepted: " + f.Code
	}
	parts := make([]string, 0, len(f.Problems))
	for _, p := range f.Problems {
		parts = append(parts, fmt.Sprintf("%s of %s", p.Code, p.Input))
	}
	return "form not accepted: " + strings.Join(parts, ", ")
}

// phrase tells the visitor what to do about a problem.
func phrase(p *mapping.Problem, words *page.Words) page.Phrase {
	if p.Message != "" {
		return page.Said(p.Message)
	}
	return words.SayFault(faultOf(p))
}

func faultOf(p *mapping.Problem) page.Fault {
	return page.Fault{
		Code:    string(p.Code),
		Type:    string(p.Kind),
		Label:   p.Label,
		Limit:   strconv.FormatFloat(p.Limit, 'f', -1, 64),
		Choices: p.HasOptions,
	}
}

// onPage returns a problem for the site's own page. The page's label is used unless the operator
// wrote one.
func onPage(p *mapping.Problem) page.Problem {
	on := page.Problem{Input: p.Input, Message: p.Message, Fault: faultOf(p)}
	if !p.IsLabelled {
		on.Fault.Label, on.Fallback = "", p.Label
	}
	return on
}

// successBody and failureBody are read by the client libraries of several form services, hence the
// many names for the same thing.
type successBody struct {
	OK          bool   `json:"ok"`
	Success     bool   `json:"success"`
	Code        int    `json:"code"`
	Status      string `json:"status"`
	Message     string `json:"message"`
	Next        string `json:"next"`
	Redirect    string `json:"redirect"`
	RedirectURL string `json:"redirectUrl"`
	ID          string `json:"id"`
}

type failureBody struct {
	OK      bool         `json:"ok"`
	Success bool         `json:"success"`
	Code    int          `json:"code"`
	Status  string       `json:"status"`
	Error   string       `json:"error"`
	Message string       `json:"message"`
	Errors  []inputError `json:"errors"`
	Confirm string       `json:"_confirm,omitempty"` // to be sent with the form the next time
}

// inputError is one error. Without a field it is about the form as a whole.
type inputError struct {
	Field   string `json:"field,omitempty"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (f Failure) body(words *page.Words) failureBody {
	list := make([]inputError, 0, len(f.Problems)+1)
	if f.Code != "" {
		list = append(list, inputError{Code: f.Code, Message: f.message(words)})
	}
	for _, p := range f.Problems {
		list = append(list, inputError{Field: p.Input, Code: string(p.Code), Message: phrase(p, words).String()})
	}
	summary := f.summary(words)
	return failureBody{Code: f.Status, Status: "error", Error: summary, Message: summary, Errors: list, Confirm: f.Confirm}
}

// JSON answers with a body in JSON.
func JSON(w http.ResponseWriter, status int, body any) error {
	var buf bytes.Buffer
	if err := json.NewEncoder(&buf).Encode(body); err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, fmt.Errorf("encoding answer: %w", err))
	}
	return write(w, status, "application/json; charset=utf-8", &buf)
}
