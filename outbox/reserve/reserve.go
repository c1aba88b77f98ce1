// Package reserve keeps some room on a disk, so that what must be written
// there can be written when the disk is full.
package reserve

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// steps is in how many parts a reserve is given up and filled.
const steps = 4

// Reserve is a file that holds nothing but room. It is not safe for concurrent
// use.
type Reserve struct {
	path string
	full int64 // the size of a whole one
	size int64
}

// Open returns the reserve at path as it is, which may be empty or incomplete.
// A whole one has the given size, but never takes more than a quarter of its
// file system.
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

// Whole reports whether nothing is missing from the reserve.
func (r *Reserve) Whole() bool { return r.size >= r.full }

// Fill makes the reserve whole, and makes sure that there is some room beyond
// it. If there is not, the error says why, and the reserve keeps what it could
// get.
func (r *Reserve) Fill() error {
	file, err := os.OpenFile(r.path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("filling the reserve: %w", err)
	}
	err = r.grow(file)
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("filling the reserve: %w", err)
	}
	return nil
}

// grow grows the file step by step, to one step more than is kept.
func (r *Reserve) grow(file *os.File) error {
	for r.size < r.full+r.step() {
		// A part of a step is of use to others, but not here.
		if err := allocate(file, r.size, r.step()); err != nil {
			return errors.Join(err, file.Truncate(r.size))
		}
		r.size += r.step()
	}
	r.size = r.full
	return file.Truncate(r.size)
}

// writeZeros takes room where the system has no call for it.
func writeZeros(file *os.File, at, size int64) error {
	_, err := file.WriteAt(make([]byte, size), at)
	return err
}

func (r *Reserve) step() int64 { return max(r.full/steps, 1) }

// Yield gives a part of the reserve back to the disk. It reports false if
// there is nothing left of it.
func (r *Reserve) Yield() bool {
	if r.size == 0 {
		return false
	}
	left := max(r.size-r.step(), 0)
	if err := os.Truncate(r.path, left); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	r.size = left
	return true
}

// IsDiskFull reports whether the error says that the disk, or what the process
// may use of it, is full.
func IsDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || isQuota(err)
}
