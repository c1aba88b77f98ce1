package adminapi

import (
	"fmt"
	"time"

	"github.com/leadwire/caddy-telecrm/check"
)

// Check is the result of the last check of the forms beside the running server.
type Check struct {
	At       time.Time `json:"checked_at"`
	Errors   int       `json:"errors"`
	Warnings int       `json:"warnings"`
	Notes    int       `json:"notes"`
	// Unverified says what could not be checked.
	Unverified []string `json:"unverified,omitempty"`
	// Findings lists what was found. The status does not have them.
	Findings []check.Finding `json:"findings,omitempty"`
}

// String counts the findings in words.
func (c Check) String() string {
	return fmt.Sprintf("%s, %s and %s", counted(c.Errors, "error"), counted(c.Warnings, "warning"), counted(c.Notes, "note"))
}

func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
