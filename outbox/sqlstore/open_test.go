package sqlstore_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

func open(path string, opts sqlstore.Options) (*sqlstore.Store, error) {
	return sqlstore.Open(context.Background(), path, opts)
}

func TestOpenMakesPrivateFiles(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // Windows has no file modes
	}
	path := filepath.Join(t.TempDir(), "caddy", "telecrm", "outbox.db")
	store := openAt(t, path)
	mustAppend(t, store)
	wantMode(t, filepath.Dir(path), 0o700)
	wantMode(t, filepath.Dir(filepath.Dir(path)), 0o700)
	for _, suffix := range []string{"", "-wal", "-shm", ".lock", ".reserve"} {
		wantMode(t, path+suffix, 0o600)
	}
	// A copy that somebody put there, with the log of a process that was killed, has any mode.
	copied := filepath.Join(t.TempDir(), "outbox.db")
	for _, suffix := range []string{"", "-wal", ".lock", ".reserve"} {
		content, err := os.ReadFile(path + suffix)
		must(t, err)
		must(t, os.WriteFile(copied+suffix, content, 0o600))
		must(t, os.Chmod(copied+suffix, 0o666))
	}
	mustAppend(t, openAt(t, copied))
	for _, suffix := range []string{"", "-wal", "-shm", ".lock", ".reserve"} {
		wantMode(t, copied+suffix, 0o600)
	}
}

func wantMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	if got := info.Mode().Perm(); got != want {
		t.Errorf("%s has mode %o, want %o", filepath.Base(path), got, want)
	}
}

// Open returns an error with advice for a path that cannot be an outbox. It does not change files
// that are not an outbox.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	must(t, os.Symlink(filepath.Join(dir, "nothing"), filepath.Join(dir, "dangling")))
	must(t, os.Symlink(filepath.Join(dir, "folder"), filepath.Join(dir, "to-folder")))
	must(t, os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "noise"), []byte(strings.Repeat("not a database ", 1000)), 0o600))
	foreign, err := sql.Open("sqlite", filepath.Join(dir, "foreign.db"))
	must(t, err)
	_, err = foreign.ExecContext(t.Context(), "CREATE TABLE somebody_elses (id INTEGER)")
	must(t, errors.Join(err, foreign.Close()))
	for name, advice := range map[string]string{
		"": "name a file", "folder": "name a regular file", "dangling": "symbolic link", "to-folder": "name a regular file",
		"empty/outbox.db": "name a file in a writable folder", "noise": "name another one", "foreign.db": "name another one",
	} {
		path := name
		if path != "" {
			path = filepath.Join(dir, path)
		}
		before, _ := os.ReadFile(path)
		store, err := open(path, sqlstore.Options{})
		if err == nil {
			store.Close()
			t.Errorf("Open(%q): no error", name)
			continue
		}
		if !strings.Contains(err.Error(), advice) || !strings.Contains(err.Error(), path) {
			t.Errorf("Open(%q): error %q, want one with %q", name, err, advice)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Errorf("Open(%q) changed the file", name)
		}
	}
}

func TestOpenUnwritableFolder(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // Windows has no file modes
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "outbox.db")
	if os.Geteuid() == 0 {
		// Only the kernel can refuse root.
		path = "/proc/telecrm/outbox.db"
	} else {
		must(t, os.Chmod(dir, 0o500))
	}
	store, err := open(path, sqlstore.Options{})
	if err == nil {
		store.Close()
		t.Fatal("no error")
	}
	if !strings.Contains(err.Error(), "writable for Caddy") {
		t.Errorf("error %q, want advice to make the folder writable", err)
	}
}

func TestOpenFollowsLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target.db"), filepath.Join(dir, "link.db")
	must(t, openAt(t, target).Close())
	must(t, os.Symlink(target, link))
	store := openAt(t, link)
	mustAppend(t, store)
	must(t, store.Close())
	info, err := os.Lstat(link)
	must(t, err)
	if info.Mode().Type() != os.ModeSymlink {
		t.Error("the link was replaced")
	}
	if n := len(dump(t, openAt(t, target))); n != 1 {
		t.Errorf("%d entries, want 1", n)
	}
}

func TestOpenEmptyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	must(t, os.WriteFile(path, nil, 0o600))
	store := openAt(t, path)
	mustAppend(t, store)
	must(t, store.Close())
	wantFiles(t, filepath.Dir(path), "outbox.db", "outbox.db.lock", "outbox.db.reserve")
}

func TestOpenRefusesNewer(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	mustAppend(t, store)
	must(t, store.Close())
	setVersion := func(inHeader, inLedger int) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		must(t, err)
		_, err = db.ExecContext(t.Context(), fmt.Sprintf("PRAGMA user_version = %d; UPDATE ledger SET version = %d", inHeader, inLedger))
		must(t, errors.Join(err, db.Close()))
	}
	setVersion(1000, 1000)
	before, err := os.ReadFile(path)
	must(t, err)
	_, err = open(path, sqlstore.Options{})
	if !errors.Is(err, outbox.ErrNewer) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want one wrapping ErrNewer that names the file", err)
	}
	after, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
	wantFiles(t, filepath.Dir(path), "outbox.db", "outbox.db.lock", "outbox.db.reserve")

	// Damage may have changed one of the two versions.
	for _, versions := range [][2]int{{1 << 20, 1}, {1, 1 << 20}, {0, 1}, {1, 0}} {
		setVersion(versions[0], versions[1])
		store := openAt(t, path)
		if n := len(dump(t, store)); n != 1 {
			t.Errorf("with versions %v: %d entries, want 1", versions, n)
		}
		must(t, store.Close())
	}
}

func init() { roles["hold"] = hold }

// hold opens an outbox, reports that on stdout, and closes it at the end of stdin.
func hold(path string) error {
	store, err := open(path, sqlstore.Options{})
	if err != nil {
		return err
	}
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return store.Close()
}

func startHolder(t *testing.T, path string) *child {
	t.Helper()
	other := startChild(t, "hold", path)
	if !other.lines.Scan() {
		t.Fatal("the other process did not open the outbox")
	}
	return other
}

func TestOneProcessAtATime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	other := startHolder(t, path)
	_, err := open(path, sqlstore.Options{LockTimeout: time.Millisecond})
	wantInUse(t, path, err)
	other.stop()
	must(t, other.Wait())

	// Two stores in one process cannot share a file either.
	openAt(t, path)
	_, err = open(path, sqlstore.Options{LockTimeout: time.Millisecond})
	wantInUse(t, path, err)
}

func wantInUse(t *testing.T, path string, err error) {
	t.Helper()
	if !errors.Is(err, outbox.ErrInUse) {
		t.Fatalf("error %v, want one wrapping ErrInUse", err)
	}
	want := "opening outbox " + path + ": the outbox is in use by another process; " +
		`stop that process, or give each Caddy its own file with "outbox sqlite <file>"`
	if err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

func TestOpenWaitsForLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	other := startHolder(t, path)
	opened := make(chan error, 1)
	go func() {
		store, err := open(path, sqlstore.Options{LockTimeout: time.Minute})
		if err == nil {
			err = store.Close()
		}
		opened <- err
	}()
	other.stop()
	must(t, other.Wait())
	must(t, <-opened)
}

// Other programs can read the outbox while it is open.
func TestOtherProgramsCanRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	mustAppend(t, store)
	db, err := sql.Open("sqlite", path)
	must(t, err)
	var state, payloadText string
	must(t, db.QueryRowContext(t.Context(), "SELECT state, payload FROM leads").Scan(&state, &payloadText))
	if state != "waiting" || payloadText != string(payload) {
		t.Errorf("the view shows %q, %q", state, payloadText)
	}
	must(t, db.Close())
	mustAppend(t, store)
}
