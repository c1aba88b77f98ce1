package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"
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

// printable is text from elsewhere that cannot steer the terminal: whatever
// is not to be seen is spelt out. Line breaks stay.
func printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n':
			b.WriteRune(r)
		case unicode.IsGraphic(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}

// onOneLine is printable text without line breaks.
func onOneLine(text string) string {
	return strings.Join(strings.Fields(printable(text)), " ")
}
