package telecrm

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Codes of the error envelope that decide a verdict. Those about one lead are documented at
// https://docs.telecrm.in/sync-api/leads/create and https://docs.telecrm.in/sync-api/leads/update,
// those about the account at https://docs.telecrm.in/authentication and
// https://docs.telecrm.in/sync-api/enterprise/metadata.
const (
	CodeInvalidLead        = "INVALID_LEAD"
	CodeBadRequest         = "BAD_REQUEST"
	CodeLeadAlreadyExists  = "LEAD_ALREADY_EXISTS"
	CodeNotAuthorized      = "NOT_AUTHORIZED"
	CodeEnterpriseNotFound = "ENTERPRISE_NOT_FOUND"
	CodeLicenseExpired     = "ENTERPRISE_LICENSE_EXPIRED"
	CodeBuyLicense         = "BUY_LICENSE"
	CodeLeadNotFound       = "LEAD_NOT_FOUND"
	CodeMemberNotFound     = "TEAM_MEMBER_NOT_FOUND"
)

// readCreated returns the answer to a create.
func readCreated(r reply) Answer {
	answer, _ := readStored(r, func(a Answer, _ *document) bool { return a.LeadID != "" })
	return answer.settled(r)
}

// readStored judges the reply to a request that stores something. A success must either show the
// stored data, as shown checks, or be readable to its end. The document is nil if there is none.
func readStored(r reply, shown func(Answer, *document) bool) (Answer, *document) {
	answer, doc := read(r)
	if answer.Verdict != Created || doc != nil && shown(answer, doc) {
		return answer, doc
	}
	if err := r.unreadable(doc); err != nil {
		answer.Verdict = Retry
		answer.Err = fmt.Errorf("reading answer: %w", err)
	}
	return answer, doc
}

// settled sets Ambiguous on the answer to a request that stores something.
func (a Answer) settled(r reply) Answer {
	switch {
	case r.unanswered != nil:
		a.Ambiguous = r.ambiguous
	case a.Verdict == Retry:
		a.Ambiguous = succeeded(r.status) || r.status >= 500 || r.status == http.StatusRequestTimeout
	}
	return a
}

// aboutLead judges an answer about the lead with the id.
func (a Answer) aboutLead(leadID string) Answer {
	switch {
	case a.Code == CodeLeadNotFound && (a.Status == http.StatusNotFound || succeeded(a.Status)):
		a.Verdict, a.LeadID = Missing, ""
	case a.Verdict == Created:
		a.Verdict, a.LeadID = Done, leadID
	}
	return a
}

// changingLead judges an answer to a change of the lead with the id.
func (a Answer) changingLead(leadID string) Answer {
	a = a.aboutLead(leadID)
	if a.Verdict == Duplicate {
		// Nothing was created. A conflict with another lead does not go away by itself.
		a.Verdict = Rejected
	}
	return a
}

// failedRead returns the failure of a request that changes nothing.
func failedRead(answer Answer) *Answer {
	if answer.Verdict == Duplicate {
		// A conflict makes no sense here, so the answer is unusable.
		answer.Verdict = Retry
	}
	return &Answer{
		Verdict:    answer.Verdict,
		Status:     answer.Status,
		Code:       answer.Code,
		Message:    answer.Message,
		RetryAfter: answer.RetryAfter,
		Date:       answer.Date,
		Err:        answer.Err,
	}
}

