package disk

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A folder in memory is warned about, also before it exists. One on an ordinary disk is not.
func TestWarning(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/shm"); err != nil {
		t.Skip(err)
	}
	var info unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &info); err != nil || info.Type != unix.TMPFS_MAGIC {
		t.Skipf("/dev/shm is not a tmpfs: %v", err)
	}
	if got := Warning(filepath.Join("/dev/shm", "none", "telecrm")); !strings.Contains(got, "volume") {
		t.Errorf("warning %q", got)
	}
	if got := Warning("/proc"); got != "" { // neither
		t.Errorf("warning %q", got)
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		return // this process may not mount
	}
	defer func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }()
	if got := Warning(dir); got != volatile {
		t.Errorf("warning %q", got)
	}
}

// File systems whose locks or shared memory may not work are named as such.
func TestKinds(t *testing.T) {
	t.Parallel()
	for magic, want := range map[int64]string{
		0x6969: network, 0x517b: network, 0xfe534d42: network, 0xff534d42: network, 0x65735546: network, 0x01021997: network,
		0x794c7630: volatile, 0x01021994: volatile, 0xef53: "", 0x58465342: "", 0x9123683e: "",
	} {
		if got := kinds[magic]; got != want {
			t.Errorf("file system %#x: %q, want %q", magic, got, want)
		}
	}
}
