package sqlstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Suffixes of the file's name. SQLite defines the last two.
const (
	suffixLock     = ".lock"
	suffixReserve  = ".reserve"
	suffixRestore  = ".restore"
	suffixDamaged  = ".damaged-"
	suffixReplaced = ".replaced-"
	suffixWAL      = "-wal"
	suffixShared   = "-shm"
)

// resolve returns the absolute path of the file, or of its target if it is a link. It creates the
// folder if necessary.
func resolve(path string) (string, error) {
	if path == "" {
		return "", errors.New("the file name is empty; name a file")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return "", err
	}
	switch _, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return path, nil
	case err != nil:
		return "", adviseFolder(filepath.Dir(path), err)
	}
	// Replacing the file must replace the target of a link, not the link.
	path, err = filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("following its symbolic link: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("it is not a regular file; name a regular file or a new one")
	}
	return path, nil
}

// makeFolder creates a folder and its parents if necessary, with mode 0700.
func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return adviseFolder(dir, err)
	}
	return syncFolder(filepath.Dir(dir))
}

// syncFolder makes the names of the files in a folder durable.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // Windows cannot sync folders
	}
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil // a parent folder may be accessible but not readable
	}
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// syncFile makes the content of a file durable.
func syncFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// createFile creates an empty file with mode 0600 if there is none.
func createFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), syncFolder(filepath.Dir(path)))
}

// fileSize returns the size of the file at path, or zero if there is none.
func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// removeDatabase removes a database file and SQLite's files beside it.
func removeDatabase(path string) error {
	for _, suffix := range []string{suffixWAL, suffixShared, ""} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// SetAside lists the copies of the database at path, and of those whose path goes on with a dot, that
// were set aside for a person to inspect. They have the entries of the time, also those that were
// erased since.
func SetAside(path string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the folder
	}
	var copies []string
	for _, e := range entries {
		rest, isBeside := strings.CutPrefix(e.Name(), filepath.Base(path)+".")
		isCopy := strings.Contains("."+rest, suffixDamaged) || strings.Contains("."+rest, suffixReplaced)
		if isBeside && isCopy && !strings.HasSuffix(rest, suffixWAL) && !strings.HasSuffix(rest, suffixShared) {
			copies = append(copies, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	return copies, nil
}

// setAside renames the database at path and its log, so that a person can inspect them. It returns
// the new name of the database.
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
		_ = os.Chmod(path+part, 0o600) // it contains leads; if this fails, keep them anyway
		if err := os.Rename(path+part, name+part); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	if err := os.Remove(path + suffixShared); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return name, syncFolder(filepath.Dir(path))
}
