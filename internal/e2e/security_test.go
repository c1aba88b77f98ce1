package e2e_test

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each attack, and each rule that lost leads, names tests that exist.
func TestDocumentedAttacksAreTried(t *testing.T) {
	for _, page := range []struct {
		file, header string
		rows         int
	}{
		{"docs/security.md", "| attack |", 30},
		{"docs/reliability.md", "| rule |", 12},
	} {
		_, table, found := strings.Cut(read(t, page.file), "\n"+page.header)
		if !found {
			t.Fatalf("%s has no table %q", page.file, page.header)
		}
		table, _, _ = strings.Cut(table, "\n\n")
		rows := strings.Split(strings.TrimSpace(table), "\n")[2:]
		if len(rows) < page.rows {
			t.Errorf("%s: only %d rows", page.file, len(rows))
		}
		for _, row := range rows {
			checkNamedTests(t, row)
		}
	}
}

var testLink = regexp.MustCompile(`\[(Test\w+)\]\(\.\./([^)]+)\)`)

// checkNamedTests reports a row that names no test, or one that does not exist.
func checkNamedTests(t *testing.T, row string) {
	t.Helper()
	named := testLink.FindAllStringSubmatch(row, -1)
	if len(named) == 0 {
		t.Errorf("no test tries: %s", row)
	}
	for _, test := range named {
		if !strings.Contains(read(t, test[2]), "\nfunc "+test[1]+"(t *testing.T) {") {
			t.Errorf("%s has no %s", test[2], test[1])
		}
	}
}

// Certificates are always verified: no code, and so no setting, does without.
func TestNothingSwitchesVerificationOff(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		seen++
		for _, word := range []string{"InsecureSkipVerify", "VerifyPeerCertificate", "VerifyConnection"} {
			if strings.Contains(read(t, path), word) {
				t.Errorf("%s has %s", path, word)
			}
		}
		return nil
	})
	if err != nil || seen < 50 {
		t.Errorf("read %d files, error %v", seen, err)
	}
}
