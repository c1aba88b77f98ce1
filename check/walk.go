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
	// skip is called for files and folders that cannot be read; nil if they do not matter.
	skip func(name string, err error)
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
				w.readFile(name)
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(names)
		return fs.WalkDir(w.site.Files, ".", func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil && name == ".":
				return err
			case err != nil:
				w.leave(name, err)
				return nil
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

// isSkipped reports whether a folder is not part of the site, by its name.
func isSkipped(name string) bool { return strings.HasPrefix(name, ".") || name == "node_modules" }

func isPage(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".html", ".htm":
		return true
	}
	return false
}

func (w walk) readFile(name string) {
	source, isWhole, err := readAtMost(w.site.Files, name, page.MaxSource)
	if err != nil {
		w.leave(name, err)
		return
	}
	w.read(sourcePage{path.Join(w.site.Root, name), w.site.urls(name), source, "text/html", isWhole})
}

// leave leaves out a file or a folder. One that does not exist any more is not missed.
func (w walk) leave(name string, err error) {
	if w.skip != nil && !errors.Is(err, fs.ErrNotExist) {
		w.skip(path.Join(w.site.Root, name), withoutPath(err))
	}
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
