//go:build !unix

package spool

import (
	"path/filepath"
	"strings"
)

// sameDisk reports whether two folders are on one volume.
func sameDisk(a, b string) bool {
	return strings.EqualFold(filepath.VolumeName(nearest(a)), filepath.VolumeName(nearest(b)))
}
