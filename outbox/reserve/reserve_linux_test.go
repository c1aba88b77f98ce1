package reserve

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// On a full disk a reserve gets as many whole parts as fit, never more than a quarter of the disk.
// Space that it releases can be written at once.
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
		t.Errorf("filling without space: error %v", err)
	}
	if r.Size() >= r.Full() || sizeOf(t, path) != 192<<10 {
		t.Errorf("reserve has %d bytes, with 200 KiB of space and parts of 16 KiB", sizeOf(t, path))
	}
	if err := write(total); !IsDiskFull(err) {
		t.Errorf("filling the disk: error %v", err)
	}
	if err := r.Probe(); !IsDiskFull(err) || sizeOf(t, path) != 192<<10 {
		t.Errorf("Probe of a full disk: error %v; the reserve has %d bytes", err, sizeOf(t, path))
	}
	for range 4 {
		if !r.Yield() {
			t.Fatal("Yield = false")
		}
	}
	if err := r.Probe(); err != nil || sizeOf(t, path) != 128<<10 {
		t.Errorf("Probe with space: error %v; the reserve has %d bytes", err, sizeOf(t, path))
	}
	if err := write(total - 2*64<<10); err != nil {
		t.Errorf("writing to the released space: %v", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := r.Fill(); err != nil || r.Size() < r.Full() {
		t.Errorf("filling with space: %v", err)
	}
}
