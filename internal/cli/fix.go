package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/leadwire/caddy-telecrm/check"
)

// printPatch prints a patch that fixes findings, and on the error stream how to go on. Names in it
// are relative to the working directory, or to the root if a file is outside.
func (t *terminal) printPatch(r *check.Report) error {
	base, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("fix: %w", err)
	}
	where := ""
	for _, file := range r.Fixable() {
		if strings.HasPrefix(nameIn(base, file), "..") {
			base = filepath.VolumeName(base) + string(filepath.Separator)
			where = " -d " + base
			break
		}
	}
	patch, changes := r.Patch(os.ReadFile, func(file string) string { return nameIn(base, file) })
	if _, err := t.out.Write(patch); err != nil {
		return fmt.Errorf("fix: %w", err)
	}
	advice := "None of the findings has one certain fix."
	switch {
	case changes > 0:
		advice = fmt.Sprintf("The patch changes %s. To apply it, pipe it to: patch -p1%s", plural(changes, "line", "lines"), where)
	case len(r.Findings) == 0:
		advice = "There is nothing to fix."
	}
	_, _ = fmt.Fprintf(t.err, "%s\n%s\n", summaryOf(r), advice)
	return exitOfCheck(r)
}

// nameIn returns the name of a file relative to a folder, with slashes.
func nameIn(base, file string) string {
	if absolute, err := filepath.Abs(file); err == nil {
		file = absolute
	}
	if relative, err := filepath.Rel(base, file); err == nil {
		file = relative
	}
	return filepath.ToSlash(file)
}
