//go:build !linux

package bolt

import "os"

// datasync makes what was written durable.
func datasync(file *os.File) error { return file.Sync() }
