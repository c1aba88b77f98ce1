package telecrm

import "context"

// Endpoint names the purpose of a request in one word.
type Endpoint string

// The endpoints.
const (
	EndpointCreate Endpoint = "create" // creates a lead
	EndpointSearch Endpoint = "search" // searches for leads
	EndpointGet    Endpoint = "get"    // reads a lead
	EndpointUpdate Endpoint = "update" // sets fields of a lead
	EndpointAppend Endpoint = "append" // appends actions to a lead
	EndpointFields Endpoint = "fields" // reads the workspace's fields
	EndpointUpsert Endpoint = "upsert" // sends a lead to the Async API

	EndpointActions  Endpoint = "actions"  // reads the workspace's actions
	EndpointPipeline Endpoint = "pipeline" // reads the workspace's statuses and lost reasons
	EndpointMember   Endpoint = "member"   // looks up a team member
)

// Endpoints returns all endpoints.
func Endpoints() []Endpoint {
	return []Endpoint{
		EndpointCreate, EndpointSearch, EndpointGet, EndpointUpdate, EndpointAppend, EndpointFields, EndpointUpsert,
		EndpointActions, EndpointPipeline, EndpointMember,
	}
}

// Observer is called just before a request is sent, after waiting for the pace, with the caller's
// context. The function that it returns is called after the response was read, with its HTTP
// status, or 0 if there was no response. Neither may block. Neither gets data of the lead.
type Observer func(ctx context.Context, endpoint Endpoint) (ended func(status int))
