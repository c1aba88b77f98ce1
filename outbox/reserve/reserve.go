// Package reserve keeps space on a disk, so that important data can be written when the disk is
// full.
package reserve

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// steps is the number of parts in which a reserve is filled and released.
const steps = 16

// Reserve is a file that only takes up space. It is not safe for concurrent use.
type Reserve struct {
	path string
	full int64 // size when whole
	size int64
}

// Open returns the reserve at path in its current state: whole, incomplete or missing. A whole
// reserve has the given size, but never more than a quarter of its file system.
func Open(path string, size int64) *Reserve {
	r := &Reserve{path: path, full: size}
	if total, ok := totalSpace(filepath.Dir(path)); ok {
		r.full = min(r.full, total/4)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
		r.size = info.Size()
	}
	return r
}

// Full returns the size of a whole reserve.
func (r *Reserve) Full() int64 { return r.full }

// Size returns how much of the reserve there is.
func (r *Reserve) Size() int64 { return r.size }

// Part returns the size of a part, the unit in which a reserve is filled and released.
func (r *Reserve) Part() int64 { return max(r.full/steps, 1) }

// Fill completes the reserve, and checks that there is some space beyond it. If there is not, it
// returns an error and keeps as much of the reserve as it could.
func (r *Reserve) Fill() error {
	file, err := os.OpenFile(r.path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("filling the reserve: %w", err)
	}
	if err := errors.Join(r.grow(file), file.Close()); err != nil {
		return fmt.Errorf("filling the reserve: %w", err)
	}
	return nil
}

// Probe returns an error if there is not a part's space beside the reserve. It changes nothing.
func (r *Reserve) Probe() error {
	file, err := os.OpenFile(r.path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("probing the disk: %w", err)
	}
	err = allocate(file, r.size, r.Part())
	if err := errors.Join(err, file.Truncate(r.size), file.Close()); err != nil {
		return fmt.Errorf("probing the disk: %w", err)
	}
	return nil
}

// grow grows the file part by part, to one part more than the reserve keeps.
func (r *Reserve) grow(file *os.File) error {
	for r.size < r.full+r.Part() {
		// An incomplete part does not help the reserve; release it to others.
		if err := allocate(file, r.size, r.Part()); err != nil {
			return errors.Join(err, file.Truncate(r.size))
		}
		r.size += r.Part()
	}
	r.size = r.full
	return file.Truncate(r.size)
}

// writeZeros reserves space where the system does not have a call for it.
func writeZeros(file *os.File, at, size int64) error {
	_, err := file.WriteAt(make([]byte, size), at)
	return err
}

// Yield releases a part of the reserve. It reports false if nothing is left of it.
func (r *Reserve) Yield() bool {
	if r.size == 0 {
		return false
	}
	left := max(r.size-r.Part(), 0)
	if err := os.Truncate(r.path, left); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	r.size = left
	return true
}

// IsDiskFull reports whether the error means that the disk, or the process's quota on it, is full.
func IsDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || isQuota(err)
}
