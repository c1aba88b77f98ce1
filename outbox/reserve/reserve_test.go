package reserve

import (
	"os"
	"path/filepath"
	"testing"
)

func sizeOf(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func TestReserve(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "reserve")
	r := Open(path, 1000)
	if r.Size() >= r.Full() || r.Yield() {
		t.Error("Yield of an empty reserve = true")
	}
	for range 2 { // filling a whole reserve changes nothing
		if err := r.Fill(); err != nil {
			t.Fatal(err)
		}
		if r.Size() < r.Full() || sizeOf(t, path) != 1000 {
			t.Errorf("filled: whole %v, %d bytes; want 1000", r.Size() >= r.Full(), sizeOf(t, path))
		}
	}
	if !r.Yield() || r.Size() >= r.Full() || sizeOf(t, path) != 938 {
		t.Errorf("after Yield: whole %v, %d bytes; want 938", r.Size() >= r.Full(), sizeOf(t, path))
	}

	again := Open(path, 1000)
	parts := 0
	for again.Yield() {
		parts++
	}
	if parts != 16 || sizeOf(t, path) != 0 {
		t.Errorf("after reopening: %d parts yielded, %d bytes left; want 16 and 0", parts, sizeOf(t, path))
	}
	if err := again.Fill(); err != nil || again.Size() < again.Full() {
		t.Errorf("filling again: %v", err)
	}
}

// Space that is released because someone removed the file counts too.
func TestReserveRemoved(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "reserve")
	r := Open(path, 1000)
	if err := r.Fill(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for r.Yield() {
		continue
	}
	if err := r.Fill(); err != nil || sizeOf(t, path) != 1000 {
		t.Errorf("filling again: %v", err)
	}
}
