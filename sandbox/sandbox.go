// Package sandbox is a stand-in for the TeleCRM APIs, Sync and Async, as an http.Handler.
//
// It stores leads in memory under the rules that TeleCRM documents, and is as strict as those rules can be read: what it
// accepts without a remark, a workspace with the same fields should accept too. Tests use it as the witness of what was
// sent; a demo uses it as the CRM, because "/" is a page that shows the leads as they arrive.
//
// Served today:
//
//	POST /autoupdate/v2/enterprise/{enterpriseId}/lead                   create a lead
//	POST /autoupdate/v2/enterprise/{enterpriseId}/lead/search            find leads
//	GET  /autoupdate/v2/enterprise/{enterpriseId}/lead/{leadId}          read a lead
//	POST /autoupdate/v2/enterprise/{enterpriseId}/lead/{leadId}          update a lead
//	POST /autoupdate/v2/enterprise/{enterpriseId}/lead/{leadId}/action   append actions
//	GET  /autoupdate/v2/enterprise/{enterpriseId}/custom-fields          list the fields
//	POST /enterprise/{enterpriseId}/autoupdatelead                       create or update a lead, the Async way
//	GET  /                                                               the page
//	GET  /events                                                         the page's live updates, as server-sent events
//	GET  /leads.json                                                     the leads in order of arrival, as JSON
//
// The page and leads.json ask for no token and show everything, so the sandbox belongs on a laptop, never in front of
// real visitors' data. All of the page's URLs are relative: a path prefix that was stripped before the request got here
// does no harm.
//
// The rules come from https://docs.telecrm.in/sync-api/overview, https://docs.telecrm.in/async-api/overview and the pages
// below those, https://docs.telecrm.in/concepts/field-types, https://docs.telecrm.in/concepts/lead-identifier and
// https://docs.telecrm.in/concepts/actions. Where those are silent, the comment at the rule says what was chosen.
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

// Config says how a Sandbox behaves. Token and EnterpriseID are required; the zero value of everything else is usable.
type Config struct {
	// Token is the Sync token that every request of the Sync API must carry as "Authorization: Bearer <token>".
	Token string
	// AsyncToken is the Async token, which is another one. Without it every request of the Async API is refused.
	AsyncToken string
	// EnterpriseID is the one enterprise that the sandbox knows.
	EnterpriseID string
	// Schema describes the workspace. Nil means DefaultSchema. New takes a copy.
	Schema *Schema
	// Latency is how long every API answer is held back. The request has been acted on by then, so a client that gives up
	// meanwhile may have created a lead.
	Latency time.Duration
	// FailStatus is the HTTP status, 300 to 599, of the requests that FailShare lets fail.
	FailStatus int
	// FailShare is the share of API requests, from 0 to 1, that are answered with FailStatus and not acted on. They are
	// spread evenly rather than by chance: a share of 0.25 fails every fourth request.
	FailShare float64
	// KeepLeads is how many leads are kept at most; the oldest is forgotten first, and its identifier becomes free again.
	// 0 keeps all of them.
	KeepLeads int
	// AsyncDelay is how long after the Async API took a lead it is created or updated, by Now.
	AsyncDelay time.Duration
	// AsyncPlainOK lets the Async API answer with the text OK, as its older hosts do.
	AsyncPlainOK bool
	// ConflictID puts the id of the lead that is there into the error of a 409. TeleCRM is not known to do so.
	ConflictID bool
	// DropInvalid lets an update drop what it would be refused for, an invalid value or a locked field, without a word. The
	// documents disagree: see https://docs.telecrm.in/sync-api/leads/update and https://docs.telecrm.in/concepts/field-types.
	DropInvalid bool
	// LiveShapes lets reading and updating a lead show it as live answers do: status, rating and assignee, which is called
	// employeeid, beside the fields rather than among them, and ACTION_ before the code of a custom action.
	LiveShapes bool
	// Now is the clock behind all times of a Lead, AsyncDelay, Search.IndexDelay and the Date of API answers. Nil means
	// time.Now.
	Now func() time.Time
	// Search says in what searches differ from the usual.
	Search Search
}

// Search holds what is not known of TeleCRM's searches, or known to vary. The zero value finds every lead at once, but a
// phone number only by all of its digits.
type Search struct {
	// NormalizePhones lets a search find a phone number in every spelling that a create would take for the same. Without it
	// only the digits with the calling code find it, with or without a + before them.
	NormalizePhones bool
	// HideIDs leaves the id out of the rows, as on https://docs.telecrm.in/sync-api/leads/examples.
	HideIDs bool
	// Twins shows every lead twice, the second time under another id.
	Twins bool
	// IndexDelay is how long after its creation a lead is not found, by Config.Now.
	IndexDelay time.Duration
	// IndexSearches is how many searches that should find a lead do not, before one does. A search within IndexDelay does
	// not count.
	IndexSearches int
}

