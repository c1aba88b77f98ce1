package sandbox

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"strings"
)

const (
	maxBody  = 1 << 20
	typeJSON = "application/json"
	typeHTML = "text/html; charset=utf-8"
)

// Codes of the error envelope. See https://docs.telecrm.in/sync-api/overview.
const (
	codeInvalidLead   = "INVALID_LEAD"
	codeBadRequest    = "BAD_REQUEST"
	codeNotAuthorized = "NOT_AUTHORIZED"
	codeLeadExists    = "LEAD_ALREADY_EXISTS"
	codeLeadNotFound  = "LEAD_NOT_FOUND"

	codeMemberNotFound = "TEAM_MEMBER_NOT_FOUND"
)

var errBodyTooLarge = fmt.Errorf("the request body is larger than %d bytes", maxBody)

// answer is a complete HTTP answer, which can be written later or never.
type answer struct {
	status      int
	contentType string
	header      http.Header
	body        []byte
	leadID      string // of the lead that the request stored or changed
}

// apiRequest is an API request whose body has been read.
type apiRequest struct {
	*http.Request
	body    []byte
	bodyErr error
}

func (s *Sandbox) serveAPI(w http.ResponseWriter, r *http.Request) {
	fault := s.nextFault(routeOf(r).op)
	req := readRequest(r)
	var ans answer
	if fault.Store {
		ans = s.handle(req)
	}
	if !s.wait(r.Context(), fault.Delay) {
		cutConnection()
	}
	if !fault.Store && !fault.Drop && fault.Status == 0 {
		ans = s.handle(req)
	}
	if fault.Status != 0 {
		ans = fault.answer(ans.leadID)
	}
	if !s.wait(r.Context(), s.cfg.Latency) || fault.Drop {
		cutConnection()
	}
	// Clients compare a lead's time of creation with the server's clock, so both must use the same
	// clock.
	w.Header().Set("Date", s.cfg.Now().UTC().Format(http.TimeFormat))
	ans.write(w)
}

// cutConnection ends the request without an answer.
func cutConnection() {
	panic(http.ErrAbortHandler)
}

func readRequest(r *http.Request) apiRequest {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = errBodyTooLarge
	}
	return apiRequest{Request: r, body: body, bodyErr: err}
}

// handle implements the API's normal behaviour. An unknown path or method is answered with HTML,
// like the live service, whose gateway answers these.
func (s *Sandbox) handle(r apiRequest) answer {
	to := routeOf(r.Request)
	if to.allow == "" {
		if s.pageHandler(r.URL.Path) != nil {
			return methodNotAllowed("GET, HEAD")
		}
		return htmlAnswer(http.StatusNotFound)
	}
	if to.op == "" {
		return methodNotAllowed(to.allow)
	}
	if refusal, ok := s.authorize(r, to); !ok {
		return refusal
	}
	if refusal, ok := checkBody(r, to.op); !ok {
		return refusal
	}
	switch to.op {
	case OpCreate:
		return s.createLead(r.body)
	case OpSearch:
		return s.searchLeads(r.URL.RawQuery, r.body)
	case OpGet:
		return s.getLead(to.leadID, r.URL.RawQuery)
	case OpUpdate:
		return s.updateLead(to.leadID, r.body)
	case OpAppend:
		return s.appendActions(to.leadID, r.body)
	case OpFields:
		return s.customFields(r.URL.RawQuery)
	case OpActions:
		return s.customActions(r.URL.RawQuery)
	case OpPipeline:
		return s.pipeline()
	case OpMember:
		return s.member(to.leadID)
	case OpUpsert:
		return s.upsertLead(r.body)
	}
	return htmlAnswer(http.StatusNotFound)
}

// authorize checks the token and the enterprise. Both errors have the same status and code (see
// https://docs.telecrm.in/authentication) and different messages. Each API refuses the other's
// token.
func (s *Sandbox) authorize(r apiRequest, to route) (answer, bool) {
	sent := r.Header.Values("Authorization")
	token := s.cfg.Token
	if to.op == OpUpsert {
		token = s.cfg.AsyncToken
	}
	want := "Bearer " + token
	if token == "" || len(sent) != 1 || subtle.ConstantTimeCompare([]byte(sent[0]), []byte(want)) != 1 {
		return errorAnswer(http.StatusUnauthorized, codeNotAuthorized, "Invalid access token."), false
	}
	if to.enterprise != s.cfg.EnterpriseID {
		return errorAnswer(http.StatusUnauthorized, codeNotAuthorized, unknownEnterprise(to.enterprise)), false
	}
	return answer{}, true
}

func unknownEnterprise(id string) string {
	return fmt.Sprintf("Enterprise with id %q not found or invalid access token.", id)
}

func checkBody(r apiRequest, op Op) (answer, bool) {
	if r.Method == http.MethodGet {
		return answer{}, true
	}
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset, hasCharset := params["charset"]
	switch {
	case err != nil || mediaType != typeJSON || (hasCharset && !strings.EqualFold(charset, "utf-8")):
		return errorAnswer(http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE",
			"Content-Type must be application/json."), false
	case errors.Is(r.bodyErr, errBodyTooLarge):
		return errorAnswer(http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE", "The request body is too large."), false
	case r.bodyErr != nil:
		return errorAnswer(http.StatusBadRequest, op.refusal(), "The request body was cut short."), false
	}
	return answer{}, true
}

type errorBody struct {
	Error errorDetail `json:"error"`
}

type errorDetail struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	LeadID  string `json:"lead_id,omitempty"`
}

// errorAnswer returns an error in the documented envelope. See
// https://docs.telecrm.in/sync-api/overview.
func errorAnswer(status int, code, message string) answer {
	return jsonAnswer(status, errorBody{errorDetail{Code: code, Message: message}})
}

func leadNotFound() answer {
	return errorAnswer(http.StatusNotFound, codeLeadNotFound, "Lead not found.")
}

func jsonAnswer(status int, v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		return answer{status: http.StatusInternalServerError, contentType: "text/plain; charset=utf-8", body: []byte(err.Error())}
	}
	return answer{status: status, contentType: typeJSON, body: body}
}

func htmlAnswer(status int) answer {
	body := fmt.Sprintf("<!DOCTYPE html>\n<html lang=\"en\"><title>%[1]d %[2]s</title><h1>%[1]d %[2]s</h1></html>\n",
		status, http.StatusText(status))
	return answer{status: status, contentType: typeHTML, body: []byte(body)}
}

func methodNotAllowed(allow string) answer {
	ans := htmlAnswer(http.StatusMethodNotAllowed)
	ans.header = http.Header{"Allow": {allow}}
	return ans
}

func (a answer) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Type", a.contentType)
	maps.Copy(h, a.header)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the client may have disconnected
}
