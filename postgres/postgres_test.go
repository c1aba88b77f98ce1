package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/spool"
	"github.com/leadwire/caddy-telecrm/postgres"
	"github.com/leadwire/caddy-telecrm/postgres/internal/pgtest"
	"github.com/leadwire/caddy-telecrm/postgres/pgstore"
)

func TestCaddyfile(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"postgres {env.TELECRM_DSN}": `{"dsn":"{env.TELECRM_DSN}"}`,
		`postgres {file./run/dsn} {
			schema leads
			pool_size 4
			read_timeout 5s
			commit_timeout 20s
			append_timeout 1s
			node web-1
			spool /var/spool/telecrm
		}`: `{"dsn":"{file./run/dsn}","schema":"leads","pool_size":4,"read_timeout":5000000000,"commit_timeout":20000000000,` +
			`"append_timeout":1000000000,"node":"web-1","spool":"/var/spool/telecrm"}`,
		"postgres":                                 "takes one DSN",
		"postgres a b":                             "takes one DSN",
		"postgres {env.X} {\nschema \"a b\"\n}":    "lower-case letters",
		"postgres {env.X} {\npool_size 0\n}":       "above zero",
		"postgres {env.X} {\nread_timeout soon\n}": "must be a duration",
		"postgres {env.X} {\ncolour red\n}":        "colour",
	} {
		o := new(postgres.Outbox)
		err := o.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text))
		got, _ := json.Marshal(o)
		if err != nil {
			got = []byte(err.Error())
		}
		if !strings.Contains(string(got), want) {
			t.Errorf("%s\ngives %s\nwant  %s", text, got, want)
		}
	}
}

// The example and the table of words in docs/fleet.md are those of the module.
func TestDocumented(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(document), "<!-- with postgres -->\n```caddyfile\n")
	_, example, _ = strings.Cut(example, "\toutbox ")
	if err := new(postgres.Outbox).UnmarshalCaddyfile(caddyfile.NewTestDispenser(example)); err != nil {
		t.Errorf("the example: %v", err)
	}

	err = new(postgres.Outbox).UnmarshalCaddyfile(caddyfile.NewTestDispenser("postgres {env.X} {\nno_such_word\n}"))
	_, known, _ := strings.Cut(err.Error(), "known words are: ")
	known, _, _ = strings.Cut(known, ", at ")
	defaults := map[string]string{
		"schema": "`" + pgstore.DefaultSchema + "`", "pool_size": fmt.Sprintf("`%d`", pgstore.DefaultPoolSize),
		"read_timeout": fmt.Sprintf("`%v`", pgstore.DefaultReadTimeout), "commit_timeout": fmt.Sprintf("`%v`", pgstore.DefaultCommitTimeout),
	}
	_, table, _ := strings.Cut(string(document), "<!-- words of outbox postgres -->\n")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")[2:]
	words := make([]string, 0, len(rows))
	for _, row := range rows {
		cells := strings.Split(row, " | ")
		word := strings.Trim(cells[0], "| `")
		words = append(words, word)
		if want := defaults[word]; want != "" && cells[1] != want {
			t.Errorf("%s: the documented default is %s, want %s", word, cells[1], want)
		}
	}
	if got := strings.Join(words, ", "); got != known {
		t.Errorf("the table has the words %s, the module %s", got, known)
	}
}

