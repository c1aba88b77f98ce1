// Package sandbox is a stand-in for the TeleCRM APIs, Sync and Async, as an http.Handler.
//
// It stores leads in memory, follows the rules that TeleCRM documents, and reads them as strictly
// as possible: a lead that it accepts without a remark should also be accepted by a workspace with
// the same fields. Tests use it to check what was sent. The demo uses it as the CRM, because "/" is
// a page that shows the leads as they arrive.
//
// It serves:
//
//	POST /autoupdate/v2/enterprise/{enterpriseId}/lead                   create a lead
//	POST /autoupdate/v2/enterprise/{enterpriseId}/lead/search            find leads
//	GET  /autoupdate/v2/enterprise/{enterpriseId}/lead/{leadId}          read a lead
//	POST /autoupdate/v2/enterprise/{enterpriseId}/lead/{leadId}          update a lead
//	POST /autoupdate/v2/enterprise/{enterpriseId}/lead/{leadId}/action   append actions
//	GET  /autoupdate/v2/enterprise/{enterpriseId}/custom-fields          list the fields
//	GET  /autoupdate/v2/enterprise/{enterpriseId}/custom-actions         list the actions
//	GET  /autoupdate/v2/enterprise/{enterpriseId}/lead-stage-pipeline    list the statuses and lost reasons
//	GET  /autoupdate/v2/enterprise/{enterpriseId}/team-members/{email}   look up a team member
//	POST /enterprise/{enterpriseId}/autoupdatelead                       create or update a lead, the Async way
//	GET  /                                                               the page
//	GET  /events                                                         the page's live updates, as server-sent events
//	GET  /leads.json                                                     the leads in order of arrival, as JSON
//
// The page and leads.json do not require a token and show everything, so never use the sandbox with
// real visitors' data. All of the page's URLs are relative, so a stripped path prefix does no harm.
//
// The rules come from https://docs.telecrm.in/sync-api/overview,
// https://docs.telecrm.in/async-api/overview and the pages below those,
// https://docs.telecrm.in/concepts/field-types, https://docs.telecrm.in/concepts/lead-identifier
// and https://docs.telecrm.in/concepts/actions. Where those do not say, the comment at the rule
// says what was chosen.
package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Config configures a Sandbox. Token and EnterpriseID are required; the zero value of every other
// field is usable.
type Config struct {
	// Token is the Sync token that every request of the Sync API must carry as "Authorization:
	// Bearer <token>".
	Token string
	// AsyncToken is the Async token, which must differ from Token. Without it every request of the
	// Async API is refused.
	AsyncToken string
	// EnterpriseID is the only enterprise of the sandbox.
	EnterpriseID string
	// Schema describes the workspace. Nil means DefaultSchema. New takes a copy.
	Schema *Schema
	// Latency delays every API answer. The request has been handled by then, so a client that gives
	// up in the meantime may have created a lead.
	Latency time.Duration
	// FailStatus is the HTTP status, 300 to 599, for the requests that FailShare selects.
	FailStatus int
	// FailShare is the share of API requests, from 0 to 1, that fail with FailStatus and are not
	// handled. They are spread evenly, not randomly: a share of 0.25 fails every fourth request.
	FailShare float64
	// KeepLeads is the highest number of leads to keep. The oldest is deleted first, and its
	// identifier becomes free again. 0 keeps all leads.
	KeepLeads int
	// AsyncDelay is the time, by Now, between the acceptance of a lead by the Async API and its
	// creation or update.
	AsyncDelay time.Duration
	// AsyncPlainOK makes the Async API answer with the text OK, as its older hosts do.
	AsyncPlainOK bool
	// ConflictID adds the id of the existing lead to the error of a 409. TeleCRM is not known to do
	// so.
	ConflictID bool
	// DropInvalid makes an update silently drop invalid values and locked fields, instead of
	// refusing the update. The documentation is contradictory: see
	// https://docs.telecrm.in/sync-api/leads/update and
	// https://docs.telecrm.in/concepts/field-types.
	DropInvalid bool
	// LiveShapes makes answers to reading and updating a lead look like live answers: status,
	// rating and assignee (called employeeid) are next to the fields, not among them, and the code
	// of a custom action has the prefix ACTION_.
	LiveShapes bool
	// Now is the clock behind all times of a Lead, AsyncDelay, Search.IndexDelay and the Date of
	// API answers. Nil means time.Now.
	Now func() time.Time
	// Search configures how searches behave.
	Search Search
	// Continue is an earlier sandbox whose leads the new one shares, with KeepLeads. Nil starts
	// without leads.
	Continue *Sandbox
}

// Search configures behaviour of TeleCRM's searches that is unknown or varies. The zero value finds
// every lead at once, but a phone number only by all of its digits.
type Search struct {
	// NormalizePhones makes a search find a phone number in every spelling that a create would
	// treat as the same. Without it, only the digits with the calling code find it, with or without
	// a leading +.
	NormalizePhones bool
	// HideIDs omits the id from the rows, as on https://docs.telecrm.in/sync-api/leads/examples.
	HideIDs bool
	// Twins returns every lead twice, the second time with another id.
	Twins bool
	// IndexDelay is the time after its creation, by Config.Now, in which a lead is not found.
	IndexDelay time.Duration
	// IndexSearches is the number of searches that miss a lead before one finds it. A search within
	// IndexDelay does not count.
	IndexSearches int
}

