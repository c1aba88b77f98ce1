// Package handlertest tests the whole handler in the test's own process, from the request to the
// log and the leads in a strict stand-in for TeleCRM.
package handlertest

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	caddytelecrm "github.com/leadwire/caddy-telecrm"
	"github.com/leadwire/caddy-telecrm/internal/account"
	"github.com/leadwire/caddy-telecrm/internal/challenges"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/internal/seam"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

const (
	testToken      = "11111111-2222-3333-1700000000000:44444444-5555-6666"
	testAsyncToken = "77777777-8888-9999-1700000000000:00000000-1111-2222"
	testEnterprise = "66aa00bb11cc22dd33ee44ff"
)

// crm is a stand-in for TeleCRM with a listening server.
type crm struct {
	*sandbox.Sandbox
	url string
}

func newCRM(t testing.TB) crm {
	t.Helper()
	return startCRM(t, sandbox.Config{Token: testToken, AsyncToken: testAsyncToken, EnterpriseID: testEnterprise})
}

func startCRM(t testing.TB, config sandbox.Config) crm {
	t.Helper()
	stand, err := sandbox.New(config)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(stand)
	t.Cleanup(func() {
		stand.Close()
		server.Close()
	})
	return crm{stand, server.URL + "/autoupdate/v2"}
}

// rig builds a config with one handler, its app and their logs.
type rig struct {
	settings account.Settings // of the default account
	block    string           // the contents of a telecrm directive
	paths    []string         // that the directive matches; empty for all
	seam     seam.Seam
	clock    *clock
	guest    dispatch.Guest // nil if the outbox is off

	id   string // of the logs
	logs *logs

	ctx      caddy.Context
	app      *caddytelecrm.App
	verifier *challenges.Verifier // see [testHandler.verifier]
}

// testHandler is a handler with its log.
type testHandler struct {
	*caddytelecrm.Handler
	*rig

	log *observer.ObservedLogs
}

// clock is the machine's clock plus an offset.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time        { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) turn(by time.Duration) { c.offset.Add(int64(by)) }

func newRig(baseURL, block string) *rig {
	clock := new(clock)
	id, logs := newLogs()
	return &rig{block: block, id: id, logs: logs, clock: clock, seam: seam.Seam{Now: clock.now}, settings: account.Settings{
		Token: testToken, AsyncToken: testAsyncToken, EnterpriseID: testEnterprise,
		BaseURL: baseURL, AsyncBaseURL: strings.TrimSuffix(baseURL, "/autoupdate/v2"), CRMRate: "1000000/s 1000",
		Country: "IN", TimeZone: "Asia/Kolkata",
	}}
}

// newHandler provisions the handler that block, the inside of a telecrm directive, describes, with
// a default account at baseURL and no outbox, and starts its app.
func newHandler(t testing.TB, baseURL, block string) testHandler {
	t.Helper()
	h := newRig(baseURL, block).handler(t)
	if err := h.app.Start(); err != nil {
		t.Fatal(err)
	}
	return h
}

func (r *rig) handler(t testing.TB) testHandler {
	t.Helper()
	h, err := r.provision(t)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// provision provisions the handler in a new config.
func (r *rig) provision(t testing.TB) (testHandler, error) {
	t.Helper()
	r.ctx = r.context(t)
	return r.provisionIn(t, r.ctx)
}

// provisionIn provisions another handler of a config.
func (r *rig) provisionIn(t testing.TB, ctx caddy.Context) (testHandler, error) {
	t.Helper()
	h := new(caddytelecrm.Handler)
	if err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser("telecrm {\n" + r.block + "\n}")); err != nil {
		return testHandler{}, err
	}
	if len(r.paths) > 0 {
		h.MatchRaw = caddyhttp.RawMatcherSets{{"path": caddyconfig.JSON(r.paths, nil)}}
	}
	app, err := ctx.App("telecrm")
	if err != nil {
		return testHandler{}, err
	}
	r.app = app.(*caddytelecrm.App)
	if err := h.Provision(seam.With(ctx, r.seam)); err != nil {
		return testHandler{}, err
	}
	r.logs.handler.TakeAll() // most tests look only at later entries
	return testHandler{h, r, r.logs.handler}, h.Validate()
}

