package fieldtype

import (
	"slices"
	"strings"
	"unicode"
)

// isIgnorable reports whether a rune has the property Default_Ignorable_Code_Point: it draws nothing
// itself. This is the derivation in Unicode's DerivedCoreProperties.txt; the two ranges are the
// interlinear annotations and the controls of Egyptian hieroglyphs, which do draw something.
func isIgnorable(r rune) bool {
	if r <= unicode.MaxASCII || r >= 0xFFF9 && r <= 0xFFFB || r >= 0x13430 && r <= 0x1343F {
		return false
	}
	return unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Cf, unicode.Variation_Selector) &&
		!unicode.In(r, unicode.White_Space, unicode.Prepended_Concatenation_Mark)
}

// isInvisible reports whether a rune draws nothing: white space, controls, joiners and direction
// marks.
func isInvisible(r rune) bool { return isEmptySpace(r) || isIgnorable(r) }

// isEmptySpace is isInvisible without joiners and direction marks, which may belong to the letter
// before them: a Malayalam or Sinhala name can end in a joiner.
func isEmptySpace(r rune) bool {
	switch r {
	case 0x00AD, 0x180E, 0x200B, 0x2060, 0x2800, 0x3164, 0xFEFF, 0xFFA0:
		return true
	}
	return unicode.IsSpace(r) || unicode.IsControl(r)
}

func trimInvisible(s string) string { return strings.TrimFunc(s, isInvisible) }

// dropIgnorable drops every ignorable rune.
func dropIgnorable(s string) string {
	return strings.Map(func(r rune) rune {
		if isIgnorable(r) {
			return -1
		}
		return r
	}, s)
}

// dropUnspelled drops the ignorable runes that are not part of a word's spelling. The joiners in
// Persian and Malayalam words are, and so are the joiners, selectors and tags of emoji, because the
// same label in TeleCRM has them too.
func dropUnspelled(s string) string {
	if !strings.ContainsFunc(s, isIgnorable) {
		return s
	}
	runes := []rune(s)
	kept := make([]rune, 0, len(runes))
	var base rune // the last letter or symbol
	for i, r := range runes {
		if !isIgnorable(r) {
			kept = append(kept, r)
			if !unicode.Is(unicode.M, r) {
				base = r
			}
			continue
		}
		isKeycap := slices.Contains(runes[i+1:min(i+2, len(runes))], '\u20E3')
		if joins(r) && (isJoined(base) || isKeycap) {
			kept = append(kept, r)
		}
	}
	return string(kept)
}

// joins reports whether a rune can be part of a word or an emoji.
func joins(r rune) bool {
	const nonJoiner, joiner, firstTag, lastTag = 0x200C, 0x200D, 0xE0020, 0xE007F
	return r == nonJoiner || r == joiner || r >= firstTag && r <= lastTag || unicode.Is(unicode.Variation_Selector, r)
}

// isJoined reports whether what follows a letter or symbol can change how it is drawn. It cannot
// after a digit or a Western letter.
func isJoined(base rune) bool {
	return base > unicode.MaxASCII && !unicode.In(base, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Nd, unicode.White_Space, unicode.Cc)
}