// read judges a reply and reads what any answer can contain. The document is nil if the body is not
// JSON. A verdict of Created only means that the request succeeded.
func read(r reply) (Answer, *document) {
	if r.unanswered != nil {
		return Answer{Verdict: Retry, Err: r.unanswered}, nil
	}
	answer := Answer{Status: r.status, RetryAfter: r.retryAfter, Date: r.date}
	var doc document
	if json.Unmarshal(r.body, &doc) != nil {
		answer.Message = clip(string(r.body))
		answer.Verdict = verdict(r.status, "")
		return answer, nil
	}
	wrong := doc.failure()
	answer.Code, answer.Message = wrong.code, wrong.message
	answer.LeadID = cmp.Or(id(doc.LeadID), wrong.leadID)
	answer.Actions = actionResults(doc.Actions)
	answer.Remarks = remarks(doc.Remarks)
	answer.Verdict = verdict(r.status, answer.Code)
	if succeeded(r.status) && doc.failed() {
		// A success with an error is not a success. Only a known code decides.
		answer.Verdict = errorVerdict(answer.Code)
	}
	return answer, &doc
}

// unreadable returns why the body is incomplete or invalid, or nil. An empty body is complete.
func (r reply) unreadable(doc *document) error {
	if r.bodyErr != nil {
		return r.bodyErr
	}
	if doc == nil && len(bytes.TrimSpace(r.body)) > 0 {
		return errNotTeleCRM
	}
	return nil
}

func succeeded(status int) bool { return status >= 200 && status < 300 }

// verdict judges an answer by its status and, if that is not enough, by its code.
func verdict(status int, code string) Verdict {
	if errorVerdict(code) == Hold {
		return Hold
	}
	switch {
	case succeeded(status):
		return Created
	case status < 400:
		// A redirect: the base URL is wrong.
		return Hold
	case status >= 500:
		return Retry
	}
	switch status {
	case http.StatusUnauthorized, http.StatusPaymentRequired:
		return Hold
	case http.StatusForbidden:
		if code == CodeInvalidLead {
			return Rejected
		}
		return Hold
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		// The path does not depend on the lead, so other leads would fail too.
		return Hold
	case http.StatusConflict:
		return Duplicate
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return Retry
	}
	return Rejected
}

// errorVerdict judges by the code alone.
func errorVerdict(code string) Verdict {
	switch code {
	case CodeNotAuthorized, CodeEnterpriseNotFound, CodeLicenseExpired, CodeBuyLicense:
		return Hold
	case CodeInvalidLead, CodeBadRequest:
		return Rejected
	case CodeLeadAlreadyExists:
		return Duplicate
	}
	return Retry
}

// document is any response of the API. Its parts are raw because their shapes differ between the
// documentation and the service.
type document struct {
	LeadID  json.RawMessage `json:"lead_id"`
	Actions json.RawMessage `json:"actions"`
	Remarks json.RawMessage `json:"remarks"`
	Error   json.RawMessage `json:"error"`
	Errors  json.RawMessage `json:"errors"`
	Message json.RawMessage `json:"message"`
	Code    json.RawMessage `json:"code"`

	// Search
	Data       json.RawMessage `json:"data"`
	TotalCount json.RawMessage `json:"total_count"`

	// Lead, and the total number of its actions
	Fields       json.RawMessage `json:"fields"`
	ActionsTotal json.RawMessage `json:"actions_total_count"`

	// Field definitions
	CustomFields json.RawMessage `json:"customFields"`

	// Async API
	Status json.RawMessage `json:"status"`
}

// failed reports whether a success contains an error, in either of the known keys.
func (d document) failed() bool {
	return present(d.Error) || id(d.LeadID) == "" && len(list(d.Errors)) > 0
}

// failure is the error part of a response.
type failure struct {
	code, message string

	// leadID is the id of the existing lead with the identifier. No response is documented to
	// contain it.
	leadID string
}

// failure finds the error in all known shapes: an object or a string, a message beside it, a list
// of errors.
func (d document) failure() failure {
	beside := failure{code: codeWord(text(d.Code)), message: clip(text(d.Message))}
	for _, raw := range append(list(d.Error), list(d.Errors)...) {
		if s := text(raw); s != "" {
			return failure{code: beside.code, message: clip(s)}
		}
		var object struct {
			Code    json.RawMessage `json:"code"`
			Message json.RawMessage `json:"message"`
			LeadID  json.RawMessage `json:"lead_id"`
		}
		if present(raw) && json.Unmarshal(raw, &object) == nil {
			return failure{
				code:    cmp.Or(codeWord(text(object.Code)), beside.code),
				message: cmp.Or(clip(text(object.Message)), beside.message),
				leadID:  id(object.LeadID),
			}
		}
	}
	return beside
}

