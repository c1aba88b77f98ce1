// Package suggest finds the word that somebody probably meant, and writes lines to paste into a
// Caddyfile.
package suggest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Unknown returns an error about a word that is not one of the known words. The error lists them,
// and names the nearest.
func Unknown(what, got string, known ...string) error {
	question := Question(got, Words(known...))
	// Other languages separate a word from its value like this.
	if i := strings.IndexAny(got, ":="); i > 0 && slices.Contains(known, got[:i]) {
		question = fmt.Sprintf("write a space after %s; ", got[:i])
	}
	return fmt.Errorf("unknown %s%s; %sknown %s are: %s", what, Shown(got), question, plural(what), strings.Join(known, ", "))
}

// longestShown is how many bytes a word in an error has at most. Secrets have more.
const longestShown = 32

// Shown returns a word in quotes after a space, for an error. It returns "" for one that may be a
// secret that was written in the wrong place, or have one in it: it is long, or has a colon, an equals
// sign or an at sign.
func Shown(word string) string {
	if len(word) > longestShown || strings.ContainsAny(word, ":=@") {
		return ""
	}
	return fmt.Sprintf(" %q", word)
}

func plural(noun string) string {
	if stem, found := strings.CutSuffix(noun, "y"); found {
		return stem + "ies"
	}
	return noun + "s"
}

// Question returns "did you mean <word>? " with the word that [Nearest] finds, or "".
func Question(got string, words map[string]string) string {
	if word := Nearest(got, words); word != "" {
		return fmt.Sprintf("did you mean %s? ", word)
	}
	return ""
}

// Words returns the map for [Nearest] in which each word stands for itself.
func Words(words ...string) map[string]string {
	own := make(map[string]string, len(words))
	for _, word := range words {
		own[word] = word
	}
	return own
}

// Nearest returns the word that is most like got, or "" if none is like it. Words maps the
// spellings that people may use to the words that they stand for. Case does not count.
func Nearest(got string, words map[string]string) string {
	got = strings.ToLower(got)
	nearest, least := "", mostEdits(got)+1
	for _, spelling := range slices.Sorted(maps.Keys(words)) {
		if edits := levenshtein.ComputeDistance(got, strings.ToLower(spelling)); edits < least {
			nearest, least = words[spelling], edits
		}
	}
	return nearest
}

// Only returns the word that is most like got, or "" if none is like it, or another is as much.
func Only(got string, words map[string]string) string {
	nearest := Nearest(got, words)
	if nearest == "" {
		return ""
	}
	distance := func(spelling string) int {
		return levenshtein.ComputeDistance(strings.ToLower(got), strings.ToLower(spelling))
	}
	least := mostEdits(strings.ToLower(got))
	for spelling, word := range words {
		if word == nearest {
			least = min(least, distance(spelling))
		}
	}
	for spelling, word := range words {
		if word != nearest && distance(spelling) <= least {
			return ""
		}
	}
	return nearest
}

// mostEdits returns how many letters of a word may be wrong.
func mostEdits(word string) int { return (len([]rune(word)) + 1) / 3 }
