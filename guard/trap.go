package guard

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
)

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

// TrapNames returns the names of a form's traps: those that are named, none if they are "off", or
// else the known ones that the form does not take. An input that the form takes cannot be a trap.
func TrapNames(named []string, takes func(input string) bool) ([]string, error) {
	switch {
	case len(named) == 0:
		return slices.DeleteFunc(KnownTraps(), takes), nil
	case slices.Contains(named, "off"):
		if len(named) > 1 {
			return nil, errors.New("must be either off or the names of inputs")
		}
		return nil, nil
	}
	for _, trap := range named {
		if takes(trap) {
			return nil, fmt.Errorf("input %s is sent to TeleCRM, so it cannot be a trap", trap)
		}
	}
	return named, nil
}
