package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
)

// moment writes a time as the clock on the wall shows it.
func moment(at time.Time) string {
	return at.Local().Format("2006-01-02 15:04:05 MST")
}

// age is how long ago something was, in words.
func (t *terminal) age(at time.Time) string {
	return strings.TrimSpace(humanize.RelTime(at, t.now(), "", ""))
}

// ago is when something was, in words.
func (t *terminal) ago(at time.Time) string {
	if age := t.age(at); age != "now" {
		return age + " ago"
	}
	return "just now"
}

// ahead is when something will be, in words.
func (t *terminal) ahead(at time.Time) string {
	if !at.After(t.now()) {
		return "now"
	}
	return "in " + t.age(at)
}

// plural counts things.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(int64(n)) + " " + many
}

// textOf writes a value of a lead.
func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []any:
		parts := make([]string, 0, len(v))
		for _, item := range v {
			parts = append(parts, textOf(item))
		}
		return strings.Join(parts, ", ")
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

// onOneLine is text from elsewhere, without line breaks, that cannot steer the
// terminal.
func onOneLine(text string) string {
	return strings.Join(strings.Fields(adminapi.Plain(text)), " ")
}
