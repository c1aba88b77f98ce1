package pgstore_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/postgres/pgstore"
)

// joinLogged opens the store as another node, with its log.
func (f *fleet) joinLogged(t *testing.T, name string) (*pgstore.Store, *observer.ObservedLogs) {
	t.Helper()
	core, log := observer.New(zapcore.InfoLevel)
	store, err := pgstore.Open(t.Context(), address(t, f.server.DSN()), pgstore.Options{Schema: f.schema, Node: name, PoolSize: 4, Logger: zap.New(core)})
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	return store, log
}

// lines returns the log so far in short, and empties it.
func lines(log *observer.ObservedLogs) string {
	taken := log.TakeAll()
	list := make([]string, 0, len(taken))
	for _, l := range taken {
		line := l.Level.String()
		for _, name := range []string{"account", "setting", "values"} {
			if value, ok := l.ContextMap()[name]; ok {
				line += fmt.Sprintf(" %v", value)
			}
		}
		list = append(list, line)
	}
	return strings.Join(list, "; ")
}

func settingsOf(account, setting, value string) outbox.Settings {
	s := make(outbox.Settings)
	s.Add(account, setting, value)
	return s
}

// Each node warns once about a setting that differs, and says so when it no longer does.
func TestDisagreement(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, logA := f.joinLogged(t, "a")
	b, logB := f.joinLogged(t, "b")
	keep := func(nodes ...*pgstore.Store) {
		t.Helper()
		for range 2 { // the first round publishes
			for _, n := range nodes {
				must(t, n.Keep(t.Context()))
			}
		}
	}
	expect := func(doing, want string) {
		t.Helper()
		for node, log := range map[string]*observer.ObservedLogs{"a": logA, "b": logB} {
			if got := lines(log); got != want {
				t.Errorf("%s, node %s logged %q, want %q", doing, node, got, want)
			}
		}
	}
	a.PublishSettings(settingsOf("default", "crm_rate", "3600/h 5"))
	b.PublishSettings(settingsOf("default", "crm_rate", "3600/h 5"))
	keep(a, b)
	expect("with the same settings", "")
	b.PublishSettings(settingsOf("default", "crm_rate", "60/h 5"))
	keep(a, b)
	keep(a, b)
	warning := "warn default crm_rate [3600/h 5 on a 60/h 5 on b]"
	expect("with another rate", warning)
	fleet, err := a.Fleet(t.Context())
	must(t, err)
	if got := fmt.Sprint(outbox.Disagreements(fleet.Nodes)); got != "[crm_rate of account default: 3600/h 5 on a, 60/h 5 on b]" {
		t.Errorf("the state of the fleet has %s", got)
	}
	// A third node with a value that is known is not news. Another value is.
	c, logC := f.joinLogged(t, "c")
	c.PublishSettings(settingsOf("default", "crm_rate", "60/h 5"))
	keep(a, b, c)
	expect("with a third node", "")
	if got := lines(logC); got != "warn default crm_rate [3600/h 5 on a 60/h 5 on b and c]" {
		t.Errorf("node c logged %q", got)
	}
	must(t, c.Close())
	b.PublishSettings(settingsOf("default", "crm_rate", "120/h 5"))
	keep(a, b)
	expect("with a third rate", "warn default crm_rate [3600/h 5 on a 120/h 5 on b]")
	b.PublishSettings(settingsOf("default", "crm_rate", "3600/h 5"))
	keep(a, b)
	expect("with the same settings again", "info default crm_rate")
}

// A node that leaves takes its settings along, and so does one that dies.
func TestDisagreementEnds(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, log := f.joinLogged(t, "a")
	a.PublishSettings(settingsOf("", "retry_for", "72h0m0s"))
	must(t, a.Keep(t.Context()))
	for _, end := range []func(*pgstore.Store) error{
		(*pgstore.Store).Close,
		func(s *pgstore.Store) error {
			must(t, s.Die())
			f.endLease(t, "b")
			return nil
		},
	} {
		b := f.join(t, "b")
		b.PublishSettings(settingsOf("", "retry_for", "1h0m0s"))
		must(t, b.Keep(t.Context()))
		must(t, a.Keep(t.Context()))
		must(t, end(b))
		must(t, a.Keep(t.Context()))
		if got := lines(log); got != "warn retry_for [72h0m0s on a 1h0m0s on b]; info retry_for" {
			t.Errorf("node a logged %q", got)
		}
	}
}

