package command

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/leadwire/caddy-telecrm/internal/cli"
	_ "github.com/leadwire/caddy-telecrm/modules/outboxes"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

// The command moves all leads as they are, and says what is in the way.
func TestOutboxCopy(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from.db"), filepath.Join(dir, "to.db")
	store := open(t, from)
	const leads = 450
	for i := range leads {
		e := outbox.Entry{
			ID: uuid.Must(uuid.NewV7()).String(), Account: "default", Form: "/enquire", Identifier: "91812345" + string(rune('0'+i%10)),
			Payload: []byte("{}"), CreatedAt: time.Now(), DueAt: time.Now(),
		}
		if i%3 == 0 {
			e.BegunAt = e.CreatedAt
		}
		if err := store.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if i%3 != 0 {
			continue
		}
		if err := store.Settle(t.Context(), e.ID, outbox.Settlement{State: outbox.Delivered, At: time.Now(), LeadID: "lead-1"}); err != nil {
			t.Fatal(err)
		}
	}
	want, err := store.List(t.Context(), outbox.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := outboxCopy(t, "sqlite "+from, "sqlite "+to); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("copying from an outbox that is in use: error %v", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	out, err := outboxCopy(t, "sqlite "+from, "sqlite "+to)
	if err != nil || out != "450 leads have moved\n" {
		t.Errorf("output %q, error %v", out, err)
	}
	if out, err := outboxCopy(t, "sqlite "+from, "sqlite "+to); err != nil || out != "0 leads have moved\n" {
		t.Errorf("again: output %q, error %v", out, err)
	}
	store = open(t, to)
	defer store.Close()
	got, err := store.List(t.Context(), outbox.Filter{})
	if err != nil || len(got) != leads {
		t.Fatalf("%d leads, error %v", len(got), err)
	}
	for i := range got {
		if got[i].ID != want[i].ID || got[i].State != want[i].State || !got[i].DueAt.Equal(want[i].DueAt) || got[i].LeadID != want[i].LeadID {
			t.Fatalf("lead %d is %+v, want %+v", i, got[i], want[i])
		}
	}
	if id, _, err := store.Recall(t.Context(), "default", "918123450"); id != "lead-1" || err != nil {
		t.Errorf("Recall = %q, %v", id, err)
	}
	for _, test := range []struct{ from, want string }{
		{"sqlite " + filepath.Join(dir, "missing.db"), "no such file"},
		{"sqlite a b", "takes at most one file"},
		{"off", "does not keep leads"},
		{"sqlit " + to, `unknown word "sqlit"; did you mean sqlite?`},
		{"outbox sqlite " + to, "leave out the word outbox"},
		{"postgres://app:hunter2@db.example/leads", "write what kind it is before the DSN: postgres {env.TELECRM_DSN}"},
		{"outbox postgres://app:hunter2@db.example/leads", "leave out the word outbox"},
		{to, "write what kind it is before the file: sqlite " + to},
		{"postgres {env.X}", "not in this Caddy; build one with xcaddy build"},
		{"", "must be written as in a Caddyfile"},
		{"sqlite " + to, "are the same"},
	} {
		out, err := outboxCopy(t, test.from, "sqlite "+to)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("copying from %q: output %q, error %v, want %q", test.from, out, err, test.want)
		}
	}
}

func open(t *testing.T, path string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), path, sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func outboxCopy(t *testing.T, from, to string) (string, error) {
	t.Helper()
	root := &cobra.Command{Use: "telecrm", SilenceErrors: true, SilenceUsage: true}
	cli.Build(root, nil, nil, nil, openOutbox)
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs([]string{"outbox", "copy", from, to})
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}
