package cli

import (
	"strings"
	"unicode/utf8"
)

// style is an ANSI code for a cell, used on terminals that show colors.
type style string

const (
	plain style = ""
	bold  style = "1"
	good  style = "32"
	bad   style = "31"
	warn  style = "33"
	quiet style = "2"
)

// cell is a cell of a table.
type cell struct {
	text  string
	style style
}

// table prints rows as they arrive, in columns that only grow wider.
type table struct {
	t      *terminal
	widths []int
}

func (tb *table) print(rows ...[]cell) {
	for _, row := range rows {
		for i, c := range row {
			if i == len(tb.widths) {
				tb.widths = append(tb.widths, 0)
			}
			tb.widths[i] = max(tb.widths[i], utf8.RuneCountInString(c.text))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, c := range row {
			line.WriteString(tb.t.paint(c.style, c.text))
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", tb.widths[i]-utf8.RuneCountInString(c.text)+2))
			}
		}
		tb.t.printf("%s\n", strings.TrimRight(line.String(), " "))
	}
}

// header is a row of column titles.
func header(titles ...string) []cell {
	row := make([]cell, 0, len(titles))
	for _, title := range titles {
		row = append(row, cell{title, bold})
	}
	return row
}

// paint styles text, if the terminal shows colors.
func (t *terminal) paint(s style, text string) string {
	if s == plain || !t.colors || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}
