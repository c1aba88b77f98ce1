//go:build !linux

package reserve

import "os"

// totalSpace is unknown on other systems.
func totalSpace(string) (bytes int64, ok bool) { return 0, false }

// isQuota is false on other systems.
func isQuota(error) bool { return false }

// allocate reserves space in the file.
func allocate(file *os.File, at, size int64) error { return writeZeros(file, at, size) }
