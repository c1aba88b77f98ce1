package sandbox

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Op is an operation of the API.
type Op string

// The operations.
const (
	OpCreate Op = "create"
	OpSearch Op = "search"
	OpGet    Op = "get"
	OpUpdate Op = "update"
	OpAppend Op = "append"
	OpFields Op = "fields"
	OpUpsert Op = "upsert" // the Async API's only one

	OpActions  Op = "actions"
	OpPipeline Op = "pipeline"
	OpMember   Op = "member"
)

// The path prefixes of the two APIs. Each API has its own host, see
// https://docs.telecrm.in/async-api/overview.
const (
	syncPrefix  = "/autoupdate/v2/enterprise/"
	asyncPrefix = "/enterprise/"
)

// refusal returns the error code for an invalid request of this operation.
func (op Op) refusal() string {
	if op == OpCreate {
		return codeInvalidLead
	}
	return codeBadRequest
}

// route is the operation that a request asks for, before authorization.
type route struct {
	op         Op     // empty if the path does not allow the method
	allow      string // the methods of the path; empty if the path is unknown
	enterprise string
	leadID     string // if the operation is on one lead; the address of a team member
}

// idMark is the placeholder for a lead's id in the paths below.
const idMark = "{id}"

// operations maps the path after the enterprise id to its methods and operations.
var operations = map[string]map[string]map[string]Op{
	syncPrefix: {
		"lead":                       {http.MethodPost: OpCreate},
		"lead/search":                {http.MethodPost: OpSearch},
		"lead/" + idMark:             {http.MethodGet: OpGet, http.MethodPost: OpUpdate},
		"lead/" + idMark + "/action": {http.MethodPost: OpAppend},
		"custom-fields":              {http.MethodGet: OpFields},
		"custom-actions":             {http.MethodGet: OpActions},
		"lead-stage-pipeline":        {http.MethodGet: OpPipeline},
		"team-members/" + idMark:     {http.MethodGet: OpMember},
	},
	asyncPrefix: {
		"autoupdatelead": {http.MethodPost: OpUpsert},
	},
}

func routeOf(r *http.Request) route {
	for prefix, resources := range operations {
		enterprise, resource, ok := splitPath(r.URL, prefix)
		if !ok {
			continue
		}
		methods, leadID := findResource(resources, resource)
		if methods == nil {
			continue
		}
		allow := make([]string, 0, len(methods))
		for method := range methods {
			allow = append(allow, method)
		}
		slices.Sort(allow)
		return route{op: methods[r.Method], allow: strings.Join(allow, ", "), enterprise: enterprise, leadID: leadID}
	}
	return route{}
}

// findResource returns the methods of a resource, or nil if it is unknown, and the id in its path.
func findResource(resources map[string]map[string]Op, resource string) (methods map[string]Op, leadID string) {
	if methods, ok := resources[resource]; ok {
		return methods, ""
	}
	parts := strings.SplitN(resource, "/", 3)
	if len(parts) < 2 || parts[1] == "" {
		return nil, ""
	}
	leadID, err := url.PathUnescape(parts[1])
	if err != nil {
		return nil, ""
	}
	parts[1] = idMark
	return resources[strings.Join(parts, "/")], leadID
}

// splitPath returns the enterprise id and the resource of {prefix}{enterpriseId}/{resource...}.
func splitPath(u *url.URL, prefix string) (enterprise, resource string, ok bool) {
	rest, ok := strings.CutPrefix(u.EscapedPath(), prefix)
	if !ok {
		return "", "", false
	}
	escaped, resource, ok := strings.Cut(rest, "/")
	if !ok {
		return "", "", false
	}
	enterprise, err := url.PathUnescape(escaped)
	if err != nil {
		return "", "", false
	}
	return enterprise, resource, true
}
