//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package sqlstore

import "os"

// lockFile does nothing. SQLite's own locks keep concurrent writes consistent.
func lockFile(*os.File) error { return nil }
