package mapping

import (
	"fmt"
	"regexp"
)

// placeholders are those that some settings resolve, when the config is loaded or for each request.
var placeholders = regexp.MustCompile(`\{(?:env|file|system|time|http|vars|query|form|telecrm)\.[^{}]*\}`)

// CheckWritten returns an error if one of the texts, which are taken as they are written, has a
// placeholder.
func CheckWritten(texts ...string) error {
	for _, text := range texts {
		if found := placeholders.FindString(text); found != "" {
			return fmt.Errorf("the placeholder %s is not resolved here; write the text itself, or {$NAME}, which Caddy fills in while it reads the Caddyfile", found)
		}
	}
	return nil
}
