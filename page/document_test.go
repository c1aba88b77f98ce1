package page_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/leadwire/caddy-telecrm/page"
)

// document is a page as a browser has it.
type document struct {
	source string
	root   *html.Node
}

// write writes the page and reads it as a browser would.
func write(t testing.TB, b page.Builtin) document {
	t.Helper()
	var buf bytes.Buffer
	if err := b.Write(&buf); err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(bytes.NewReader(buf.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return document{buf.String(), root}
}

// all lists the elements below n of these names, or of any if none is given,
// in the order in which they begin.
func all(n *html.Node, names ...string) []*html.Node {
	var found []*html.Node
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && (len(names) == 0 || slices.Contains(names, d.Data)) {
			found = append(found, d)
		}
	}
	return found
}

// only returns the one element of that name below n.
func only(t testing.TB, n *html.Node, name string) *html.Node {
	t.Helper()
	found := all(n, name)
	if len(found) != 1 {
		t.Fatalf("the page has %d elements %s, want 1", len(found), name)
	}
	return found[0]
}

// having lists the elements below n that have the attribute.
func having(n *html.Node, attribute string) []*html.Node {
	return slices.DeleteFunc(all(n), func(e *html.Node) bool { return !has(e, attribute) })
}

// byID returns the element with the id, or nil.
func byID(n *html.Node, id string) *html.Node {
	for _, e := range having(n, "id") {
		if value(e, "id") == id {
			return e
		}
	}
	return nil
}

// controls lists what the visitor sees and can change.
func controls(n *html.Node) []*html.Node {
	return slices.DeleteFunc(all(n, "input", "select", "textarea"), func(e *html.Node) bool {
		return value(e, "type") == "hidden"
	})
}

func has(n *html.Node, attribute string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == attribute })
}

// value is that of the attribute, or "" without it.
func value(n *html.Node, attribute string) string {
	for _, a := range n.Attr {
		if a.Key == attribute {
			return a.Val
		}
	}
	return ""
}

// text is what stands in n, without the blanks around it.
func text(n *html.Node) string { return strings.TrimSpace(content(n)) }

// content is what stands in n.
func content(n *html.Node) string {
	var s strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			s.WriteString(d.Data)
		}
	}
	return s.String()
}

// firstElement returns the first element right inside n, or nil.
func firstElement(n *html.Node) *html.Node {
	for c := range n.ChildNodes() {
		if c.Type == html.ElementNode {
			return c
		}
	}
	return nil
}

// ancestor returns the closest element of that name around n, or nil.
func ancestor(n *html.Node, name string) *html.Node {
	for a := range n.Ancestors() {
		if a.Type == html.ElementNode && a.Data == name {
			return a
		}
	}
	return nil
}
