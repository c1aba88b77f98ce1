package placeholder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ExplainPath adds what to do to an error from opening or reading the file or folder at path.
func ExplainPath(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; let the user that runs Caddy read it", err)
	case errors.Is(err, fs.ErrNotExist) && !filepath.IsAbs(path):
		dir, _ := os.Getwd()
		return fmt.Errorf("%w in %s, where Caddy was started; write the absolute path", err, dir)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w; create it, or correct the path", err)
	case errors.Is(err, syscall.EISDIR):
		return fmt.Errorf("%w; name a file in it", err)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w; name the folder", err)
	}
	return err
}
