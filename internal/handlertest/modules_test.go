package handlertest

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/outbox"
)

func init() {
	caddy.RegisterModule(testOutbox{})
	caddy.RegisterModule(testCore{})
}

// guests holds the outboxes of tests, by id.
var guests sync.Map

// testOutbox is a module for an outbox of a test.
type testOutbox struct {
	Store string `json:"store,omitempty"`
	ID    string `json:"id,omitempty"`
}

func (testOutbox) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "telecrm.outbox.handlertest", New: func() caddy.Module { return new(testOutbox) }}
}

func (o *testOutbox) guest() dispatch.Guest {
	guest, _ := guests.Load(o.ID)
	return guest.(dispatch.Guest)
}

func (o *testOutbox) Resource() (string, error) { return o.guest().Resource() }

func (o *testOutbox) Open(logger *zap.Logger) (outbox.Store, error) { return o.guest().Open(logger) }

// logs holds the logs of a config's app and handlers.
type logs struct {
	app, handler         *observer.ObservedLogs
	appCore, handlerCore zapcore.Core
	discard              atomic.Bool // for benchmarks
}

// observedLogs holds the logs of rigs, by id.
var observedLogs sync.Map

// newLogs returns empty logs, and the id with which a config's core finds them.
func newLogs() (id string, _ *logs) {
	l := new(logs)
	l.appCore, l.app = observer.New(zapcore.DebugLevel)
	l.handlerCore, l.handler = observer.New(zapcore.DebugLevel)
	id = uuid.NewString()
	observedLogs.Store(id, l)
	return id, l
}

// testCore is a log core that records the log of a config.
type testCore struct {
	Module string `json:"module,omitempty"`
	ID     string `json:"id,omitempty"`

	logs *logs
	with []zapcore.Field
}

func (testCore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.cores.handlertest", New: func() caddy.Module { return new(testCore) }}
}

func (c *testCore) Provision(caddy.Context) error {
	found, _ := observedLogs.Load(c.ID)
	c.logs = found.(*logs)
	return nil
}

func (c *testCore) Enabled(zapcore.Level) bool { return true }

func (c *testCore) With(fields []zapcore.Field) zapcore.Core {
	return &testCore{logs: c.logs, with: append(slices.Clip(c.with), fields...)}
}

func (c *testCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return checked.AddCore(entry, c)
}

func (c *testCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	if c.logs.discard.Load() {
		return nil
	}
	fields = append(slices.Clip(c.with), fields...)
	switch entry.LoggerName {
	case "telecrm":
		return c.logs.appCore.Write(entry, fields)
	case "", "http.handlers.telecrm": // the first is a handler that no server has loaded
		return c.logs.handlerCore.Write(entry, fields)
	}
	return nil
}

func (c *testCore) Sync() error { return nil }
