//go:build unix

package spool

import "golang.org/x/sys/unix"

// sameDisk reports whether two folders are, or would be, in one file system. If that cannot be
// found out, it reports true.
func sameDisk(a, b string) bool {
	var first, second unix.Stat_t
	if unix.Stat(nearest(a), &first) != nil || unix.Stat(nearest(b), &second) != nil {
		return true
	}
	return first.Dev == second.Dev
}
