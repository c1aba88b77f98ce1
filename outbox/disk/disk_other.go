//go:build !linux

package disk

// Warning returns an empty string because this system does not tell file systems apart in a portable
// way.
func Warning(string) string { return "" }
