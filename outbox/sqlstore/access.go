package sqlstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
)

// checkAccess returns an error if this process may not read and write the files of the database at
// path. SQLite itself says only that it cannot open them. The caller must hold the lock: closing a
// file that another connection of this process uses would drop SQLite's own locks.
func checkAccess(path string) error {
	for _, suffix := range []string{"", suffixWAL, suffixShared} {
		file, err := os.OpenFile(path+suffix, os.O_RDWR, 0)
		switch {
		case err == nil:
			_ = file.Close()
		case errors.Is(err, fs.ErrPermission):
			return fmt.Errorf("%w; %s", err, giveAway(path+"*"))
		}
	}
	return nil
}

// giveAway says how to give the path to the user of this process.
func giveAway(path string) string {
	name := strconv.Itoa(os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if runtime.GOOS == "windows" {
		return fmt.Sprintf("let the user %s, as which Caddy runs, read and write it", name)
	}
	return fmt.Sprintf("Caddy runs as the user %s, which needs it: chown %s %s", name, name, path)
}

// adviseFolder adds what to do to an error from creating something in the folder dir.
func adviseFolder(dir string, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w; make the folder writable for Caddy, or name a file in a writable folder", err)
	}
	if _, missing := os.Stat(dir); missing != nil {
		return fmt.Errorf("%w; make the folder %s and give it to Caddy, or name a file in a writable folder; %s", err, dir, giveAway(dir))
	}
	return fmt.Errorf("%w; make the folder writable for Caddy, or name a file in a writable folder; %s", err, giveAway(dir))
}

// adviseLock adds what to do to an error from opening the lock file of the database at path.
func adviseLock(path string, err error) error {
	if _, missing := os.Lstat(path + suffixLock); missing == nil && errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w; %s", err, giveAway(path+"*"))
	}
	return adviseFolder(filepath.Dir(path), err)
}