// The password is neither in the config nor in the name of the outbox.
func TestProvision(t *testing.T) {
	t.Setenv("TELECRM_DSN", "postgres://app:hunter2@db.example/leads")
	o := &postgres.Outbox{DSN: "{env.TELECRM_DSN}"}
	if err := o.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	config, _ := json.Marshal(o)
	resource, err := o.Resource()
	if err != nil || resource != "postgres db.example:5432/leads telecrm" {
		t.Errorf("resource %q, error %v", resource, err)
	}
	if strings.Contains(string(config), "hunter2") {
		t.Errorf("config %s", config)
	}
	for dsn, want := range map[string]string{
		"{env.TELECRM_MISSING}": "TELECRM_MISSING is not set",
		"hunter2":               "cannot be parsed",
	} {
		err := (&postgres.Outbox{DSN: dsn}).Provision(caddy.Context{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("DSN %s: error %v, want one with %q", dsn, err, want)
		}
	}
}

// The store starts without its server, keeps and delivers leads meanwhile, and moves them when the
// server is there. So it does when the server dies later.
func TestServerAway(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.WarnLevel)
	o := &postgres.Outbox{DSN: server.DSN(), Spool: filepath.Join(t.TempDir(), "spool")}
	if err := o.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	opened, err := o.Open(zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	s := opened.(*spool.Store)
	t.Cleanup(func() { _ = s.Close() })
	for _, how := range []struct {
		name string
		end  func() error
	}{{"at the start", server.Stop}, {"stopped", server.Stop}, {"killed", server.Kill}} {
		if err := how.end(); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for i := range 3 {
			e := lead()
			if i > 0 {
				e.BegunAt = e.CreatedAt
			}
			err := s.Append(t.Context(), e)
			for i > 0 && err != nil && how.name != "at the start" && strings.Contains(err.Error(), outbox.ErrBusy.Error()) {
				e.BegunAt = time.Time{} // the answer was lost
				err = s.Append(t.Context(), e)
			}
			if err != nil {
				t.Fatalf("appending while the server is away (%s): %v", how.name, err)
			}
			if i == 1 && !e.BegunAt.IsZero() {
				settle(t, s, e.ID)
			}
			ids = append(ids, e.ID)
		}
		if status := s.Status(); status.Trouble == nil || len(status.Spools) != 1 {
			t.Errorf("status while the server is away (%s): %+v", how.name, status)
		}
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		settle(t, s, ids[2])
		awaitMoved(t, s)
		for _, id := range ids {
			if _, err := s.Get(t.Context(), id); err != nil {
				t.Errorf("after the server was away (%s): %v", how.name, err)
			}
		}
	}
	page, err := s.List(t.Context(), outbox.Filter{})
	if err != nil || len(page) != 9 {
		t.Errorf("%d leads, error %v; want 9", len(page), err)
	}
	for _, entry := range logs.All() {
		if strings.Contains(entry.Message, "postgres://") {
			t.Errorf("the log has a DSN: %s", entry.Message)
		}
	}
}

func lead() outbox.Entry {
	return outbox.Entry{ID: uuid.Must(uuid.NewV7()).String(), Account: "default", Payload: []byte("{}"), CreatedAt: time.Now(), DueAt: time.Now()}
}

// settle settles an attempt as soon as the store can.
func settle(t *testing.T, s outbox.Store, id string) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		e, getting := s.Get(t.Context(), id)
		if getting == nil && e.BegunAt.IsZero() {
			return // it was not taken, because its answer was lost
		}
		if err = s.Settle(t.Context(), id, outbox.Settlement{State: outbox.Delivered, At: time.Now()}); err == nil {
			return
		}
	}
	t.Fatal(err)
}

func awaitMoved(t *testing.T, s *spool.Store) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if status := s.Status(); status.Trouble == nil && len(status.Spools) == 0 {
			return
		}
	}
	t.Fatalf("the leads have not moved: %+v", s.Status())
}

// A server that is not suitable does not keep the outbox from opening.
func TestUnsuitableServer(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	if err := server.Exec(t.Context(), "CREATE ROLE hasty LOGIN; ALTER ROLE hasty SET synchronous_commit = off"); err != nil {
		t.Fatal(err)
	}
	o := &postgres.Outbox{DSN: strings.Replace(server.DSN(), "postgres@", "hasty@", 1), Spool: filepath.Join(t.TempDir(), "spool")}
	if err := o.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	opened, err := o.Open(zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	s := opened.(*spool.Store)
	defer s.Close()
	if err := s.Append(context.WithoutCancel(t.Context()), lead()); err != nil {
		t.Error(err)
	}
	if trouble := s.Status().Trouble; trouble == nil || !strings.Contains(trouble.Error(), "synchronous_commit") {
		t.Errorf("trouble: %v", trouble)
	}
}

func TestMain(m *testing.M) {
	// Nothing is written to the real data folder.
	dir, err := os.MkdirTemp("", "telecrm-data-")
	if err == nil {
		err = os.Setenv("XDG_DATA_HOME", dir)
	}
	if err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}
