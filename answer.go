package caddytelecrm

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/page"
)

// The placeholders that a redirect's target may hold.
const (
	placeholderID          = "{telecrm.id}"
	placeholderOutcome     = "{telecrm.outcome}"
	placeholderErrorFields = "{telecrm.error.fields}"
	placeholderConfirm     = "{telecrm.confirm}"
)

// Codes of errors that are about the form as a whole, in JSON answers beside
// the field codes.
const (
	codeMalformed   = "MALFORMED"
	codeTooLarge    = "FORM_TOO_LARGE"
	codeNotAForm    = "NOT_A_FORM"
	codeUnavailable = "UNAVAILABLE"
	codeForeign     = "FOREIGN"
	codeTooMany     = "TOO_MANY"
	codeConfirm     = "CONFIRM"
	codeChallenge   = "CHALLENGE"
)

// failure is what an error answer says, in whichever form and language it is
// given.
type failure struct {
	status   int
	code     string // for the form as a whole; empty if problems say it all
	note     string // the operator's own words after the message of code; may be empty
	problems []*problem
	confirm  string // lets the page pass when it is sent again
}

// answerThanks sends the visitor to the thank-you page. A person whom TeleCRM
// already knows gets the very same answer as a new one, or anybody could ask
// who is a customer.
func (h *Handler) answerThanks(w http.ResponseWriter, r *http.Request, s *submission) error {
	id := cmp.Or(s.repeats, s.id)
	target := strings.ReplaceAll(h.ThankYou, placeholderID, id)
	if !s.json {
		http.Redirect(w, r, target, http.StatusSeeOther) //nolint:gosec // the operator says where to; the id is ours
		return nil
	}
	w.Header().Add("Vary", "Accept-Language")
	return writeJSON(w, http.StatusOK, successBody{
		OK: true, Success: true, Code: http.StatusOK, Status: "success",
		Message: h.wordsFor(r).Thanks(), Next: target, Redirect: target, RedirectURL: target, ID: id,
	})
}

// answerInvalid asks the visitor to correct what they typed.
func (h *Handler) answerInvalid(w http.ResponseWriter, r *http.Request, s *submission, problems []*problem) error {
	s.settle(outcomeInvalid)
	s.noteWrong(problems)
	return h.answerFailure(w, r, s, failure{status: http.StatusUnprocessableEntity, problems: problems})
}

// noteWrong notes for the log what the visitor is asked to correct.
func (s *submission) noteWrong(problems []*problem) {
	for _, p := range problems {
		s.wrong = append(s.wrong, namesForLog([]string{p.input})[0]+" "+string(p.code))
	}
}

// answerRefused asks the visitor to look at the identifier again, because
// that is what TeleCRM refuses leads for. Where no input gives it, nothing
// they could correct would help.
func (h *Handler) answerRefused(w http.ResponseWriter, r *http.Request, s *submission) error {
	refused := &fieldtype.Error{Code: fieldtype.Refused}
	for _, f := range h.mapping.fields {
		if f.Name == h.mapping.identifier {
			return h.answerFailure(w, r, s, failure{status: http.StatusUnprocessableEntity, problems: []*problem{f.problem(refused)}})
		}
	}
	for _, setting := range h.mapping.settings {
		if setting.Name == h.mapping.identifier && len(setting.inputs) > 0 {
			return h.answerFailure(w, r, s, failure{status: http.StatusUnprocessableEntity, problems: []*problem{setting.identifierProblem(refused)}})
		}
	}
	return h.answerUnavailable(w, r, s)
}

// answerUnavailable tells the visitor that the lead was not taken, and gives
// them back what they typed.
func (h *Handler) answerUnavailable(w http.ResponseWriter, r *http.Request, s *submission) error {
	return h.answerFailure(w, r, s, failure{status: http.StatusServiceUnavailable, code: codeUnavailable, note: h.Fallback})
}

// answerUnreadable tells the visitor that the form did not arrive whole, and
// gives them back what did.
func (h *Handler) answerUnreadable(w http.ResponseWriter, r *http.Request, s *submission, err error) error {
	status, result := errorStatus(err)
	s.settle(result)
	s.reason = err.Error()
	code := map[outcome]string{outcomeTooLarge: codeTooLarge, outcomeNotAForm: codeNotAForm, outcomeMalformed: codeMalformed}[result]
	if status == http.StatusUnsupportedMediaType {
		w.Header().Set("Accept-Post", "application/x-www-form-urlencoded, multipart/form-data, application/json")
	}
	problems := h.tooLong(s.typed)
	s.noteWrong(problems)
	return h.answerFailure(w, r, s, failure{status: status, code: code, problems: problems})
}

// answerForeign turns away what a page of another site posts.
func (h *Handler) answerForeign(w http.ResponseWriter, r *http.Request, s *submission) error {
	s.settle(outcomeForeign)
	return h.turnAway(w, r, s, failure{status: http.StatusForbidden, code: codeForeign})
}

// answerLimited asks the visitor to wait. Their page comes back filled in,
// unless they send so much that it would be work for nobody.
func (h *Handler) answerLimited(w http.ResponseWriter, r *http.Request, s *submission, pass guard.Pass) error {
	s.settle(outcomeLimited)
	w.Header().Set("Retry-After", seconds(pass.Wait))
	if httpx.IsUnlistedProxy(r) {
		s.reason = "if Caddy is behind a proxy that trusted_proxies does not list, all visitors have the proxy's address"
	}
	tooMany := failure{status: http.StatusTooManyRequests, code: codeTooMany}
	if pass.Flood {
		return h.turnAway(w, r, s, tooMany)
	}
	if err := h.readForm(w, r, s); err != nil {
		s.reason = cmp.Or(s.reason, err.Error())
	}
	return h.answerFailure(w, r, s, tooMany)
}

