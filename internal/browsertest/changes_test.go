package browsertest

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// change matches the comments in which init says what to change in a page.
var change = regexp.MustCompile(`# In (.+):(\d+):(\d+), (set|remove|add) (.+)`)

// pageChange is a change of the tag at a position.
type pageChange struct {
	at   int // in bytes
	verb string
	what string
}

// changePages changes pages as the comments of a config say, as their owner does.
func changePages(t *testing.T, config string) {
	t.Helper()
	byFile := make(map[string][]pageChange)
	sources := make(map[string]string)
	for _, found := range change.FindAllStringSubmatch(config, -1) {
		file := found[1]
		if _, known := sources[file]; !known {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sources[file] = string(content)
		}
		byFile[file] = append(byFile[file], pageChange{offset(t, sources[file], found[2], found[3]), found[4], found[5]})
	}
	for file, changes := range byFile {
		source := sources[file]
		slices.SortStableFunc(changes, func(a, b pageChange) int { return b.at - a.at })
		for _, c := range changes {
			source = c.apply(t, source)
		}
		if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// offset returns the position in bytes for a line and a column.
func offset(t *testing.T, source, line, column string) int {
	t.Helper()
	l, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	c, err := strconv.Atoi(column)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(source, "\n")
	return len(strings.Join(lines[:l-1], "")) + len(string([]rune(lines[l-1])[:c-1]))
}

var attributeToSet = regexp.MustCompile(`([\w-]+)="([^"]*)"`)

// apply changes the tag at the position.
func (c pageChange) apply(t *testing.T, source string) string {
	t.Helper()
	before, rest := source[:c.at], source[c.at:]
	tag, after, found := strings.Cut(rest, ">")
	if !found || !strings.HasPrefix(tag, "<") {
		t.Fatalf("nothing to change at %.40s", rest)
	}
	switch c.verb {
	case "set":
		attributes := c.what[:strings.LastIndex(c.what, " in the ")]
		for _, a := range attributeToSet.FindAllStringSubmatch(attributes, -1) {
			tag = without(tag, a[1])
		}
		name := regexp.MustCompile(`^<\w+`).FindString(tag)
		tag = name + " " + attributes + tag[len(name):]
	case "remove":
		if strings.HasPrefix(c.what, "the class disabled") {
			tag = regexp.MustCompile(`\bdisabled\b`).ReplaceAllString(tag, "")
			break
		}
		attribute, _, _ := strings.Cut(c.what, " ")
		tag = without(tag, attribute)
	case "add":
		_, markup, found := strings.Cut(c.what, ": ")
		if !found {
			t.Fatalf("nothing to add in %q", c.what)
		}
		after = markup + after
	}
	return before + tag + ">" + after
}

// without returns a tag without an attribute.
func without(tag, attribute string) string {
	return regexp.MustCompile(`\s`+attribute+`="[^"]*"`).ReplaceAllString(tag, "")
}
