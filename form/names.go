package form

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// The bounds of what the names of a submission's inputs may add to a log: strangers choose them.
const (
	maxLoggedName  = 40
	maxLoggedNames = 20
)

// LoggableNames returns the names that look like an input's name, cut if they are long, and how many
// others there are. Some forms use the whole question as the name. A script that sends text or JSON
// as if it were a form makes a name of it; that has no place in a log.
func LoggableNames(names []string) []string {
	kept := make([]string, 0, min(len(names), maxLoggedNames+1))
	omitted := 0
	for _, name := range names {
		if strings.ContainsFunc(name, isUnusual) || longNumber.MatchString(name) || len(kept) == maxLoggedNames {
			omitted++
			continue
		}
		if short := cut(name, maxLoggedName); short != name {
			name = short + "…"
		}
		kept = append(kept, name)
	}
	if omitted > 0 {
		kept = append(kept, fmt.Sprintf("(and %d more)", omitted))
	}
	return kept
}

// longNumber matches a number that may be a person's, such as that of a phone: a long one, or one
// among words.
var longNumber = regexp.MustCompile(`\pN{7}| .*\pN{4}|\pN{4}.* `)

// isUnusual reports whether a rune does not belong into an input's name or into a question.
func isUnusual(r rune) bool {
	return !strings.ContainsRune("_-.[] ?'’,()*", r) && !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r)
}