// answerUnproven asks the visitor to pass the form's challenge.
func (h *Handler) answerUnproven(w http.ResponseWriter, r *http.Request, s *submission) error {
	s.settle(outcomeUnproven)
	return h.answerFailure(w, r, s, failure{status: http.StatusUnprocessableEntity, code: codeChallenge})
}

// tooLong lists the fields whose values pass the limit of any value.
func (h *Handler) tooLong(typed *form.Form) []*problem {
	if typed == nil {
		return nil
	}
	var problems []*problem
	for _, f := range h.mapping.allFields() {
		if !slices.Contains(typed.TooLong, f.Input) || slices.ContainsFunc(problems, func(p *problem) bool { return p.input == f.Input }) {
			continue
		}
		for _, value := range typed.Values(f.Input) {
			if len(value) > h.limits.Value {
				// The limit is one in bytes, and visitors count characters.
				limit := utf8.RuneCountInString(strings.ToValidUTF8(value[:h.limits.Value], ""))
				problems = append(problems, f.problem(&fieldtype.Error{Code: fieldtype.TooLong, Type: fieldtype.Text, Limit: float64(limit)}))
				break
			}
		}
	}
	return problems
}

// answerFailure gives an error answer in the form that was asked for, or else
// the one that is configured.
func (h *Handler) answerFailure(w http.ResponseWriter, r *http.Request, s *submission, f failure) error {
	words := h.wordsFor(r)
	s.repl.Set("telecrm.error.summary", f.summary(words))
	s.repl.Set("telecrm.error.fields", strings.Join(f.inputs(), ","))
	s.repl.Set("telecrm.confirm", f.confirm)
	if s.json {
		w.Header().Add("Vary", "Accept-Language")
		return writeJSON(w, f.status, f.body(words))
	}
	switch h.Errors {
	case errorsHandle:
		w.Header().Add("Vary", "Accept-Language")
		return caddyhttp.Error(f.status, errors.New(f.reason()))
	case errorsRedirect:
		target := strings.ReplaceAll(h.ErrorsRedirect, placeholderID, s.id)
		target = strings.ReplaceAll(target, placeholderOutcome, string(s.outcome))
		target = strings.ReplaceAll(target, placeholderErrorFields, url.QueryEscape(strings.Join(f.inputs(), ",")))
		target = strings.ReplaceAll(target, placeholderConfirm, url.QueryEscape(f.confirm))
		http.Redirect(w, r, target, http.StatusSeeOther) //nolint:gosec // the operator says where to; names of inputs are escaped
		return nil
	}
	own, err := h.renderPage(r, s, f)
	if err != nil {
		h.logger.Debug("showing the built-in page", zap.String("id", s.id), zap.Error(err))
		w.Header().Add("Vary", "Accept-Language")
		return h.writePage(w, r, s, f, words)
	}
	return writeOwnPage(w, f.status, own)
}

// wordsFor are the words for an answer that is no page of the site's: those in
// the language that the visitor's browser asks for, as it has its own messages
// in. The site's own page goes by its own language.
func (h *Handler) wordsFor(r *http.Request) *page.Words {
	return h.catalog.For(httpx.PreferredLanguages(r)...)
}

// inputs lists the inputs to correct.
func (f failure) inputs() []string {
	names := make([]string, 0, len(f.problems))
	for _, p := range f.problems {
		if p.input != "" {
			names = append(names, p.input)
		}
	}
	return names
}

// summary is the whole failure in words for the visitor.
func (f failure) summary(words *page.Words) string {
	sentences := make([]string, 0, len(f.problems)+1)
	if message := f.message(words); message != "" {
		sentences = append(sentences, message)
	}
	for _, p := range f.problems {
		sentences = append(sentences, p.phrase(words).String())
	}
	return strings.Join(sentences, " ")
}

// message is what is said of the form as a whole.
func (f failure) message(words *page.Words) string {
	if f.code == "" {
		return f.note
	}
	return strings.TrimSpace(words.FormMessage(f.code) + " " + f.note)
}

// reason is the failure in words for the log.
func (f failure) reason() string {
	if f.code != "" {
		return "form not accepted: " + f.code
	}
	parts := make([]string, 0, len(f.problems))
	for _, p := range f.problems {
		parts = append(parts, fmt.Sprintf("%s of %s", p.code, p.input))
	}
	return "form not accepted: " + strings.Join(parts, ", ")
}

// successBody and failureBody are read by the client libraries of several
// form services, hence the many names for the same thing.
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

func (f failure) body(words *page.Words) failureBody {
	list := make([]inputError, 0, len(f.problems)+1)
	if f.code != "" {
		list = append(list, inputError{Code: f.code, Message: f.message(words)})
	}
	for _, p := range f.problems {
		list = append(list, inputError{Field: p.input, Code: string(p.code), Message: p.phrase(words).String()})
	}
	summary := f.summary(words)
	return failureBody{Code: f.status, Status: "error", Error: summary, Message: summary, Errors: list, Confirm: f.confirm}
}

func writeJSON(w http.ResponseWriter, status int, body any) error {
	var buf bytes.Buffer
	if err := json.NewEncoder(&buf).Encode(body); err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, fmt.Errorf("encoding answer: %w", err))
	}
	return write(w, status, "application/json; charset=utf-8", &buf)
}

// write sends a whole answer. A visitor who has gone is nobody's error.
func write(w http.ResponseWriter, status int, contentType string, body *bytes.Buffer) error {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = body.WriteTo(w)
	return nil
}
