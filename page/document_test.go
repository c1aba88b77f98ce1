package page_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/leadwire/caddy-telecrm/page"
)

// document is a parsed page.
type document struct {
	source string
	root   *html.Node
}

// write renders the page and parses it as a browser would.
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

// all returns the elements below n with these names, or all elements, in document order.
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
		t.Fatalf("the page has %d <%s>, want 1", len(found), name)
	}
	return found[0]
}

// having returns the elements below n with the attribute.
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

// controls returns the visible controls.
func controls(n *html.Node) []*html.Node {
	return slices.DeleteFunc(all(n, "input", "select", "textarea"), func(e *html.Node) bool {
		return value(e, "type") == "hidden"
	})
}

func has(n *html.Node, attribute string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == attribute })
}

// value returns the value of the attribute, or "".
func value(n *html.Node, attribute string) string {
	for _, a := range n.Attr {
		if a.Key == attribute {
			return a.Val
		}
	}
	return ""
}

// text returns the text in n without surrounding space.
func text(n *html.Node) string { return strings.TrimSpace(content(n)) }

// content returns the text in n.
func content(n *html.Node) string {
	var s strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			s.WriteString(d.Data)
		}
	}
	return s.String()
}

// firstElement returns the first child element of n, or nil.
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
