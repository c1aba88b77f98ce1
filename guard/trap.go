package guard

import "regexp"

// autofilled matches what browsers and password managers look for in the names
// of inputs, in any language that writes Latin letters.
var autofilled = regexp.MustCompile(`(?i)name|nom|e.?mail|phone|tel|mobile|fax|url|web|site|home|company|organi[sz]ation|address|street|city|town|zip|post.?code|postal|country|state|region|user|login|pass|card|cvc|birth|title|search|otp|code`)

// IsFilledByBrowsers reports whether an input with the name may be filled in
// without the visitor: a trap with such a name catches people.
func IsFilledByBrowsers(input string) bool { return autofilled.MatchString(input) }

// KnownTraps returns the names of the traps that form services have taught people.
func KnownTraps() []string {
	return []string{"_gotcha", "bot-field", "botcheck", "_honeypot", "_honey"}
}
