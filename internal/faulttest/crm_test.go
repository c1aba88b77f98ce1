//go:build linux

package faulttest

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

const (
	enterpriseID = "66aa00bb11cc22dd33ee44ff"
	firstToken   = "11111111-8888-7777-1700000000000:66666666-5555-4444"
	secondToken  = "22222222-8888-7777-1700000000000:66666666-5555-4444"
)

// crm is a stand-in for TeleCRM. It runs in the test, outlives every Caddy, and records each
// request.
type crm struct {
	sandbox *sandbox.Sandbox
	address string

	mu       sync.Mutex
	server   *http.Server // nil while the CRM is down
	fails    func(nth int) sandbox.Fault
	failed   int
	refuses  func(lead string) sandbox.Fault // status 0: not refused
	tokens   map[string]bool
	requests []*request
	inFlight int
	last     time.Time // of the last answer
}

// request is a request that reached the CRM.
type request struct {
	lead     string // the lead's name; empty if it is not a create
	arrived  time.Time
	answered time.Time // zero while in flight
	status   int       // 0: the connection was cut
	gone     bool      // Caddy did not wait for the answer
}

// newCRM starts a CRM that delays each answer by latency. It acts on a request before the delay, so
// that a crash in between only loses the answer.
func newCRM(t *testing.T, latency time.Duration) *crm {
	t.Helper()
	box, err := sandbox.New(sandbox.Config{Token: firstToken, EnterpriseID: enterpriseID, Latency: latency})
	if err != nil {
		t.Fatal(err)
	}
	c := &crm{
		sandbox: box,
		address: "127.0.0.1:" + caddyproc.FreePort(t),
		tokens:  map[string]bool{firstToken: true},
	}
	c.listen(t)
	t.Cleanup(func() {
		c.close()
		box.Close()
	})
	return c
}

// listen starts listening.
func (c *crm) listen(t *testing.T) {
	t.Helper()
	var listener net.Listener
	await(t, "listener at the CRM's address", patience, func() (up bool) {
		var err error
		listener, err = caddyproc.Listen(t.Context(), c.address)
		return err == nil
	})
	server := &http.Server{Handler: c, ReadHeaderTimeout: time.Minute}
	c.mu.Lock()
	c.server = server
	c.mu.Unlock()
	go func() { _ = server.Serve(listener) }()
}

// close cuts all connections and refuses new ones.
func (c *crm) close() {
	c.mu.Lock()
	server := c.server
	c.server = nil
	c.mu.Unlock()
	if server != nil {
		_ = server.Close()
	}
}

// fail injects the fault that fails returns into every request, until heal is called.
func (c *crm) fail(fails func(nth int) sandbox.Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fails, c.failed = fails, 0
}

func (c *crm) heal() { c.fail(nil) }

// refuse answers each create with the fault that refuses returns for its lead. Nil stops that.
func (c *crm) refuse(refuses func(lead string) sandbox.Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuses = refuses
}

func (c *crm) refusal(lead string) sandbox.Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuses == nil || lead == "" {
		return sandbox.Fault{}
	}
	return c.refuses(lead)
}

// always returns the named fault for each request.
func always(name string) func(int) sandbox.Fault {
	return func(int) sandbox.Fault { return sandbox.Faults()[name] }
}

// inTurn returns the named faults in turn.
func inTurn(names ...string) func(int) sandbox.Fault {
	return func(nth int) sandbox.Fault { return sandbox.Faults()[names[nth%len(names)]] }
}

// revoke makes a token invalid; issue makes it valid.
func (c *crm) revoke(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.tokens, token)
}

func (c *crm) issue(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens[token] = true
}

// ServeHTTP records the request and passes it to the sandbox.
func (c *crm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // Caddy disconnected before the request was complete
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	noted := c.begin(leadOf(r, body), arrived)
	answer := &statusWriter{ResponseWriter: w}
	defer func() { c.end(noted, answer.status, r.Context().Err() != nil) }()
	if refused := c.refusal(noted.lead); refused.Status != 0 {
		answer.Header().Set("Content-Type", refused.ContentType)
		answer.WriteHeader(refused.Status)
		_, _ = io.WriteString(answer, refused.Body)
		return
	}
	c.authorize(r)
	c.inject()
	c.sandbox.ServeHTTP(answer, r)
}

// leadOf returns the lead's name in a create, or "" for other requests.
func leadOf(r *http.Request, body []byte) string {
	var create struct {
		Fields struct {
			Name string `json:"name"`
		} `json:"fields"`
	}
	if !strings.HasSuffix(r.URL.Path, "/lead") || json.Unmarshal(body, &create) != nil {
		return ""
	}
	return create.Fields.Name
}

func (c *crm) begin(lead string, arrived time.Time) *request {
	c.mu.Lock()
	defer c.mu.Unlock()
	noted := &request{lead: lead, arrived: arrived}
	c.requests = append(c.requests, noted)
	c.inFlight++
	return noted
}

func (c *crm) end(noted *request, status int, gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = time.Now()
	noted.status, noted.answered, noted.gone = status, c.last, gone
	c.inFlight--
}

// authorize replaces any valid token with the one that the sandbox knows.
func (c *crm) authorize(r *http.Request) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	c.mu.Lock()
	valid := c.tokens[token]
	c.mu.Unlock()
	if valid {
		token = firstToken
	} else {
		token = "revoked"
	}
	r.Header.Set("Authorization", "Bearer "+token)
}

// inject queues the fault for this request, or for a concurrent one.
func (c *crm) inject() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fails != nil {
		c.sandbox.Inject(c.fails(c.failed))
		c.failed++
	}
}

// seen returns the requests so far.
func (c *crm) seen() []request {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]request, len(c.requests))
	for i, r := range c.requests {
		list[i] = *r
	}
	return list
}

// seenAfter returns the requests that arrived after the given time.
func (c *crm) seenAfter(after time.Time) []request {
	var list []request
	for _, r := range c.seen() {
		if r.arrived.After(after) {
			list = append(list, r)
		}
	}
	return list
}

// busy counts the requests in flight.
func (c *crm) busy() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inFlight
}

// quietSince returns the time of the last answer, or now if a request is in flight.
func (c *crm) quietSince() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inFlight > 0 {
		return time.Now()
	}
	return c.last
}

// statusWriter records the written status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
