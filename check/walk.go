package check

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

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

// path returns the shortest path under which the site serves the page.
func (p sourcePage) path() string {
	return slices.MinFunc(p.urls, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
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
	readers := runtime.GOMAXPROCS(0)
	if w.site.isGentle {
		readers = 1
	}
	for range readers {
		group.Go(func() error {
			pace := pacer{isOn: w.site.isGentle}
			for name := range names {
				start := time.Now()
				w.readFile(name)
				pace.rest(ctx, time.Since(start))
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(names)
		return w.list(ctx, names)
	})
	return group.Wait()
}

// list sends the names of the pages until ctx ends.
func (w walk) list(ctx context.Context, names chan<- string) error {
	pace, listing := pacer{isOn: w.site.isGentle}, time.Now()
	return fs.WalkDir(w.site.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		pace.rest(ctx, time.Since(listing))
		defer func() { listing = time.Now() }()
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			w.leave(name, err)
			return nil
		case entry.IsDir() && name != "." && isSkipped(entry.Name()):
			return fs.SkipDir
		case ctx.Err() != nil:
			return ctx.Err()
		case !isPage(name) || !entry.Type().IsRegular() && entry.Type() != fs.ModeSymlink: // a pipe would block
			return nil
		}
		select {
		case names <- name:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// pacer makes a walk rest for four times as long as it works.
type pacer struct {
	isOn   bool
	worked time.Duration // since the last rest
}

const (
	restShare = 4
	// restAfter is how long the walk works before it rests. Shorter rests would not be exact.
	restAfter = 5 * time.Millisecond
)

// rest notes how long a page took, and rests if it is time to. It ends when ctx does.
func (p *pacer) rest(ctx context.Context, took time.Duration) {
	if p.worked += took; !p.isOn || p.worked < restAfter {
		return
	}
	timer := time.NewTimer(restShare * p.worked)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	p.worked = 0
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
