package sqlstore_test

import (
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

// nobody is a user who does not own anything.
const nobody = 65534

var isRoot = os.Geteuid() == 0

// A file or folder of another user is named, with the command that gives it away. Nobody should
// move an outbox with leads out of the way because root once started Caddy.
func TestOpenAsAnotherUser(t *testing.T) {
	t.Parallel()
	me, err := user.Current()
	must(t, err)
	for _, test := range []struct {
		name  string
		deny  func(dir string) string // takes away something, and returns what must be given back
		wants []string
	}{
		{"file", func(dir string) string {
			path := filepath.Join(dir, "outbox.db")
			must(t, os.Remove(path+".lock"))
			return closed(t, path) + "*"
		}, nil},
		{"lock", func(dir string) string {
			path := filepath.Join(dir, "outbox.db")
			must(t, os.WriteFile(path+".lock", nil, 0o600))
			closed(t, path+".lock")
			return path + "*"
		}, nil},
		{"folder", func(dir string) string { return closed(t, dir) }, []string{"name a file in a writable folder"}},
		{"read-only folder", func(dir string) string {
			must(t, os.Remove(filepath.Join(dir, "outbox.db.lock")))
			must(t, os.Chmod(dir, 0o500)) //nolint:gosec // not writable
			return dir
		}, []string{"name a file in a writable folder"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "outbox.db")
			store := openAt(t, path)
			mustAppend(t, store)
			must(t, store.Close())
			if isRoot {
				must(t, os.Chmod(filepath.Dir(dir), 0o711)) //nolint:gosec // others must reach the folder
				must(t, os.Chown(dir, nobody, -1))
				must(t, os.Chown(path+".lock", nobody, -1))
			}
			denied := test.deny(dir)
			t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
			err := withoutPrivileges(func() error {
				store, err := open(path, sqlstore.Options{})
				if err == nil {
					_ = store.Close()
				}
				return err
			})
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(test.wants, "permission denied", me.Username, "chown "+me.Username+" "+denied) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not contain %q: %v", want, err)
				}
			}
			if strings.Contains(err.Error(), "not an outbox") {
				t.Errorf("the error sends the outbox away: %v", err)
			}
		})
	}
}

// closed removes all permissions from the path and returns it.
func closed(t *testing.T, path string) string {
	t.Helper()
	must(t, os.Chmod(path, 0))
	return path
}

// withoutPrivileges calls f. If the test runs as root, files look to f as they do to a user that is
// not root.
func withoutPrivileges(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and do not unlock: the thread ends here
		if isRoot {
			if err := syscall.Setfsuid(nobody); err != nil {
				result <- err
				return
			}
		}
		result <- f()
	}()
	return <-result
}