// statusIgnored is the status of a part that was not stored.
const statusIgnored = "IGNORED"

// maxItems bounds the actions and the remarks of an answer. Each may become a line in a log.
const maxItems = 200

func actionResults(raw json.RawMessage) []ActionResult {
	items := list(raw)
	if len(items) == 0 {
		return nil
	}
	items = items[:min(len(items), maxItems)]
	results := make([]ActionResult, 0, len(items))
	for _, item := range items {
		var parts struct {
			ID     json.RawMessage `json:"action_id"`
			Status json.RawMessage `json:"status"`
		}
		// An invalid item keeps its place as one that was not stored, because the place identifies
		// the action.
		_ = json.Unmarshal(item, &parts)
		results = append(results, ActionResult{ID: id(parts.ID), Status: fold(text(parts.Status))})
	}
	return results
}

func remarks(raw json.RawMessage) []Remark {
	items := slices.DeleteFunc(list(raw), func(item json.RawMessage) bool { return !present(item) })
	if len(items) == 0 {
		return nil
	}
	kept := items[:min(len(items), maxItems)]
	made := make([]Remark, 0, len(kept)+1)
	for _, item := range kept {
		made = append(made, remark(item))
	}
	if more := len(items) - len(kept); more > 0 {
		made = append(made, Remark{Text: fmt.Sprintf("%d more remarks omitted", more)})
	}
	return made
}

func remark(raw json.RawMessage) Remark {
	var parts struct {
		Field  json.RawMessage `json:"field"`
		Status json.RawMessage `json:"status"`
		Remark json.RawMessage `json:"remark"`
	}
	_ = json.Unmarshal(raw, &parts)
	r := Remark{Field: fold(text(parts.Field)), Status: fold(text(parts.Status)), Text: fold(text(parts.Remark))}
	if r == (Remark{}) {
		// A remark must not get lost because it cannot be read.
		r.Text = cmp.Or(fold(text(raw)), "unreadable remark")
	}
	return r
}

func present(raw json.RawMessage) bool {
	return len(raw) > 0 && string(raw) != "null"
}

// list returns the items of a JSON array. Any other value that is not empty counts as a single
// item.
func list(raw json.RawMessage) []json.RawMessage {
	switch string(raw) {
	case "", "null", "false", `""`, "{}":
		return nil
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return []json.RawMessage{raw}
	}
	return items
}

// id returns an id as a string if it is safe in a path and in a log, or else "".
func id(raw json.RawMessage) string {
	s := text(raw)
	if len(s) > 128 || strings.ContainsFunc(s, isNotGraphicASCII) {
		return ""
	}
	return s
}

// text returns the text of a JSON string or number, or "".
func text(raw json.RawMessage) string {
	if !present(raw) {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	return ""
}

// codeWord returns a code only if it looks like one, because codes are logged. A number could be a
// phone number.
func codeWord(s string) string {
	isUpper := func(r rune) bool { return r >= 'A' && r <= 'Z' }
	isCode := func(r rune) bool { return r == '_' || isUpper(r) || r >= '0' && r <= '9' }
	if s == "" || len(s) > 64 || !isUpper(rune(s[0])) || strings.ContainsFunc(s, func(r rune) bool { return !isCode(r) }) {
		return ""
	}
	return s
}

// clip returns foreign text as one line of at most 300 characters.
func clip(s string) string {
	s = fold(s)
	if runes := []rune(s); len(runes) > 300 {
		return string(runes[:300]) + "…"
	}
	return s
}
