package check

import (
	"bytes"
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Fixable lists the files that [Report.Patch] may change.
func (r *Report) Fixable() []string {
	var files []string
	for _, e := range r.edits {
		if !slices.Contains(files, e.place.File) {
			files = append(files, e.place.File)
		}
	}
	slices.Sort(files)
	return files
}

// Patch returns a unified diff that fixes findings, and how many lines it changes. Read reads a file
// by the name in places, and called names it in the diff. Files that cannot be read, and lines that
// are not as expected, are left alone.
func (r *Report) Patch(read func(file string) ([]byte, error), called func(file string) string) (patch []byte, changes int) {
	byFile := make(map[string][]edit)
	for _, e := range r.edits {
		byFile[e.place.File] = append(byFile[e.place.File], e)
	}
	var b bytes.Buffer
	for _, file := range slices.SortedFunc(maps.Keys(byFile), func(a, b string) int { return strings.Compare(called(a), called(b)) }) {
		content, err := read(file)
		if err != nil || !utf8.Valid(content) {
			continue
		}
		before := bytes.SplitAfter(content, []byte("\n"))
		after := slices.Clone(before)
		slices.SortStableFunc(byFile[file], func(a, b edit) int { return b.place.compare(a.place) }) // an edit moves what follows it
		for _, e := range byFile[file] {
			e.apply(after)
		}
		context := contextLines
		if slices.ContainsFunc(byFile[file], edit.isOfConfig) {
			context = 0
		}
		changes += writeDiff(&b, called(file), before, after, context)
	}
	return b.Bytes(), changes
}

// apply changes lines of a file, and never their number.
func (e edit) apply(lines [][]byte) {
	if e.place.Line > len(lines) {
		return
	}
	line := lines[e.place.Line-1]
	at := 0
	for range e.place.Column - 1 {
		_, size := utf8.DecodeRune(line[at:])
		at += size
	}
	if e.attribute == "" {
		lines[e.place.Line-1] = slices.Concat(line[:at], replaceWord(line[at:], e.old, e.by))
		return
	}
	e.setAttribute(lines[e.place.Line-1:], at)
}

// setAttribute changes the tag that begins in the first line. It may extend over several.
func (e edit) setAttribute(lines [][]byte, at int) {
	written := e.attribute
	if e.value != "" {
		written += `="` + html.EscapeString(e.value) + `"`
	}
	rest := bytes.Join(lines, nil)[at:]
	if len(rest) == 0 || rest[0] != '<' {
		return
	}
	name := 1 + bytes.IndexAny(rest[1:], " \t\r\n/>")
	if name < 1 {
		return
	}
	start, end := findAttribute(rest, name, e.attribute)
	switch {
	case start < 0:
		lines[0] = slices.Concat(lines[0][:at+name], []byte(" "+written), lines[0][at+name:])
	case e.value == "" || bytes.ContainsRune(rest[start:end], '\n'):
	default:
		for i, offset := 0, at+start; i < len(lines); i++ {
			if offset < len(lines[i]) {
				lines[i] = slices.Concat(lines[i][:offset], []byte(written), lines[i][offset+end-start:])
				return
			}
			offset -= len(lines[i])
		}
	}
}

// findAttribute returns where the tag has the attribute, or -1
// (https://html.spec.whatwg.org/multipage/parsing.html#before-attribute-name-state).
func findAttribute(tag []byte, from int, attribute string) (start, end int) {
	const space = " \t\r\n\f"
	for i := from; i < len(tag) && tag[i] != '>'; {
		if strings.IndexByte(space+"/", tag[i]) >= 0 {
			i++
			continue
		}
		start = i
		for i++; i < len(tag) && strings.IndexByte(space+"/>=", tag[i]) < 0; i++ {
		}
		name := string(tag[start:i])
		end = i
		for i < len(tag) && strings.IndexByte(space, tag[i]) >= 0 {
			i++
		}
		if i < len(tag) && tag[i] == '=' {
			for i++; i < len(tag) && strings.IndexByte(space, tag[i]) >= 0; i++ {
			}
			i = endOfValue(tag, i)
			end = i
		}
		if strings.EqualFold(name, attribute) {
			return start, end
		}
	}
	return -1, -1
}

// endOfValue returns where the value of an attribute ends.
func endOfValue(tag []byte, i int) int {
	if i < len(tag) && (tag[i] == '"' || tag[i] == '\'') {
		if length := bytes.IndexByte(tag[i+1:], tag[i]); length >= 0 {
			return i + length + 2
		}
		return len(tag)
	}
	for i < len(tag) && strings.IndexByte(" \t\r\n\f>", tag[i]) < 0 {
		i++
	}
	return i
}

// replaceWord replaces a word of a Caddyfile's line, however it is quoted. It leaves the line alone
// if the line does not have the word after the first one.
func replaceWord(line []byte, old, by string) []byte {
	for _, spelling := range []string{old, `"` + old + `"`, "`" + old + "`"} {
		for from := 1; ; {
			i := bytes.Index(line[min(from, len(line)):], []byte(spelling))
			if i < 0 {
				break
			}
			i += from
			end := i + len(spelling)
			if !isEdge(line, i-1) || !isEdge(line, end) {
				from = end
				continue
			}
			if by == "" {
				i-- // with the space before it
			}
			return slices.Concat(line[:i], []byte(by), line[end:])
		}
	}
	return line
}

// isEdge reports whether the byte at i separates words.
func isEdge(line []byte, i int) bool {
	return i >= len(line) || i >= 0 && strings.IndexByte(" \t\r\n", line[i]) >= 0
}

// contextLines is how many lines a diff shows around a change of a page. Around a change of a
// Caddyfile it shows none: any of them may hold a secret, and patches are passed around.
const contextLines = 3

// writeDiff writes the changes of a file, with some lines around them. Both versions have the same
// number of lines.
func writeDiff(b *bytes.Buffer, name string, before, after [][]byte, context int) (changes int) {
	if n := len(before); n > 0 && len(before[n-1]) == 0 { // after the last line break
		before, after = before[:n-1], after[:n-1]
	}
	var changed []int
	for i := range before {
		if !bytes.Equal(before[i], after[i]) {
			changed = append(changed, i)
		}
	}
	if len(changed) == 0 {
		return 0
	}
	fmt.Fprintf(b, "--- a/%s\n+++ b/%s\n", name, name)
	for first := 0; first < len(changed); {
		last := first
		for last+1 < len(changed) && changed[last+1]-changed[last] <= 2*context+1 {
			last++
		}
		from, to := max(changed[first]-context, 0), min(changed[last]+context+1, len(before))
		fmt.Fprintf(b, "@@ -%d,%d +%d,%d @@\n", from+1, to-from, from+1, to-from)
		for i := from; i < to; {
			if bytes.Equal(before[i], after[i]) {
				writeLine(b, ' ', before[i])
				i++
				continue
			}
			end := i
			for end < to && !bytes.Equal(before[end], after[end]) {
				end++
			}
			for _, line := range before[i:end] {
				writeLine(b, '-', line)
			}
			for _, line := range after[i:end] {
				writeLine(b, '+', line)
			}
			i = end
		}
		first = last + 1
	}
	return len(changed)
}

func writeLine(b *bytes.Buffer, mark byte, line []byte) {
	b.WriteByte(mark)
	b.Write(line)
	if !bytes.HasSuffix(line, []byte("\n")) {
		b.WriteString("\n\\ No newline at end of file\n")
	}
}
