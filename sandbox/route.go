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
)

// Where the two APIs begin. Each has a host of its own, see https://docs.telecrm.in/async-api/overview, and the Async one
// no path before this.
const (
	syncPrefix  = "/autoupdate/v2/enterprise/"
	asyncPrefix = "/enterprise/"
)

// refusal is the code that a request of this operation is refused with when it makes no sense.
func (op Op) refusal() string {
	if op == OpCreate {
		return codeInvalidLead
	}
	return codeBadRequest
}

// route is what a request asks for, authorised or not.
type route struct {
	op         Op     // empty if the path has no operation for the method
	allow      string // the methods that the path has; empty if there is no such path
	enterprise string
	leadID     string // of the operations on one lead
}

// idMark stands for a lead's id in the paths below.
const idMark = "{id}"

// operations are the methods and operations of each path, by what follows the enterprise id.
var operations = map[string]map[string]map[string]Op{
	syncPrefix: {
		"lead":                       {http.MethodPost: OpCreate},
		"lead/search":                {http.MethodPost: OpSearch},
		"lead/" + idMark:             {http.MethodGet: OpGet, http.MethodPost: OpUpdate},
		"lead/" + idMark + "/action": {http.MethodPost: OpAppend},
		"custom-fields":              {http.MethodGet: OpFields},
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

// findResource returns the methods of a resource, nil if there is none, and the lead's id in its path.
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

// splitPath takes the enterprise id and the resource out of {prefix}{enterpriseId}/{resource...}.
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
