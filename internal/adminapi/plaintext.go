package adminapi

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Steers reports whether r is a control character, which a terminal may obey, or an invisible one,
// such as a change of direction. The joiners that words need are text.
func Steers(r rune) bool {
	const joiner, nonJoiner = '\u200d', '\u200c'
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) && r != joiner && r != nonJoiner
}

// Plain escapes control and invisible characters, except line breaks. It uses JSON escapes, so that
// JSON keeps its meaning: unless JSON is indented with tabs, it only has such characters in
// strings.
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
