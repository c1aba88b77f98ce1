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

// crm is a stand-in for TeleCRM that lives in the test, outlives every Caddy,
// and remembers each request that reached it.
type crm struct {
	sandbox *sandbox.Sandbox
	address string

	mu       sync.Mutex
	server   *http.Server // nil while it is down
	fails    func(nth int) sandbox.Fault
	failed   int
	refuses  func(lead string) sandbox.Fault // its status is 0 for those that are not refused
	tokens   map[string]bool
	requests []*request
	underWay int
	last     time.Time // when one was last answered
}

// request is one that reached the CRM.
type request struct {
	lead     string // the name in it; empty if it is no create
	arrived  time.Time
	answered time.Time // zero while it is under way
	status   int       // 0: the connection was cut
	gone     bool      // Caddy did not wait for the answer
}

// newCRM starts a CRM that takes so long for each answer. It acts on a
// request before that time, so that a crash meanwhile loses the answer only.
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
	c.rise(t)
	t.Cleanup(func() {
		c.fall()
		box.Close()
	})
	return c
}

// rise has the CRM listen.
func (c *crm) rise(t *testing.T) {
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

// fall cuts all connections and refuses new ones.
func (c *crm) fall() {
	c.mu.Lock()
	server := c.server
	c.server = nil
	c.mu.Unlock()
	if server != nil {
		_ = server.Close()
	}
}

// fail has every request meet the fault that fails returns for it, until
// healed.
func (c *crm) fail(fails func(nth int) sandbox.Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fails, c.failed = fails, 0
}

func (c *crm) heal() { c.fail(nil) }

// refuse has each create meet the fault that refuses returns for its lead;
// nil has none refused.
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

// inTurn returns one of the named faults after the other.
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

// ServeHTTP notes the request, and has the sandbox answer it.
func (c *crm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // Caddy went away before it was sent
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

// leadOf returns the name in a create; empty if the request is another.
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
	c.underWay++
	return noted
}

func (c *crm) end(noted *request, status int, gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = time.Now()
	noted.status, noted.answered, noted.gone = status, c.last, gone
	c.underWay--
}

// authorize has the sandbox, which knows one token, take all valid ones.
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

// inject queues the fault that this request, or one beside it, will meet.
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

// seenAfter returns the requests that arrived after that time.
func (c *crm) seenAfter(after time.Time) []request {
	var list []request
	for _, r := range c.seen() {
		if r.arrived.After(after) {
			list = append(list, r)
		}
	}
	return list
}

// busy tells how many requests are under way.
func (c *crm) busy() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.underWay
}

// quietSince tells when the last request arrived or was answered; now, if one
// is under way.
func (c *crm) quietSince() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.underWay > 0 {
		return time.Now()
	}
	return c.last
}

// statusWriter remembers the status that was written.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
