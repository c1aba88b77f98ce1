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
	if r.Whole() || r.Yield() {
		t.Error("a reserve that was never filled has something to give")
	}
	for range 2 { // filling a whole one changes nothing
		if err := r.Fill(); err != nil {
			t.Fatal(err)
		}
		if !r.Whole() || sizeOf(t, path) != 1000 {
			t.Errorf("filled: whole %v, %d bytes; want 1000", r.Whole(), sizeOf(t, path))
		}
	}
	if !r.Yield() || r.Whole() || sizeOf(t, path) != 750 {
		t.Errorf("after the first part was given up: whole %v, %d bytes; want 750", r.Whole(), sizeOf(t, path))
	}

	again := Open(path, 1000)
	parts := 0
	for again.Yield() {
		parts++
	}
	if parts != 3 || sizeOf(t, path) != 0 {
		t.Errorf("the next process had %d parts to give, and left %d bytes; want 3 and 0", parts, sizeOf(t, path))
	}
	if err := again.Fill(); err != nil || !again.Whole() {
		t.Errorf("filling it again: %v", err)
	}
}

// Room that somebody else has freed by removing the file is given up too.
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
		t.Errorf("filling it again: %v", err)
	}
}
