package guard

import (
	"slices"
	"strings"
	"unicode"
)

// What letters at random weigh. There are names without vowels, and people who
// write theirs without, so that weighs little. Capitals all over a word are no
// name in any language, and nobody's habit either; but a person who plays
// with them is still to be let in.
const (
	weightNoVowels   = 2
	weightMixed      = 4
	weightMixedTwice = 6
)

// randomLetters returns what speaks for names, and texts beside them, that are
// letters at random. Texts alone do not, since pages send keys along that
// are.
func randomLetters(texts, names []string) Opinion {
	isText := func(text string) bool {
		text = strings.TrimSpace(text)
		return !strings.ContainsFunc(text, isNoLetter) && isMixed(text)
	}
	switch {
	case slices.ContainsFunc(names, hasMixedWord):
		if slices.ContainsFunc(texts, isText) {
			return Opinion{{"letters at random, for a name and elsewhere", weightMixedTwice}}
		}
		return Opinion{{"letters at random for a name", weightMixed}}
	case slices.ContainsFunc(names, hasNoVowels):
		return Opinion{{"a name without vowels", weightNoVowels}}
	}
	return nil
}

func isNoLetter(r rune) bool { return !unicode.IsLetter(r) }

// What a word must have to look mixed: "McDonald" and "DeLaCruz" have one or
// two small letters before a capital, and some people write their names in one
// word, "SriVenkataRamaRao", whose parts are longer than those of letters at
// random.
const (
	mixedLength = 8
	mixedTurns  = 3 // from small letters to capitals
	mixedPart   = 3 // letters in a part that begins with a capital, less than this on average
)

func hasMixedWord(name string) bool { return slices.ContainsFunc(words(name), isMixed) }

func words(text string) []string { return strings.FieldsFunc(text, isNoLetter) }

// isMixed reports whether small letters and capitals follow each other in a
// word as if by chance.
func isMixed(word string) bool {
	letters, capitals, turns, wasSmall := 0, 0, 0, false
	for _, r := range word {
		letters++
		isCapital := unicode.IsUpper(r)
		if isCapital {
			capitals++
			if wasSmall {
				turns++
			}
		}
		wasSmall = unicode.IsLower(r)
	}
	return letters >= mixedLength && turns >= mixedTurns && letters < mixedPart*capitals
}

// vowellessLength is how many letters a word without vowels must have to be no
// name: Smrž and Strč are, and so is, in a hurry, Prshnt.
const vowellessLength = 7

// hasNoVowels reports whether a word of small unaccented letters, the first of
// which may be a capital, has no vowel. Capitals alone are somebody's initials,
// or a company's.
func hasNoVowels(name string) bool {
	return slices.ContainsFunc(words(name), func(word string) bool {
		if len(word) < vowellessLength {
			return false
		}
		for i, r := range word {
			isSmall := r >= 'a' && r <= 'z'
			if !isSmall && (i > 0 || r < 'A' || r > 'Z') || strings.ContainsRune("aeiouyAEIOUY", r) {
				return false
			}
		}
		return true
	})
}
