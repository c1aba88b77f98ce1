package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Fault replaces or changes the normal handling of one API request.
type Fault struct {
	// Op limits the fault to requests of one operation. Empty means every API request, even one
	// with an unknown path.
	Op Op
	// Status is the HTTP status of the answer, 200 to 599. 0 means the normal handling, after Delay
	// and before Drop; Body, ContentType and Header are then ignored.
	Status int
	// Body is the answer's body. "{lead_id}" in it is replaced with the id of the lead that Store
	// stored or changed, or with a new id.
	Body string
	// ContentType is the answer's content type. Empty means application/json.
	ContentType string
	// Header is added to the answer, and replaces headers of the same name.
	Header http.Header
	// Delay delays the answer. It ends early when the client disconnects or the sandbox closes.
	Delay time.Duration
	// Store first handles the request normally, before Delay, so that a lead is stored although the
	// client may not learn of it. A search then counts for Search.IndexSearches. Without Store, the
	// request is not handled if Status or Drop is set, or if the client gives up during Delay.
	Store bool
	// Drop cuts the connection without an answer, after reading the request.
	Drop bool
}

// The names of the faults that Faults returns.
const (
	// 2xx answers other than the usual 201; the lead is stored.
	FaultNullLists     = "201 with null lists"
	FaultNoLists       = "201 without lists"
	FaultRemarks       = "201 with remarks and an ignored action"
	FaultStatus200     = "200 instead of 201"
	FaultNoLeadID      = "201 without lead_id"
	FaultEmptyBody     = "201 with an empty body"
	FaultHTML2xx       = "200 with HTML"
	FaultErrorIn2xx    = "200 with an error"
	FaultTruncatedJSON = "201 with truncated JSON"

	// Refusals; the lead is not stored.
	FaultInvalidLead         = "400 INVALID_LEAD"
	FaultBadRequest          = "400 BAD_REQUEST"
	FaultUnauthorizedToken   = "401 naming the token"
	FaultUnauthorizedAccount = "401 naming the enterprise"
	FaultUnauthorizedString  = "401 with a string error"
	FaultPaymentRequired     = "402 BUY_LICENSE"
	FaultForbidden           = "403 without code"
	FaultLicenseExpired      = "403 ENTERPRISE_LICENSE_EXPIRED"
	FaultNotFoundJSON        = "404 ENTERPRISE_NOT_FOUND"
	FaultNotFoundHTML        = "404 with HTML"
	FaultMethodHTML          = "405 with HTML"
	FaultConflict            = "409 LEAD_ALREADY_EXISTS"
	FaultTooLarge            = "413"
	FaultUnsupportedMedia    = "415"
	FaultRedirect            = "307 redirect"

	// Temporary failures; the lead is not stored.
	FaultRequestTimeout   = "408"
	FaultRateLimited      = "429 without Retry-After"
	FaultRateLimitedAfter = "429 with Retry-After"
	FaultServerError      = "500"
	FaultBadGatewayHTML   = "502 with HTML"
	FaultUnavailable      = "503 with Retry-After"
	FaultDropped          = "dropped"
	FaultSlow             = "slow"

	// Ambiguous attempts: the lead is stored, but the client does not learn of it.
	FaultServerErrorAfterStore = "500 after the lead was stored"
	FaultDroppedAfterStore     = "dropped after the lead was stored"
	FaultSlowAfterStore        = "slow after the lead was stored"
)

// slowDelay is longer than any client waits.
const slowDelay = 2 * time.Minute