// Rows of nodes that do not publish settings, or ones that cannot be read, are ignored. So is what a
// process of the same machine left behind when it was killed.
func TestUncomparableNodes(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	killed := f.join(t, "a")
	killed.PublishSettings(settingsOf("default", "crm_rate", "1/h 1"))
	must(t, killed.Keep(t.Context()))
	must(t, killed.Die())
	schema := pgx.Identifier{f.schema}.Sanitize()
	// As a program with the first version of the schema writes it.
	must(t, f.server.Exec(t.Context(), "INSERT INTO "+schema+".nodes (id, name, joined_at, leased_until) VALUES ('x', 'old', now(), now() + interval '1 minute')"))
	must(t, f.server.Exec(t.Context(), "INSERT INTO "+schema+".nodes (id, name, joined_at, leased_until, settings) VALUES ('y', 'strange', now(), now() + interval '1 minute', '[')"))
	a, log := f.joinLogged(t, "a")
	a.PublishSettings(settingsOf("default", "crm_rate", "3600/h 5"))
	must(t, a.Keep(t.Context()))
	must(t, a.Keep(t.Context()))
	if got := lines(log); got != "" {
		t.Errorf("node a logged %q", got)
	}
	fleet, err := a.Fleet(t.Context())
	must(t, err)
	if d := outbox.Disagreements(fleet.Nodes); len(fleet.Nodes) != 4 || len(d) > 0 {
		t.Errorf("%d nodes disagree about %v", len(fleet.Nodes), d)
	}
}

// Settings are published soon after they change, and again by a node that has joined anew.
func TestPublishedSoon(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.join(t, "a"), f.join(t, "b")
	await := func(want string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			fleet, err := b.Fleet(t.Context())
			must(t, err)
			got := fmt.Sprint(fleet.Nodes[0].Settings)
			if got == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("node a has published %s, want %s", got, want)
			}
		}
	}
	a.PublishSettings(settingsOf("default", "crm_rate", "1/s 5"))
	await("map[default:map[crm_rate:1/s 5]]")
	a.PublishSettings(settingsOf("default", "crm_rate", "2/s 5"))
	await("map[default:map[crm_rate:2/s 5]]")
	f.endLease(t, "a")
	must(t, a.Keep(t.Context()))
	await("map[default:map[crm_rate:2/s 5]]")
}

// A fleet is upgraded one node after another. A node that knows an earlier version of the schema goes
// on, with its statements, after another one has changed the tables.
func TestUpgradeOfNodes(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	must(t, pgstore.MigrateTo(t.Context(), address(t, f.server.DSN()), f.schema, pgstore.BeforeSettings))
	schema := pgx.Identifier{f.schema}.Sanitize()
	renew := "UPDATE " + schema + ".nodes SET leased_until = clock_timestamp() + interval '1 minute' WHERE id = 'old'"
	must(t, f.server.Exec(t.Context(), "INSERT INTO "+schema+".nodes (id, name, joined_at, leased_until) VALUES ('old', 'old', clock_timestamp(), clock_timestamp()); "+renew))
	upgraded := f.join(t, "new")
	upgraded.PublishSettings(settingsOf("default", "crm_rate", "1/h 1"))
	must(t, f.server.Exec(t.Context(), renew))
	must(t, upgraded.Keep(t.Context()))
	fleet, err := upgraded.Fleet(t.Context())
	must(t, err)
	if len(fleet.Nodes) != 2 || fleet.Nodes[0].Settings == nil || fleet.Nodes[1].Settings != nil {
		t.Errorf("the nodes are %+v", fleet.Nodes)
	}
	wantError(t, "erasing", upgraded.EraseEverywhere(t.Context(), lead().ID), outbox.ErrNotFound)
}
