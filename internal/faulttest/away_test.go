//go:build linux

package faulttest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

// spools lists the spools of the rig's outbox, wherever they are.
func (r *rig) spools(t *testing.T) (files []string) {
	t.Helper()
	for _, pattern := range []string{r.outbox + ".spool-*.lock", filepath.Join(r.home, "caddy", "telecrm", "spools", "*.lock")} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

// wantAway checks that one error in the log, and the status, contain the words.
func (r *rig) wantAway(t *testing.T, words ...string) {
	t.Helper()
	// Caddy serves the site before all of its apps have started. On a busy machine, the log may first
	// say that the outbox is still being opened.
	about := func() (lines []logLine) {
		for _, line := range r.logged("error", "outbox cannot be used") {
			if strings.Contains(line.text, words[0]) {
				lines = append(lines, line)
			}
		}
		return lines
	}
	await(t, "error in the log", patience, func() bool { return len(about()) > 0 })
	lines := about()
	if len(lines) != 1 {
		t.Errorf("%d errors in the log say %q, want 1:\n%s", len(lines), words[0], tail(r.Log()))
	}
	status := r.status(t)
	for _, word := range words {
		if !strings.Contains(strings.ReplaceAll(lines[0].text, `\"`, `"`), word) {
			t.Errorf("the log does not say %q:\n%s", word, lines[0].text)
		}
		if !strings.Contains(status, word) {
			t.Errorf("the status does not say %q:\n%s", word, status)
		}
	}
}

// badOutbox makes an outbox unusable, and usable again. It returns the words that explain what to do.
type badOutbox func(t *testing.T, file string) (mend func(), words []string)

// Whatever is wrong with the outbox file, Caddy starts and says so, visitors are thanked, and leads
// are delivered from a spool. Nothing is overwritten. When the file can be used, the leads move to
// it without a restart.
func TestOutboxAway(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]badOutbox{
		"in use":            outboxInUse,
		"newer":             outboxNewer,
		"not a database":    outboxForeign,
		"a directory":       outboxDirectory,
		"unwritable folder": outboxUnwritable,
		"absent volume":     outboxAbsent,
		"full volume":       outboxOnFullDisk,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "volume", "outbox.db")
			mend, words := spoil(t, file)
			before, _ := os.ReadFile(file)
			r := newRig(t, settings{outbox: file})
			r.wantAway(t, append(words, file)...)
			if found := r.spools(t); len(found) != 1 {
				t.Errorf("spools %v, want one", found)
			}
			r.during(t, 50, func() { pass(t, time.Second) })
			r.verify(t, r.drain(t, patience), false)

			r.crm.close()
			r.during(t, 50, func() {
				pass(t, time.Second)
				if after, _ := os.ReadFile(file); !bytes.Equal(before, after) {
					t.Error("the file was overwritten")
				}
				mend()
				await(t, "return", patience, func() bool { return len(r.logged("info", "outbox is open")) > 0 })
				pass(t, 500*time.Millisecond)
			})
			await(t, "end of the spool", patience, func() bool { return len(r.spools(t)) == 0 })
			if status := r.status(t); strings.Contains(status, "spool") {
				t.Errorf("the status still speaks of spools:\n%s", status)
			}
			r.crm.listen(t)
			l := r.drain(t, 40*time.Second)
			allThanked(t, l.posts)
			r.verify(t, l, false)
			l.report(t, "outbox "+name)
		})
	}
}

