//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd

package bolt

import "os"

// lockFile does nothing: bbolt's own lock on the database must do, and on
// Windows a file that is open cannot be replaced.
func lockFile(*os.File) error { return nil }