// Faults returns, by the names above, a fault for every answer that a client of TeleCRM should
// handle. The caller may change the map. Some answers, such as a 429's body or the status of an
// expired licence, are not documented by TeleCRM and are guesses; clients should not rely on their
// details.
//
// The 2xx answers are for a create; for other operations most of them are invalid.
//
// FaultRedirect points to a path of the sandbox itself, so Requests counts a client that follows
// it.
func Faults() map[string]Fault {
	return map[string]Fault{
		FaultNullLists:     stored(201, `{"lead_id":"{lead_id}","actions":null,"remarks":null}`),
		FaultNoLists:       stored(201, `{"lead_id":"{lead_id}"}`),
		FaultRemarks:       stored(201, remarksBody),
		FaultStatus200:     stored(200, `{"lead_id":"{lead_id}","actions":[],"remarks":[]}`),
		FaultNoLeadID:      stored(201, `{"actions":[],"remarks":[]}`),
		FaultEmptyBody:     stored(201, ""),
		FaultHTML2xx:       {Status: 200, Body: string(htmlAnswer(200).body), ContentType: typeHTML, Store: true},
		FaultErrorIn2xx:    refused(200, codeInvalidLead, "Lead could not be created."),
		FaultTruncatedJSON: stored(201, `{"lead_id":"64c1f0aa`),

		FaultInvalidLead:         refused(400, codeInvalidLead, "The lead identifier phone is missing."),
		FaultBadRequest:          refused(400, codeBadRequest, "The request is not valid."),
		FaultUnauthorizedToken:   refused(401, codeNotAuthorized, "Invalid access token."),
		FaultUnauthorizedAccount: refused(401, codeNotAuthorized, unknownEnterprise("66aa00")),
		FaultUnauthorizedString:  {Status: 401, Body: `{"error":"Unauthorized"}`},
		FaultPaymentRequired:     refused(402, "BUY_LICENSE", "No licence is left."),
		FaultForbidden:           {Status: 403, Body: `{"message":"Forbidden"}`},
		FaultLicenseExpired:      refused(403, "ENTERPRISE_LICENSE_EXPIRED", "The licence of this enterprise has expired."),
		FaultNotFoundJSON:        refused(404, "ENTERPRISE_NOT_FOUND", "Enterprise not found."),
		FaultNotFoundHTML:        html(404),
		FaultMethodHTML:          html(405),
		FaultConflict:            refused(409, codeLeadExists, "Lead with phone 918123456789 already exists."),
		FaultTooLarge:            refused(413, "PAYLOAD_TOO_LARGE", "The request body is too large."),
		FaultUnsupportedMedia:    refused(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type must be application/json."),
		FaultRedirect:            {Status: 307, Header: http.Header{"Location": {"/moved"}}},

		FaultRequestTimeout:   refused(408, "REQUEST_TIMEOUT", "The request took too long."),
		FaultRateLimited:      refused(429, "TOO_MANY_REQUESTS", "Too many requests."),
		FaultRateLimitedAfter: retryAfter(refused(429, "TOO_MANY_REQUESTS", "Too many requests.")),
		FaultServerError:      refused(500, "INTERNAL_SERVER_ERROR", "Something went wrong."),
		FaultBadGatewayHTML:   html(502),
		FaultUnavailable:      retryAfter(refused(503, "SERVICE_UNAVAILABLE", "Please come back later.")),
		FaultDropped:          {Drop: true},
		FaultSlow:             {Delay: slowDelay},

		FaultServerErrorAfterStore: alsoStored(refused(500, "INTERNAL_SERVER_ERROR", "Something went wrong.")),
		FaultDroppedAfterStore:     {Drop: true, Store: true},
		FaultSlowAfterStore:        {Delay: slowDelay, Store: true},
	}
}

// On returns the fault, limited to requests of one operation.
func (f Fault) On(op Op) Fault {
	f.Op = op
	return f
}

const remarksBody = `{"lead_id":"{lead_id}","actions":[{"action_id":null,"status":"IGNORED"}],"remarks":[` +
	`{"field":"fields.rating","status":"IGNORED","remark":"Rating must be between 1 and 5"},` +
	`{"field":"actions[0].type","status":"IGNORED","remark":"Action type does not exist"}]}`

func stored(status int, body string) Fault {
	return Fault{Status: status, Body: body, Store: true}
}

func refused(status int, code, message string) Fault {
	return Fault{Status: status, Body: string(errorAnswer(status, code, message).body)}
}

func html(status int) Fault {
	return Fault{Status: status, Body: string(htmlAnswer(status).body), ContentType: typeHTML}
}

// retryAfter adds a Retry-After of one second, the shortest that the header allows.
func retryAfter(f Fault) Fault {
	f.Header = http.Header{"Retry-After": {"1"}}
	return f
}

func alsoStored(f Fault) Fault {
	f.Store = true
	return f
}

// nextFault counts the request and returns the fault for it. The zero Fault is the normal
// behaviour.
func (s *Sandbox) nextFault(op Op) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	s.operations[op]++
	meets := func(f Fault) bool { return f.Op == "" || f.Op == op }
	if i := slices.IndexFunc(s.faults, meets); i >= 0 {
		next := s.faults[i]
		s.faults = slices.Delete(s.faults, i, i+1)
		return next
	}
	before := int(float64(s.shared) * s.cfg.FailShare)
	s.shared++
	if int(float64(s.shared)*s.cfg.FailShare) > before {
		return shareFault(s.cfg.FailStatus)
	}
	return Fault{}
}

func shareFault(status int) Fault {
	code := strings.ToUpper(strings.ReplaceAll(http.StatusText(status), " ", "_"))
	if status == http.StatusUnauthorized {
		code = codeNotAuthorized
	}
	return refused(status, code, "The sandbox is configured to fail this request.")
}

func (f Fault) answer(leadID string) answer {
	if f.Status < 200 || f.Status > 599 {
		return errorAnswer(http.StatusInternalServerError, "INTERNAL_SERVER_ERROR",
			fmt.Sprintf("The injected fault's status must be between 200 and 599, got %d.", f.Status))
	}
	if leadID == "" {
		leadID = newID()
	}
	ans := answer{
		status:      f.Status,
		contentType: f.ContentType,
		header:      f.Header,
		body:        []byte(strings.ReplaceAll(f.Body, "{lead_id}", leadID)),
	}
	if ans.contentType == "" {
		ans.contentType = typeJSON
	}
	return ans
}
