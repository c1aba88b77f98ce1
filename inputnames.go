package caddytelecrm

import (
	"fmt"
	"strings"
)

// longestName and manyNames bound what a submission's own input names may add
// to the log: they come from whoever posts.
const (
	longestName = 40
	manyNames   = 20
)

// namesForLog keeps the names that look like an input's name.
func namesForLog(names []string) []string {
	isOdd := func(r rune) bool {
		return !strings.ContainsRune("_-.[]", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}
	kept := make([]string, 0, min(len(names), manyNames+1))
	odd := 0
	for _, name := range names {
		if len(name) > longestName || strings.ContainsFunc(name, isOdd) || len(kept) == manyNames {
			odd++
			continue
		}
		kept = append(kept, name)
	}
	if odd > 0 {
		kept = append(kept, fmt.Sprintf("(and %d more)", odd))
	}
	return kept
}
