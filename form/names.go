package form

import (
	"fmt"
	"strings"
)

// The bounds of what the names of a submission's inputs may add to a log: strangers choose them.
const (
	maxLoggedName  = 40
	maxLoggedNames = 20
)

// LoggableNames returns the names that look like an input's name, and how many others there are.
func LoggableNames(names []string) []string {
	isUnusual := func(r rune) bool {
		return !strings.ContainsRune("_-.[]", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}
	kept := make([]string, 0, min(len(names), maxLoggedNames+1))
	omitted := 0
	for _, name := range names {
		if len(name) > maxLoggedName || strings.ContainsFunc(name, isUnusual) || len(kept) == maxLoggedNames {
			omitted++
			continue
		}
		kept = append(kept, name)
	}
	if omitted > 0 {
		kept = append(kept, fmt.Sprintf("(and %d more)", omitted))
	}
	return kept
}
