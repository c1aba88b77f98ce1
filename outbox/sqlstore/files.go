package sqlstore

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

// What is appended to the file's name. The last two are SQLite's.
const (
	suffixLock     = ".lock"
	suffixReserve  = ".reserve"
	suffixRestore  = ".restore"
	suffixDamaged  = ".damaged-"
	suffixReplaced = ".replaced-"
	suffixWAL      = "-wal"
	suffixShared   = "-shm"
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
	// The target of a link is replaced, not the link.
	path, err = filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("following its symbolic link: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("it is not a regular file; name one that is, or one that does not exist yet")
	}
	return path, nil
}

// makeFolder makes a folder, and those above it, for the owner alone.
func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("%w; make the folder writable for Caddy, or name a file in one that is", err)
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
		return nil // a folder further up that can be passed but not read
	}
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// syncFile makes durable what a file holds.
func syncFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// createFile makes an empty file for the owner alone, unless there is one.
func createFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), syncFolder(filepath.Dir(path)))
}

// fileSize returns the size of the file at path; zero if there is none.
func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// removeDatabase removes a file and what SQLite keeps beside it.
func removeDatabase(path string) error {
	for _, suffix := range []string{suffixWAL, suffixShared, ""} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// setAside renames the database at path, with its log, so that a person can look at it, and returns
// its new name.
func setAside(path, suffix string, now time.Time) (string, error) {
	stamped := path + suffix + now.UTC().Format("20060102-150405")
	name := stamped
	for n := 2; ; n++ {
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			break
		}
		name = stamped + "-" + strconv.Itoa(n)
	}
	for _, part := range []string{"", suffixWAL} {
		_ = os.Chmod(path+part, 0o600) // it holds leads, whoever put it there; to keep them matters more
		if err := os.Rename(path+part, name+part); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	if err := os.Remove(path + suffixShared); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return name, syncFolder(filepath.Dir(path))
}
