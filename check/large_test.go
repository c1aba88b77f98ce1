package check_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/check"
)

// The same mistake on many pages is one finding, at the first of them.
func TestSameFindingOnManyPagesCountsOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i := range 40 {
		s.write(fmt.Sprintf("blog/%02d.html", i), strings.Replace(contact, "<button>", `<label>City <input name="city"></label><button>`, 1))
	}
	report := run(t, s.config)
	if len(report.Findings) != 1 || report.Findings[0].Place.String() != "site/blog/00.html:12:13" || report.Findings[0].Also != 39 {
		t.Errorf("found %s", describe(report.Findings))
	}
}

func TestFindingsAreBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for page := range 30 {
		var inputs strings.Builder
		for i := range 50 {
			fmt.Fprintf(&inputs, `<label>X <input name="x%d_%d"></label>`, page, i)
		}
		s.write(fmt.Sprintf("%d.html", page), strings.Replace(contact, "<button>", inputs.String()+"<button>", 1))
	}
	report := run(t, s.config)
	if len(report.Findings) != 1000 || report.Omitted != 500 {
		t.Errorf("got %d findings and %d omitted, want 1000 and 500", len(report.Findings), report.Omitted)
	}
}

// countedFS notes the most memory in use while pages are read.
type countedFS struct {
	fs.FS
	most *atomic.Uint64
	read *atomic.Int64
}

func (c countedFS) Open(name string) (fs.File, error) {
	if c.read.Add(1)%1000 == 0 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		c.most.Store(max(c.most.Load(), m.HeapAlloc))
	}
	return c.FS.Open(name)
}

// TestTenThousandPages does not run in parallel with others, because it measures memory.
func TestTenThousandPages(t *testing.T) {
	pages := 10_000
	if testing.Short() {
		pages = 500
	}
	s := newSite(t)
	filler := strings.Repeat("<section><h2>Solar</h2><p>Panels on a roof, in words that fill a page.</p><a href=/x>More</a></section>\n", 250)
	content := strings.Replace(contact, "</body>", filler+"</body>", 1)
	dir := t.TempDir()
	for name, content := range map[string]string{"contact.html": content, "thank-you.html": "<p>Thanks</p>"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range pages {
		name := filepath.Join(dir, fmt.Sprint(i/100), fmt.Sprintf("%d.html", i))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.Link(filepath.Join(dir, "contact.html"), name)); err != nil {
			t.Fatal(err)
		}
	}
	most, read := new(atomic.Uint64), new(atomic.Int64)
	s.Files = countedFS{os.DirFS(dir), most, read}
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	report := run(t, s.config)
	took, grown := time.Since(start), int64(most.Load())-int64(before.HeapAlloc)
	t.Logf("%d pages of %d KB in %v, %d KB more memory", report.Pages, len(content)>>10, took, grown>>10)
	if len(report.Findings) > 0 || report.Pages != pages+2 {
		t.Errorf("read %d pages and found %s", report.Pages, describe(report.Findings))
	}
	if grown > 32<<20 {
		t.Errorf("memory grew by %d KB", grown>>10)
	}
}

// A gentle check reads one page at a time, and rests for most of the time.
func TestGentleCheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		slow := &slowFS{FS: s.Files, take: 10 * time.Millisecond}
		for i := range 20 {
			s.write(fmt.Sprintf("%d.html", i), contact)
			s.write(fmt.Sprintf("images/%d/logo.svg", i), "")
		}
		s.files["pipe.html"] = &fstest.MapFile{Mode: fs.ModeNamedPipe}
		s.Files, s.config.IsGentle = slow, true
		start := time.Now()
		if report := run(t, s.config); report.Pages != 23 {
			t.Errorf("read %d pages", report.Pages)
		}
		took, worked := time.Since(start), time.Duration(slow.opened.Load())*slow.take
		if slow.most.Load() != 1 || took < 4*worked || took > 6*worked {
			t.Errorf("read %d pages at once, in %v for %v of work", slow.most.Load(), took, worked)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := check.Run(ctx, s.config); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %v", err)
		}
	})
}

// slowFS takes a while to open a page or to list a folder.
type slowFS struct {
	fs.FS
	take               time.Duration
	opened, open, most atomic.Int64
}

func (s *slowFS) ReadDir(name string) ([]fs.DirEntry, error) {
	s.opened.Add(1)
	time.Sleep(s.take)
	return fs.ReadDir(s.FS, name)
}

func (s *slowFS) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, ".html") {
		s.opened.Add(1)
		s.most.Store(max(s.most.Load(), s.open.Add(1)))
		time.Sleep(s.take)
		s.open.Add(-1)
	}
	return s.FS.Open(name)
}
