package reserve

import (
	"errors"
	"os"
	"syscall"
)

// totalSpace returns the size of the file system that contains the folder.
func totalSpace(dir string) (bytes int64, ok bool) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil || stat.Blocks == 0 {
		return 0, false
	}
	return int64(stat.Blocks) * int64(stat.Bsize), true //nolint:gosec,unconvert // no file system is that large; Bsize differs by architecture
}

func isQuota(err error) bool { return errors.Is(err, syscall.EDQUOT) }

// allocate reserves space in the file.
func allocate(file *os.File, at, size int64) error {
	for {
		err := syscall.Fallocate(int(file.Fd()), 0, at, size) //nolint:gosec // a descriptor is small
		switch {
		case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS):
			return writeZeros(file, at, size)
		case !errors.Is(err, syscall.EINTR):
			return err
		}
	}
}
