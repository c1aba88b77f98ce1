//go:build linux

package faulttest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// With a full disk, no visitor is thanked for a lead that is not safe: the lead is sent directly
// while the CRM is up, otherwise the visitor gets a 503. When there is room again, everything works
// without a restart. Caddy's data directory is on the same disk.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	for _, disk := range disks(t) {
		t.Run(disk.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, settings{outbox: filepath.Join(disk.dir, "outbox.db"), home: disk.dir, launcher: disk.launcher})
			r.during(t, sized(50, 100), func() {
				pass(t, 500*time.Millisecond)
				r.crm.close()
				pass(t, time.Second)

				disk.fill(t)
				// The journal has preallocated some room.
				await(t, "visitor with a 503", 6*patience, func() bool { return count(r.all(), http.StatusServiceUnavailable) > 0 })
				pass(t, sized(time.Second, time.Minute))

				r.crm.listen(t)
				up := time.Now()
				await(t, "lead that was sent directly", patience, func() bool { return count(r.since(up), http.StatusSeeOther) > 0 })
				pass(t, sized(time.Second, time.Minute))

				disk.free(t)
				await(t, "outbox that works again", patience, func() bool { return len(r.logged("info", "can be written again")) > 0 })
				free := time.Now()
				pass(t, time.Second)
				allThanked(t, r.since(free))
			})
			l := r.drain(t, 40*time.Second)
			r.verify(t, l, false)
			for _, p := range l.posts {
				if !p.thanked() && p.status != http.StatusServiceUnavailable {
					t.Errorf("%q got status %d: %v", p.name, p.status, p.err)
				}
			}
			l.report(t, "disk full: "+disk.name)
		})
	}
}

// With a full disk and room in Caddy's data directory, every visitor is thanked: leads go to a spool
// there, and move to the outbox when its disk has room again.
func TestDiskFullWithRoomElsewhere(t *testing.T) {
	t.Parallel()
	dir, err := mountSmall(t, "16m")
	if err != nil {
		t.Skip(err)
	}
	disk := smallFileSystem(dir)
	r := newRig(t, settings{outbox: filepath.Join(dir, "outbox.db")})
	r.during(t, 50, func() {
		pass(t, 500*time.Millisecond)
		r.crm.close()
		disk.fill(t)
		await(t, "spool", 6*patience, func() bool { return len(r.spools(t)) > 0 })
		pass(t, time.Second)
		r.wantDiskNamed(t)
		r.crm.listen(t)
		pass(t, time.Second)
		disk.free(t)
		await(t, "return", patience, func() bool { return len(r.logged("info", "accepts leads again")) > 0 })
	})
	l := r.drain(t, 40*time.Second)
	allThanked(t, l.posts)
	r.verify(t, l, false)
	await(t, "end of the spool", patience, func() bool { return len(r.spools(t)) == 0 })
	l.report(t, "disk full, room in Caddy's data directory")
}

// An outbox that filled its own disk while the CRM was down delivers its leads when the CRM is
// back, although the disk is still full. So does a Caddy that was started on the full disk.
// Meanwhile `status` and the log report the full disk.
func TestDiskFilledByOutbox(t *testing.T) {
	t.Parallel()
	for name, between := range map[string]func(*testing.T, *rig){
		"running": func(*testing.T, *rig) {},
		"restarted": func(t *testing.T, r *rig) {
			r.Stop(t)
			r.start(t)
		},
		"killed": func(t *testing.T, r *rig) {
			r.Kill()
			r.start(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, err := mountSmall(t, "6m")
			if err != nil {
				t.Skip(err)
			}
			r := newRig(t, settings{outbox: filepath.Join(dir, "outbox.db"), home: dir})
			r.padding = 1500
			r.crm.close()
			r.during(t, 100, func() {
				await(t, "visitor with a 503", 6*patience, func() bool { return count(r.all(), http.StatusServiceUnavailable) > 0 })
				pass(t, time.Second)
			})
			r.wantDiskNamed(t)
			between(t, r)
			r.crm.listen(t)
			l := r.drain(t, 3*time.Minute)
			r.verify(t, l, name == "killed")
			if n := count(l.posts, http.StatusSeeOther); n < 100 {
				t.Errorf("only %d leads filled the disk", n)
			}
			l.report(t, "6 MB filled by the outbox itself, the CRM down; Caddy "+name)
		})
	}
}

// wantDiskNamed checks that the log and status report the full disk.
func (r *rig) wantDiskNamed(t *testing.T) {
	t.Helper()
	if len(r.logged("error", "disk is full")) == 0 {
		t.Errorf("the log does not say that the disk is full:\n%s", tail(r.earlier+r.Log()))
	}
	if status := r.status(t); !strings.Contains(status, "disk is full") {
		t.Errorf("status does not say that the disk is full:\n%s", status)
	}
}

// disk is a folder for an outbox, with a way to fill it up.
type disk struct {
	name       string
	dir        string
	launcher   string // runs the binary, if the disk needs it
	fill, free func(*testing.T)
}

// disks returns a small file system, if this process may mount one, and a file size limit, which
// any process can set for its children.
func disks(t *testing.T) []disk {
	t.Helper()
	limit := fileSizeLimit(t)
	dir, err := mountSmall(t, "16m")
	if err != nil {
		t.Logf("%v; only the file size limit is tested", err)
		return []disk{limit}
	}
	return []disk{limit, smallFileSystem(dir)}
}

// mountSmall mounts a file system of the given size until the test ends.
func mountSmall(t *testing.T, size string) (dir string, err error) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		return "", fmt.Errorf("mounting a small file system: %w", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	return dir, nil
}

func smallFileSystem(dir string) disk {
	filler := filepath.Join(dir, "filler")
	return disk{
		name: "file system",
		dir:  dir,
		fill: func(t *testing.T) {
			t.Helper()
			file, err := os.Create(filler)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if _, err := io.Copy(file, zeros{}); !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("filling the disk: %v", err)
			}
		},
		free: func(t *testing.T) {
			t.Helper()
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// zeros is an endless reader of zeros.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func fileSizeLimit(t *testing.T) disk {
	t.Helper()
	dir := t.TempDir()
	pidFile, launcher := filepath.Join(dir, "pid"), filepath.Join(dir, "launch")
	script := fmt.Sprintf("#!/bin/sh\necho $$ >%s\nexec %s \"$@\"\n", pidFile, binary)
	if err := os.WriteFile(launcher, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	limit := func(size uint64) func(*testing.T) {
		return func(t *testing.T) {
			t.Helper()
			text, err := os.ReadFile(pidFile)
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: unix.RLIM_INFINITY}, nil); err != nil {
				t.Fatalf("setting the file size limit: %v", err)
			}
		}
	}
	return disk{name: "file size limit", dir: dir, launcher: launcher, fill: limit(0), free: limit(unix.RLIM_INFINITY)}
}