// context returns the context of a config with the default account and the outbox.
func (r *rig) context(t testing.TB) caddy.Context {
	t.Helper()
	outboxRaw := json.RawMessage(`{"store":"off"}`)
	if r.guest != nil {
		guests.Store(r.id, r.guest)
		outboxRaw = caddyconfig.JSON(testOutbox{ID: r.id, Store: "handlertest"}, nil)
	}
	app := caddyconfig.JSON(caddytelecrm.App{
		OutboxRaw: outboxRaw, Check: "off", Accounts: map[string]*account.Settings{account.Default: &r.settings},
	}, nil)
	ctx, err := caddy.ProvisionContext(&caddy.Config{
		AppsRaw: caddy.ModuleMap{"telecrm": app},
		Logging: &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{
			Level: "DEBUG", WriterRaw: json.RawMessage(`{"output":"discard"}`), CoreRaw: caddyconfig.JSON(testCore{ID: r.id, Module: "handlertest"}, nil),
		}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

// serve passes r to h as Caddy does.
func (h testHandler) serve(r *http.Request) (*httptest.ResponseRecorder, *passed, error) {
	w := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
	next := &passed{}
	err := h.ServeHTTP(w, r, next)
	return w, next, err
}

// passed is a next handler that counts its requests.
type passed struct{ requests int }

func (p *passed) ServeHTTP(http.ResponseWriter, *http.Request) error {
	p.requests++
	return nil
}

func postForm(values url.Values) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "https://www.example.com/enquire", strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// submission returns the log fields of the last submission.
func (h testHandler) submission(t testing.TB) map[string]any {
	t.Helper()
	entries := h.log.FilterMessage("submission").All()
	if len(entries) == 0 {
		t.Fatal("no submission was logged")
	}
	return entries[len(entries)-1].ContextMap()
}

// logged returns the entries above info level whose message contains part.
func (h testHandler) logged(part string) []observer.LoggedEntry {
	return h.log.Filter(func(e observer.LoggedEntry) bool {
		return e.Level > zapcore.InfoLevel && strings.Contains(e.Message, part)
	}).All()
}

// patience bounds waiting for things that should happen soon, on a machine that is busy with other
// tests. A request that times out there, after ten seconds, is sent again after five.
const patience = 2 * time.Minute

// eventually waits until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

var sealed = regexp.MustCompile(`name="_stamp" value="([^"]+)"|name="([a-z]+_[0-9]+)"`)

// seal returns the trap's name and the stamp of a page that was served age ago.
func (h testHandler) seal(t testing.TB, age time.Duration) (trap, stamp string) {
	t.Helper()
	h.clock.turn(-age)
	defer h.clock.turn(age)
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "https://www.example.com/enquire", nil)
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	page := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, err := io.WriteString(w, `<form method="post"><input name="phone"></form>`)
		return err
	})
	if err := h.ServeHTTP(w, caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil), page); err != nil {
		t.Fatal(err)
	}
	for _, match := range sealed.FindAllStringSubmatch(w.Body.String(), -1) {
		stamp, trap = cmp.Or(stamp, match[1]), cmp.Or(trap, match[2])
	}
	if stamp == "" || trap == "" {
		t.Fatalf("the page is not protected: %s", w.Body)
	}
	return trap, stamp
}

func TestMain(m *testing.M) {
	storage, err := os.MkdirTemp("", "caddy-telecrm")
	if err == nil {
		err = os.Setenv("XDG_DATA_HOME", storage)
	}
	if err != nil {
		panic(err)
	}
	caddy.DefaultStorage.Path = storage
	code := m.Run()
	_ = os.RemoveAll(storage)
	os.Exit(code)
}
