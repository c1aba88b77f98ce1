package reserve

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// On a full disk a reserve is as much as can be had in whole parts, never more
// than a quarter of the disk, and what it gives up can be written at once.
func TestReserveOnFullDisk(t *testing.T) {
	t.Parallel()
	const total = 1 << 20
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mounting a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	path, filler := filepath.Join(dir, "reserve"), filepath.Join(dir, "filler")
	write := func(size int) error { return os.WriteFile(filler, make([]byte, size), 0o600) }

	r := Open(path, 8<<20)
	if r.Full() != total/4 {
		t.Errorf("a whole reserve is %d bytes of %d", r.Full(), total)
	}
	if err := write(total - 200<<10); err != nil {
		t.Fatal(err)
	}
	if err := r.Fill(); !IsDiskFull(err) {
		t.Errorf("filling it without room: error %v", err)
	}
	if r.Whole() || sizeOf(t, path) != 192<<10 {
		t.Errorf("it took %d bytes of 200 KiB, in parts of 64", sizeOf(t, path))
	}
	if err := write(total); !IsDiskFull(err) {
		t.Errorf("filling the disk: error %v", err)
	}
	if !r.Yield() {
		t.Fatal("it had nothing to give")
	}
	if err := write(total - 3*64<<10); err != nil {
		t.Errorf("writing to the room that was given up: %v", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := r.Fill(); err != nil || !r.Whole() {
		t.Errorf("filling it with room: %v", err)
	}
}