// Sandbox is an in-memory CRM. It is safe for concurrent use. Make one with New, and call Close when done with it.
type Sandbox struct {
	cfg    Config
	schema *Schema

	closing sync.Once
	closed  chan struct{}

	mu         sync.Mutex
	requests   int
	operations map[Op]int // requests by operation
	shared     int        // requests that FailShare was asked about
	faults     []Fault
	store      store
}

// New makes a sandbox. It returns an error that names the setting when one is missing or makes no sense.
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
	return &Sandbox{
		cfg:        cfg,
		schema:     schema,
		closed:     make(chan struct{}),
		operations: make(map[Op]int),
		store:      newStore(cfg.KeepLeads),
	}, nil
}

func (c Config) validate() error {
	switch {
	case c.Token == "":
		return errors.New("a token is required: choose any, and give the client the same")
	case strings.ContainsAny(c.Token, " \t\r\n"):
		return errors.New("the token must not contain white space")
	case strings.ContainsAny(c.AsyncToken, " \t\r\n"):
		return errors.New("the async token must not contain white space")
	case c.AsyncToken == c.Token:
		return errors.New("the async token is the same as the token: each API refuses the token of the other")
	case c.EnterpriseID == "":
		return errors.New("an enterprise id is required: choose any, and give the client the same")
	case c.Latency < 0:
		return fmt.Errorf("latency %v is negative", c.Latency)
	case c.AsyncDelay < 0:
		return fmt.Errorf("async delay %v is negative", c.AsyncDelay)
	case c.KeepLeads < 0:
		return fmt.Errorf("keeping %d leads is impossible: use 0 to keep all", c.KeepLeads)
	case c.Search.IndexDelay < 0:
		return fmt.Errorf("index delay %v is negative", c.Search.IndexDelay)
	case c.Search.IndexSearches < 0:
		return fmt.Errorf("an index after %d searches is impossible: use 0 for one at once", c.Search.IndexSearches)
	case !(c.FailShare >= 0 && c.FailShare <= 1): // NaN too
		return fmt.Errorf("fail share %v is not between 0 and 1", c.FailShare)
	case c.FailShare > 0 && (c.FailStatus < 300 || c.FailStatus > 599):
		return fmt.Errorf("fail status %d is not between 300 and 599", c.FailStatus)
	}
	return nil
}

// ServeHTTP answers API requests and serves the page. Requests for the page are GET or HEAD to one of its own paths;
// every other request counts as an API request and can meet a fault.
//
// To cut a connection without an answer it panics with http.ErrAbortHandler, which HTTP servers understand.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page := s.pageHandler(r.URL.Path)
	if page != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		page(w, r)
		return
	}
	s.serveAPI(w, r)
}

// Leads returns the leads in order of arrival. They are deep copies and the caller's to change.
func (s *Sandbox) Leads() []Lead {
	s.lock()
	defer s.mu.Unlock()
	leads := make([]Lead, len(s.store.records))
	for i, rec := range s.store.records {
		leads[i] = rec.lead.clone()
	}
	return leads
}

// Requests returns how many API requests came in since New or Reset, refused and failed ones included.
func (s *Sandbox) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// Creates returns how many of the Requests were for creating a lead, refused and failed ones included.
func (s *Sandbox) Creates() int { return s.Count(OpCreate) }

// Searches returns how many of the Requests were for finding leads, refused and failed ones included.
func (s *Sandbox) Searches() int { return s.Count(OpSearch) }

// Count returns how many of the Requests were for that operation, refused and failed ones included.
func (s *Sandbox) Count(op Op) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.operations[op]
}

// Inject queues faults. Each one is used up by one following API request, in order, and goes before Config.FailShare. A
// request passes over the faults of another Fault.Op, which stay in their place.
func (s *Sandbox) Inject(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		f.Header = f.Header.Clone()
		s.faults = append(s.faults, f)
	}
}

// Delete forgets a lead, as if somebody had deleted it in TeleCRM, and reports whether there was one of that id. Its
// identifier becomes free again. Open pages start over.
func (s *Sandbox) Delete(id string) bool {
	s.lock()
	defer s.mu.Unlock()
	return s.store.forget(id)
}

// Reset forgets the leads, those that the Async API is still to create or update too, the queued faults and the counts of requests. Open pages are emptied.
func (s *Sandbox) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.shared, s.faults = 0, 0, nil
	clear(s.operations)
	s.store.clear()
}

// Close ends the page's event streams and every wait that is under way; what was waiting is answered at once. It returns
// without waiting for them and may be called more than once. A closed sandbox still answers, without delays.
func (s *Sandbox) Close() {
	s.closing.Do(func() { close(s.closed) })
}

// wait pauses for d. It ends early when the sandbox closes, and reports false when the client has gone away.
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

// newID makes an id that looks like TeleCRM's: 24 hexadecimal digits.
func newID() string {
	var id [12]byte
	_, _ = rand.Read(id[:]) // documented never to fail
	return hex.EncodeToString(id[:])
}
