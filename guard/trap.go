package guard

import "regexp"

// autofilled matches input names that browsers and password managers fill in, in any language with
// Latin letters.
var autofilled = regexp.MustCompile(`(?i)name|nom|e.?mail|phone|tel|mobile|fax|url|web|site|home|company|organi[sz]ation|address|street|city|town|zip|post.?code|postal|country|state|region|user|login|pass|card|cvc|birth|title|search|otp|code`)

// IsFilledByBrowsers reports whether browsers may fill in an input with the name by themselves. A
// trap with such a name catches people.
func IsFilledByBrowsers(input string) bool { return autofilled.MatchString(input) }

// KnownTraps returns the names of the traps that form services have taught people.
func KnownTraps() []string {
	return []string{"_gotcha", "bot-field", "botcheck", "_honeypot", "_honey"}
}
