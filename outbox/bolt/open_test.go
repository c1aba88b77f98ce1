package bolt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/bolt"
)

func TestOpenMakesPrivateFiles(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // it has other permissions
	}
	path := filepath.Join(t.TempDir(), "caddy", "telecrm", "outbox.db")
	store := openAt(t, path)
	mustAppend(t, store)
	wantMode(t, filepath.Dir(path), 0o700)
	wantMode(t, filepath.Dir(filepath.Dir(path)), 0o700)
	wantMode(t, path, 0o600)
	wantMode(t, path+".lock", 0o600)
	wantMode(t, path+".journal", 0o600)

	must(t, store.Close())
	must(t, os.Chmod(path, 0o644))
	openAt(t, path)
	wantMode(t, path, 0o600)
}

func wantMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	if got := info.Mode().Perm(); got != want {
		t.Errorf("%s has mode %o, want %o", filepath.Base(path), got, want)
	}
}

func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	must(t, os.Symlink(filepath.Join(dir, "nothing"), filepath.Join(dir, "dangling")))
	must(t, os.Symlink(filepath.Join(dir, "folder"), filepath.Join(dir, "to-folder")))
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	for _, path := range []string{"", "folder", "dangling", "to-folder", "file/outbox.db"} {
		if path != "" {
			path = filepath.Join(dir, path)
		}
		store, err := bolt.Open(path, bolt.Options{})
		if err == nil {
			store.Close()
			t.Errorf("Open(%q): no error", path)
		}
	}
}

func TestOpenFollowsLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target.db"), filepath.Join(dir, "link.db")
	must(t, os.WriteFile(target, []byte("damaged, so that it is replaced"), 0o600))
	must(t, os.Symlink(target, link))
	mustAppend(t, openAt(t, link))
	info, err := os.Lstat(link)
	must(t, err)
	if info.Mode().Type() != os.ModeSymlink {
		t.Error("the link was replaced")
	}
}

func TestOpenEmptyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	must(t, os.WriteFile(path, nil, 0o600))
	mustAppend(t, openAt(t, path))
	wantFiles(t, filepath.Dir(path), "outbox.db", "outbox.db.journal", "outbox.db.lock", "outbox.db.reserve")
}

// A file of the schema's first version lacks the tables of remembered ids.
func TestOpenFirstVersion(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	e := newEntry()
	must(t, store.Append(t.Context(), e))
	must(t, store.Close())
	db, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.Update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte("meta"))
		return errors.Join(tx.DeleteBucket([]byte("known")), tx.DeleteBucket([]byte("aged")),
			meta.Delete([]byte("secret")), meta.Delete([]byte("journal")), meta.Put([]byte("version"), bolt.VersionValue(1)))
	}))
	must(t, db.Close())

	store = openAt(t, path)
	if _, err := store.Get(t.Context(), e.ID); err != nil {
		t.Error(err)
	}
	if _, known, err := store.Recall(t.Context(), "default", "918123456789"); known || err != nil {
		t.Errorf("Recall = %v, %v", known, err)
	}
}

func TestOpenRefusesNewerAndForeign(t *testing.T) {
	t.Parallel()
	newerVersion := bolt.VersionValue(bolt.SchemaVersion + 1)
	for name, test := range map[string]struct {
		prepare func(*bbolt.Tx) error
		want    error
	}{
		"newer": {
			func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("version"), newerVersion) },
			outbox.ErrNewer,
		},
		"newer with other tables": {
			func(tx *bbolt.Tx) error {
				return errors.Join(tx.Bucket([]byte("meta")).Put([]byte("version"), newerVersion), tx.DeleteBucket([]byte("due")))
			},
			outbox.ErrNewer,
		},
		"foreign": {
			func(tx *bbolt.Tx) error {
				for _, name := range []string{"meta", "entries", "due", "taken", "settled"} {
					if err := tx.DeleteBucket([]byte(name)); err != nil {
						return err
					}
				}
				_, err := tx.CreateBucket([]byte("somebody else's"))
				return err
			},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "outbox.db")
			must(t, openAt(t, path).Close())
			db, err := bbolt.Open(path, 0o600, nil)
			must(t, err)
			must(t, db.Update(test.prepare))
			must(t, db.Close())
			before, err := os.ReadFile(path)
			must(t, err)

			_, err = bolt.Open(path, bolt.Options{})
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Fatalf("error %v, want one wrapping %v", err, test.want)
			}
			if !strings.Contains(err.Error(), path) {
				t.Errorf("error %q does not name the file", err)
			}
			after, err := os.ReadFile(path)
			must(t, err)
			if !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
			wantFiles(t, filepath.Dir(path), "outbox.db", "outbox.db.lock", "outbox.db.reserve")
		})
	}
}

