package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
)

// moment formats at in local time.
func moment(at time.Time) string {
	return at.Local().Format("2006-01-02 15:04:05 MST")
}

// age returns the time since at, in words.
func (t *terminal) age(at time.Time) string {
	return strings.TrimSpace(humanize.RelTime(at, t.now(), "", ""))
}

// ago returns how long ago at was, in words.
func (t *terminal) ago(at time.Time) string {
	if age := t.age(at); age != "now" {
		return age + " ago"
	}
	return "just now"
}

// ahead returns the time until at, in words.
func (t *terminal) ahead(at time.Time) string {
	if !at.After(t.now()) {
		return "now"
	}
	return "in " + t.age(at)
}

// plural returns n with the right noun.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(int64(n)) + " " + many
}

// textOf formats the value of a lead's field.
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

// onOneLine joins the lines of text and escapes its control characters.
func onOneLine(text string) string {
	return strings.Join(strings.Fields(adminapi.Plain(text)), " ")
}
