package check_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/leadwire/caddy-telecrm/check"
)

// brokenFS has files and folders that cannot be read.
type brokenFS struct{ fstest.MapFS }

func (b brokenFS) Open(name string) (fs.File, error) {
	if strings.Contains(name, "secret") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return b.MapFS.Open(name)
}

func (b brokenFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if strings.Contains(name, "secret") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return b.MapFS.ReadDir(name)
}

// A file that cannot be read does not keep the others from being checked.
func TestUnreadableFilesAreLeftOut(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("secret.html", contact)
	s.write("secret-folder/a.html", contact)
	s.write(".git/a.html", contact+contact)
	s.write("node_modules/x/a.html", `<form method="post" action="/nowhere">`)
	s.Files = brokenFS{s.files}
	report := run(t, s.config)
	want := []string{"site/secret-folder: permission denied", "site/secret.html: permission denied"}
	if len(report.Findings) > 0 || report.Pages != 3 || !slices.Equal(report.Unverified, want) {
		t.Errorf("read %d pages, could not check %q, and found %s", report.Pages, report.Unverified, describe(report.Findings))
	}
	s.Files = brokenFS{}.MapFS
	s.Root = "nothing"
	if report := run(t, s.config); len(report.Findings) == 0 {
		t.Error("a site without pages has no findings")
	}
}

// FuzzPages checks that no page makes the check fail, and that places are in the page.
func FuzzPages(f *testing.F) {
	f.Add(contact)
	f.Add(`<form method=post action=/enquire><select name=product><option>a<form><input name=phone form=x><svg><p></svg></form>`)
	f.Add("<form\x00method=post action='//'><input name=\"\xff\"><textarea>")
	f.Add(`<base href="%zz"><form action="http://[::1" method=post><button formaction=mailto:>`)
	f.Fuzz(func(t *testing.T, source string) {
		s := newSite(t)
		s.write("contact.html", source)
		s.form.Honeypot = []string{"_gotcha"}
		lines := strings.Count(source, "\n") + 1
		for _, finding := range run(t, s.config).Findings {
			if finding.Message == "" || strings.HasPrefix(finding.File, "site/contact") && (finding.Line < 1 || finding.Line > lines || finding.Column < 1) {
				t.Errorf("found %s", describe([]check.Finding{finding}))
			}
		}
	})
}
