package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"
)

// What is appended to the file's name.
const (
	suffixLock     = ".lock"
	suffixJournal  = ".journal"
	suffixReserve  = ".reserve"
	suffixCompact  = ".compact"
	suffixRestore  = ".restore"
	suffixCorrupt  = ".corrupt-"
	suffixReplaced = ".replaced-"
)

// resolve returns where the file is, or is to be; it makes the folder.
func resolve(path string) (string, error) {
	if path == "" {
		return "", errors.New("it has no file name")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return "", err
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	// What a link leads to is replaced, not the link.
	path, err = filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("following its symbolic link: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("it is not a regular file; name a file that is, or that is not there yet")
	}
	return path, nil
}

// makeFolder makes a folder, and those above it, for the owner alone.
func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(dir))
}

// syncFolder makes durable which files a folder holds.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // it has no such thing
	}
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil // one further up that we may pass but not read
	}
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// clearLeftovers deals with what a crash left behind.
func (s *Store) clearLeftovers() error {
	restore := s.path + suffixRestore
	if _, err := os.Lstat(s.path); errors.Is(err, fs.ErrNotExist) {
		// The file was away, and about to be put back.
		if err := os.Rename(restore, s.path); err == nil {
			return syncFolder(filepath.Dir(s.path))
		}
	}
	return errors.Join(remove(restore), remove(s.path+suffixCompact))
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// setAside gives the file at path another name, under which a person can look
// at it. Where the file system can it keeps the old name too, until another
// file takes that, so that a crash in between leaves no time without a file.
func setAside(path, suffix string, now time.Time) (string, error) {
	stamped := path + suffix + now.UTC().Format("20060102T150405Z")
	for n := 1; ; n++ {
		name := stamped
		if n > 1 {
			name += "-" + strconv.Itoa(n)
		}
		if _, err := os.Lstat(name); err == nil {
			continue
		}
		_ = os.Chmod(path, 0o600) // it holds leads, whoever put it there; to keep them matters more
		if err := os.Link(path, name); err == nil {
			return name, nil
		}
		return name, os.Rename(path, name)
	}
}