// hold opens an outbox, says so, and closes it when it is told to.
func hold(path string) error {
	store, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		return err
	}
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return store.Close()
}

func TestOneProcessAtATime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	other := startChild(t, "hold", path)
	if !other.lines.Scan() {
		t.Fatal("the other process did not open the outbox")
	}
	_, err := bolt.Open(path, bolt.Options{LockTimeout: time.Millisecond})
	wantInUse(t, path, err)
	other.stop()
	must(t, other.Wait())

	// Neither may two stores in one process.
	openAt(t, path)
	_, err = bolt.Open(path, bolt.Options{LockTimeout: time.Millisecond})
	wantInUse(t, path, err)
}

func wantInUse(t *testing.T, path string, err error) {
	t.Helper()
	if !errors.Is(err, outbox.ErrInUse) {
		t.Fatalf("error %v, want one wrapping ErrInUse", err)
	}
	want := "opening outbox " + path + ": the outbox is in use by another process; " +
		`give each Caddy its own file with "outbox bolt <file>"`
	if err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

func TestOpenWaitsForLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	other := startChild(t, "hold", path)
	if !other.lines.Scan() {
		t.Fatal("the other process did not open the outbox")
	}
	opened := make(chan error, 1)
	go func() {
		store, err := bolt.Open(path, bolt.Options{LockTimeout: time.Minute})
		if err == nil {
			err = store.Close()
		}
		opened <- err
	}()
	other.stop()
	must(t, other.Wait())
	must(t, <-opened)
}

func TestOpenClearsLeftovers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	e := newEntry()
	must(t, store.Append(context.Background(), e))
	must(t, store.Close())
	must(t, os.WriteFile(path+".compact", []byte("half a compaction"), 0o600))
	must(t, os.WriteFile(path+".restore", []byte("half a salvage"), 0o600))
	store = openAt(t, path)
	wantFiles(t, filepath.Dir(path), "outbox.db", "outbox.db.lock", "outbox.db.reserve")

	// A crash while the file was put back, where no hard links are.
	must(t, store.Close())
	must(t, os.Rename(path, path+".restore"))
	store = openAt(t, path)
	wantFiles(t, filepath.Dir(path), "outbox.db", "outbox.db.lock", "outbox.db.reserve")
	if _, err := store.Get(context.Background(), e.ID); err != nil {
		t.Error(err)
	}
}

// Whatever is set aside holds leads as well, however open the file was that
// somebody put back from elsewhere.
func TestFilesSetAsideArePrivate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // it has other permissions
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "outbox.db")
	store := openAt(t, path)
	mustAppend(t, store)
	must(t, store.Close())
	for _, name := range []string{path, path + ".journal"} {
		must(t, os.WriteFile(name, []byte(strings.Repeat("damaged, so that it is replaced ", 1000)), 0o600))
		must(t, os.Chmod(name, 0o644))
	}
	mustAppend(t, openAt(t, path))
	files, err := os.ReadDir(dir)
	must(t, err)
	if len(files) < 5 {
		t.Errorf("only %v: what was damaged is not set aside", files)
	}
	for _, file := range files {
		wantMode(t, filepath.Join(dir, file.Name()), 0o600)
	}
}
