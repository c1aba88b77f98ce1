package adminapi

import (
	"fmt"
	"strings"
	"time"
)

// Left is an outbox that no config uses any more, although leads wait in it.
type Left struct {
	Resource string `json:"resource"`
	// Since is when the outbox was closed, with Waiting waiting leads.
	Since   time.Time `json:"since"`
	Waiting int       `json:"waiting"`
	// Spools are the files of spools that have some of the leads.
	Spools []string `json:"spools,omitempty"`
}

// LeftAdvice says what to do about an outbox that is left.
const LeftAdvice = "name it in the config again until they are delivered, or stop Caddy and move them with caddy telecrm outbox copy"

// String describes the outbox in one line.
func (l Left) String() string {
	wait := "1 lead waited in it"
	if l.Waiting != 1 {
		wait = fmt.Sprintf("%d leads waited in it", l.Waiting)
	}
	if len(l.Spools) > 0 {
		wait += ", also in " + strings.Join(l.Spools, " and ")
	}
	return fmt.Sprintf("outbox %s: the running config has not used it since %s, when %s; %s",
		l.Resource, l.Since.UTC().Format(time.RFC3339), wait, LeftAdvice)
}
