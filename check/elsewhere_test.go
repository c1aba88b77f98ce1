package check_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/check"
)

// A config of another machine is checked with the pages that are here.
func TestMoveTo(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "index.html"), []byte("<p>Hi</p>"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := check.Config{
		Sites: []*check.Site{{Root: "/srv/site"}, {Root: "/srv/site"}}, Folder: "/nonexistent/folder",
		Empty: []check.EmptyPlaceholder{{Setting: "token", Text: "{env.X}"}},
	}
	if err := c.MoveTo(root); err != nil {
		t.Fatal(err)
	}
	report, err := check.Run(t.Context(), c)
	if err != nil || len(report.Findings) > 0 || report.Pages != 2 {
		t.Errorf("got %+v, error %v", report, err)
	}
	if err := c.MoveTo(filepath.Join(root, "nothing")); err == nil {
		t.Error("a folder that does not exist is accepted")
	}
	c.Sites[1].Root = "/srv/other"
	if err := c.MoveTo(root); err == nil || !strings.Contains(err.Error(), "/srv/other") {
		t.Errorf("got %v", err)
	}
}
