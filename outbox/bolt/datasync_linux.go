package bolt

import (
	"errors"
	"os"
	"syscall"
)

// datasync makes what was written durable, without the file's times.
func datasync(file *os.File) error {
	for {
		err := syscall.Fdatasync(int(file.Fd())) //nolint:gosec // a descriptor is small
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
