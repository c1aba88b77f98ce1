package adminapi

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Steers reports whether a character is not text but steers what shows it: a
// control character, which a terminal may obey, or one that is not seen, such
// as those that turn the direction. The joiners that words need do not.
func Steers(r rune) bool {
	const joiner, nonJoiner = '\u200d', '\u200c'
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) && r != joiner && r != nonJoiner
}

// Plain spells out the characters that steer, but line breaks. They are
// written as JSON escapes them, so that JSON keeps its meaning: in JSON that is
// not indented with tabs they only stand in strings.
func Plain(text string) string {
	steers := func(r rune) bool { return r != '\n' && Steers(r) }
	if !strings.ContainsFunc(text, steers) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case !steers(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, "\\u%04x\\u%04x", high, low)
		default:
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}