// Sandbox is an in-memory CRM. It is safe for concurrent use. Create it with New, and call Close
// when done.
type Sandbox struct {
	cfg    Config
	schema *Schema

	closing sync.Once
	closed  chan struct{}

	mu         *sync.Mutex // guards the fields below; shared with the sandboxes that share the store
	requests   int
	operations map[Op]int // requests by operation
	shared     int        // requests that FailShare was applied to
	faults     []Fault
	store      *store
}

// New returns a new sandbox, or an error that names the missing or invalid setting.
func New(cfg Config) (*Sandbox, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	schema := DefaultSchema()
	if cfg.Schema != nil {
		var err error
		if schema, err = cfg.Schema.clone(); err != nil {
			return nil, fmt.Errorf("sandbox: %w", err)
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Sandbox{
		cfg:        cfg,
		schema:     schema,
		closed:     make(chan struct{}),
		operations: make(map[Op]int),
	}
	if earlier := cfg.Continue; earlier != nil {
		s.mu, s.store = earlier.mu, earlier.store
	} else {
		s.mu, s.store = new(sync.Mutex), newStore(cfg.KeepLeads)
	}
	return s, nil
}

func (c Config) validate() error {
	switch {
	case c.Token == "":
		return errors.New("token: missing; choose any, and give the client the same")
	case strings.ContainsAny(c.Token, " \t\r\n"):
		return errors.New("token: must not contain white space")
	case strings.ContainsAny(c.AsyncToken, " \t\r\n"):
		return errors.New("async token: must not contain white space")
	case c.AsyncToken == c.Token:
		return errors.New("async token: must differ from the token, because each API refuses the other's token")
	case c.EnterpriseID == "":
		return errors.New("enterprise id: missing; choose any, and give the client the same")
	case c.Latency < 0:
		return fmt.Errorf("latency: must not be negative, got %v", c.Latency)
	case c.AsyncDelay < 0:
		return fmt.Errorf("async delay: must not be negative, got %v", c.AsyncDelay)
	case c.KeepLeads < 0:
		return fmt.Errorf("leads to keep: must not be negative, got %d; use 0 to keep all", c.KeepLeads)
	case c.Search.IndexDelay < 0:
		return fmt.Errorf("index delay: must not be negative, got %v", c.Search.IndexDelay)
	case c.Search.IndexSearches < 0:
		return fmt.Errorf("index searches: must not be negative, got %d; use 0 to index at once", c.Search.IndexSearches)
	case !(c.FailShare >= 0 && c.FailShare <= 1): // NaN too
		return fmt.Errorf("fail share: must be between 0 and 1, got %v", c.FailShare)
	case c.FailShare > 0 && (c.FailStatus < 300 || c.FailStatus > 599):
		return fmt.Errorf("fail status: must be between 300 and 599, got %d", c.FailStatus)
	}
	return nil
}

// ServeHTTP answers API requests and serves the page. Requests for the page are GET or HEAD to one
// of its own paths; every other request counts as an API request, to which faults apply.
//
// To cut a connection without an answer, it panics with http.ErrAbortHandler.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page := s.pageHandler(r.URL.Path)
	if page != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		page(w, r)
		return
	}
	s.serveAPI(w, r)
}

// Leads returns deep copies of the leads, in order of arrival.
func (s *Sandbox) Leads() []Lead {
	s.lock()
	defer s.mu.Unlock()
	leads := make([]Lead, len(s.store.records))
	for i, rec := range s.store.records {
		leads[i] = rec.lead.clone()
	}
	return leads
}

// Requests counts the API requests since New or Reset, including refused and failed ones.
func (s *Sandbox) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// Creates counts the Requests that create a lead, including refused and failed ones.
func (s *Sandbox) Creates() int { return s.Count(OpCreate) }

// Searches counts the Requests that search for leads, including refused and failed ones.
func (s *Sandbox) Searches() int { return s.Count(OpSearch) }

// Count counts the Requests of the given operation, including refused and failed ones.
func (s *Sandbox) Count(op Op) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.operations[op]
}

// Inject queues faults. Each applies to one of the following API requests, in order, and takes
// precedence over Config.FailShare. A request skips faults with another Fault.Op, which stay in the
// queue.
func (s *Sandbox) Inject(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		f.Header = f.Header.Clone()
		s.faults = append(s.faults, f)
	}
}

// Delete deletes a lead, as if somebody had deleted it in TeleCRM, and reports whether it existed.
// Its identifier becomes free again. Open pages start over.
func (s *Sandbox) Delete(id string) bool {
	s.lock()
	defer s.mu.Unlock()
	return s.store.forget(id)
}

// Reset deletes all leads, including pending ones of the Async API, the queued faults and the
// request counts. Open pages become empty.
func (s *Sandbox) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.shared, s.faults = 0, 0, nil
	clear(s.operations)
	s.store.clear()
}

// Close ends the page's event streams and all delays; delayed requests are answered at once. It
// returns without waiting for them and may be called more than once. A closed sandbox still
// answers, without delays.
func (s *Sandbox) Close() {
	s.closing.Do(func() { close(s.closed) })
}

// wait pauses for d. It returns early when the sandbox closes, and returns false when the client
// has disconnected.
func (s *Sandbox) wait(ctx context.Context, d time.Duration) bool {
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.closed:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}

// newID returns a random id like TeleCRM's, with 24 hexadecimal digits.
func newID() string {
	var id [12]byte
	_, _ = rand.Read(id[:]) // documented never to fail
	return hex.EncodeToString(id[:])
}
