package telecrm

import "context"

// Endpoint says in one word what a request is for.
type Endpoint string

// The endpoints.
const (
	EndpointCreate Endpoint = "create" // a lead is created
	EndpointSearch Endpoint = "search" // leads are searched for
	EndpointGet    Endpoint = "get"    // a lead is read
	EndpointUpdate Endpoint = "update" // fields of a lead are set
	EndpointAppend Endpoint = "append" // actions are appended to a lead
	EndpointFields Endpoint = "fields" // the workspace's fields are read
	EndpointUpsert Endpoint = "upsert" // the Async API is given a lead
)

// Endpoints returns all endpoints.
func Endpoints() []Endpoint {
	return []Endpoint{
		EndpointCreate, EndpointSearch, EndpointGet, EndpointUpdate, EndpointAppend, EndpointFields, EndpointUpsert,
	}
}

// Observer is called when a request is about to be sent, its turn under the
// pace having come, with the context of whoever asked for it. What it returns
// is called when the answer has been read, with its HTTP status, or 0 if there
// was no answer. Neither may wait for anything. Nothing of the lead is shown to
// it.
type Observer func(ctx context.Context, endpoint Endpoint) (ended func(status int))
