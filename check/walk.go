package check

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/leadwire/caddy-telecrm/page"
)

// sourcePage is a page as it was read.
type sourcePage struct {
	name        string   // in places
	urls        []string // the paths under which the site serves it
	source      []byte
	contentType string
	isWhole     bool
}

// walk reads the pages of a site. It may call read for several pages at once.
type walk struct {
	site *Site
	read func(sourcePage)
}

// run reads each page. It keeps one page for each processor in memory.
func (w walk) run(ctx context.Context) error {
	if w.site.running != nil {
		return w.site.running.each(ctx, w.read)
	}
	group, ctx := errgroup.WithContext(ctx)
	names := make(chan string)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			for name := range names {
				if err := w.readFile(name); err != nil {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(names)
		return fs.WalkDir(w.site.Files, ".", func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && name != "." && isSkipped(entry.Name()):
				return fs.SkipDir
			case entry.IsDir() || !isPage(name):
				return nil
			}
			select {
			case names <- name:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	return group.Wait()
}

// isSkipped reports whether a folder is not part of the site, as the name tells.
func isSkipped(name string) bool { return strings.HasPrefix(name, ".") || name == "node_modules" }

func isPage(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".html", ".htm":
		return true
	}
	return false
}

func (w walk) readFile(name string) error {
	source, isWhole, err := readAtMost(w.site.Files, name, page.MaxSource)
	if errors.Is(err, fs.ErrNotExist) { // it is gone by now
		return nil
	}
	if err != nil {
		return err
	}
	w.read(sourcePage{path.Join(w.site.Root, name), w.site.urls(name), source, "text/html", isWhole})
	return nil
}

// readAtMost reads the beginning of a file.
func readAtMost(files fs.FS, name string, most int64) (source []byte, isWhole bool, err error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, false, err
	}
	source, err = io.ReadAll(io.LimitReader(f, most+1))
	err = errors.Join(err, f.Close())
	return source[:min(int64(len(source)), most)], int64(len(source)) <= most, err
}
