package e2e_test

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each documented attack and rule names tests that exist.
func TestDocumentedAttacksAreTested(t *testing.T) {
	for _, page := range []struct {
		file, header string
		rows         int
	}{
		{"docs/security.md", "| attack |", 30},
		{"docs/reliability.md", "| rule |", 12},
	} {
		_, table, found := strings.Cut(read(t, page.file), "\n"+page.header)
		if !found {
			t.Fatalf("%s does not have a table %q", page.file, page.header)
		}
		table, _, _ = strings.Cut(table, "\n\n")
		rows := strings.Split(strings.TrimSpace(table), "\n")[2:]
		if len(rows) < page.rows {
			t.Errorf("%s: %d rows are too few", page.file, len(rows))
		}
		for _, row := range rows {
			checkNamedTests(t, row)
		}
	}
}

var testLink = regexp.MustCompile(`\[(Test\w+)\]\(\.\./([^)]+)\)`)

// checkNamedTests fails the test if the row does not name a test, or names one that does not exist.
func checkNamedTests(t *testing.T, row string) {
	t.Helper()
	named := testLink.FindAllStringSubmatch(row, -1)
	if len(named) == 0 {
		t.Errorf("the row does not name a test: %s", row)
	}
	for _, test := range named {
		if !strings.Contains(read(t, test[2]), "\nfunc "+test[1]+"(t *testing.T) {") {
			t.Errorf("%s does not contain %s", test[2], test[1])
		}
	}
}

var verification = regexp.MustCompile(`(?:InsecureSkipVerify|VerifyPeerCertificate|VerifyConnection)\s*(?::|=[^=])`)

// No code switches the verification of certificates off, and no setting but the DSN of a PostgreSQL
// server, which is warned about.
func TestNothingSwitchesVerificationOff(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		seen++
		if found := verification.FindString(read(t, path)); found != "" {
			t.Errorf("%s contains %s", path, found)
		}
		return nil
	})
	if err != nil || seen < 50 {
		t.Errorf("read %d files, error %v", seen, err)
	}
}