func makeVolume(t *testing.T, file string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func outboxInUse(t *testing.T, file string) (mend func(), words []string) {
	t.Helper()
	makeVolume(t, file)
	store, err := sqlstore.Open(t.Context(), file, sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return func() { mustDo(t, store.Close()) }, []string{"in use by another process", "outbox sqlite <file>"}
}

func outboxNewer(t *testing.T, file string) (mend func(), words []string) {
	t.Helper()
	makeVolume(t, file)
	store, err := sqlstore.Open(t.Context(), file, sqlstore.Options{})
	if err = errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	setVersion := func(version string) {
		db, err := sql.Open("sqlite", file)
		if err == nil {
			_, err = db.ExecContext(context.Background(), "UPDATE ledger SET version = "+version+"; PRAGMA user_version = "+version)
			err = errors.Join(err, db.Close())
		}
		mustDo(t, err)
	}
	setVersion("1000")
	return func() { setVersion("1") }, []string{"newer version", "install the newer version"}
}

func outboxForeign(t *testing.T, file string) (mend func(), words []string) {
	t.Helper()
	makeVolume(t, file)
	write(t, file, strings.Repeat("This is a letter. ", 1000))
	return func() { mustDo(t, os.Remove(file)) }, []string{"not an outbox", "name another one"}
}

func outboxDirectory(t *testing.T, file string) (mend func(), words []string) {
	t.Helper()
	makeVolume(t, filepath.Join(file, "inside"))
	return func() { mustDo(t, os.Remove(file)) }, []string{"not a regular file"}
}

// outboxUnwritable uses a read-only file system if this process is root, whom no mode keeps from
// writing.
func outboxUnwritable(t *testing.T, file string) (mend func(), words []string) {
	t.Helper()
	makeVolume(t, file)
	dir, words := filepath.Dir(file), []string{"writable"}
	if os.Geteuid() != 0 {
		mustDo(t, os.Chmod(dir, 0o500))
		return func() { mustDo(t, os.Chmod(dir, 0o700)) }, words
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("mounting a read-only file system: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return func() { mustDo(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "")) }, words
}

func outboxAbsent(t *testing.T, file string) (mend func(), words []string) {
	t.Helper()
	volume := filepath.Join(t.TempDir(), "mounted")
	if err := os.Symlink(volume, filepath.Dir(file)); err != nil {
		makeVolume(t, filepath.Dir(file)) // its parent
		mustDo(t, os.Symlink(volume, filepath.Dir(file)))
	}
	return func() { mustDo(t, os.Mkdir(volume, 0o700)) }, []string{"folder"}
}

func outboxOnFullDisk(t *testing.T, file string) (mend func(), words []string) {
	t.Helper()
	makeVolume(t, file)
	dir := filepath.Dir(file)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m"); err != nil {
		t.Skipf("mounting a small file system: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	disk := smallFileSystem(dir)
	disk.fill(t)
	return func() { disk.free(t) }, []string{"full"}
}

// Caddys that overlap in rolling restarts lose nothing and double nothing, and each of them starts.
func TestOverlappingRestarts(t *testing.T) {
	t.Parallel()
	restarts := sized(6, 100)
	current := newRig(t, settings{latency: 20 * time.Millisecond})
	next := current.twin(t)
	current.during(t, 50, func() {
		for range restarts {
			next.start(t)
			current.goTo(next.site)
			pass(t, 500*time.Millisecond+rand.N(1500*time.Millisecond))
			current.Stop(t)
			current, next = next, current
			pass(t, rand.N(time.Second))
		}
		pass(t, 500*time.Millisecond)
	})
	await(t, "last adoption", patience, func() bool { return len(current.spools(t)) == 0 })
	current.earlier = byTime(next.earlier + next.Log() + current.earlier)
	l := current.drain(t, 30*time.Second)
	for _, p := range l.posts {
		if !p.thanked() && p.status != 0 {
			t.Errorf("FAILED VISITOR: %q got status %d", p.name, p.status)
		}
	}
	current.verify(t, l, false)
	used := len(current.logged("error", "outbox cannot be used"))
	if used == 0 {
		t.Errorf("none of %d restarts needed a spool", restarts)
	}
	l.report(t, fmt.Sprintf("%d overlapping restarts, %d with a spool", restarts, used))
}

// byTime sorts the lines of several logs by their time.
func byTime(log string) string {
	lines := strings.SplitAfter(log, "\n")
	at := func(line string) string {
		_, rest, _ := strings.Cut(line, `"ts":`)
		at, _, _ := strings.Cut(rest, ",")
		return at
	}
	slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(at(a), at(b)) })
	return strings.Join(lines, "")
}

// A Caddy that is killed while leads move from a spool to the outbox loses and doubles none.
func TestKilledWhileAdopting(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{})
	r.Stop(t)
	r.crm.close()
	moved := 0
	for range sized(4, 20) {
		store, err := sqlstore.Open(context.Background(), r.outbox, sqlstore.Options{LockTimeout: patience})
		if err != nil {
			t.Fatal(err)
		}
		r.start(t)
		r.during(t, 150, func() { pass(t, 2*time.Second) })
		open := len(r.logged("info", "outbox is open"))
		mustDo(t, store.Close())
		await(t, "return", patience, func() bool { return len(r.logged("info", "outbox is open")) > open })
		pass(t, rand.N(100*time.Millisecond))
		r.Kill()
		if len(r.spools(t)) > 0 {
			moved++
		}
	}
	r.crm.listen(t)
	r.start(t)
	l := r.drain(t, sized(2*time.Minute, 10*time.Minute))
	allThanked(t, l.posts)
	r.verify(t, l, true)
	await(t, "end of the spools", patience, func() bool { return len(r.spools(t)) == 0 })
	t.Logf("%d kills left a spool", moved)
	l.report(t, "kill -9 while leads move from a spool")
}
