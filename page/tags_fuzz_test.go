package page

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"pgregory.net/rapid"
)

// seenTag is a tag in comparable form.
type seenTag struct {
	raw, name  string
	isEnd      bool
	closed     bool
	attributes []attribute
}

// FuzzTokens compares our tags of a page with those of html.Tokenizer.
func FuzzTokens(f *testing.F) {
	for _, source := range []string{
		"", "<", "</", "a<b", "<a", "</a", "<a>b</a>", "< a></ a></>", "<!-- > --><!--><!---><!x><!><?x?><!DOCTYPE html>", "<A HREF='x'>", "<a b=c/><a b/><a b /><a/b><a / b>",
		`<a b = "c"><a b="c"d='e'f><a b=""><a b=><a b=c"d><a =b><a "b"><a b<c><a b='`, "<a b=&amp;c d='&lt' e=\"\r\n\">", "<a b=1 B=2><a\x00b><a é=1><É>", "<a\nb\tc\fd\re>",
		"<script>a<b</script><script><!--<script></script>--></script>", "<title>&amp;<b></title ><textarea\n>a</textarea/b><style></style><plaintext><a>",
		"<svg><title><b></title><![CDATA[<b>]]><a b=1/></svg><![CDATA[<b>]]>", "<noscript><a></noscript><iframe>", "<b " + strings.Repeat("a", 60) + ">", "<b" + strings.Repeat(" a=1", 60) + ">",
		"<script/><a></script><title/></title>", "a&amp;b<b", "x</y", "</a b='>'>", "<a b='>'>", "<!doctype a>b>",
	} {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		ours, theirs := readOurs(source), readTheirs(source)
		for i := range max(len(ours), len(theirs)) {
			if i >= len(ours) || i >= len(theirs) {
				t.Fatalf("%q has %d tags, want %d", source, len(ours), len(theirs))
			}
			got, want := ours[i], theirs[i]
			if got.raw != want.raw || got.name != want.name || got.isEnd != want.isEnd || got.closed != want.closed || !slices.Equal(got.attributes, want.attributes) {
				t.Fatalf("%q: got %+v, want %+v", source, got, want)
			}
		}
	})
}

func readOurs(source string) []seenTag {
	var list []seenTag
	for tags := newTags([]byte(source)); tags.next(); {
		s := seenTag{raw: tags.source[tags.at:tags.end], name: tags.name, isEnd: tags.isEnd}
		s.name = strings.ReplaceAll(s.name, "\x00", "\uFFFD") // no name that matters contains NUL
		if !s.isEnd {
			tags.decode()
			s.closed, s.attributes = tags.lexer.selfClosing, slices.Clone(tags.attributes)
		}
		list = append(list, s)
	}
	return list
}

// readTheirs uses the tokenizer and only tells it where SVG and MathML are.
func readTheirs(source string) []seenTag {
	var list []seenTag
	var nesting nesting
	tokens := html.NewTokenizer(strings.NewReader(source))
	for {
		kind := tokens.Next()
		s := seenTag{raw: string(tokens.Raw()), isEnd: kind == html.EndTagToken, closed: kind == html.SelfClosingTagToken}
		switch kind {
		case html.ErrorToken:
			return list
		case html.TextToken, html.CommentToken, html.DoctypeToken:
			continue
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
		}
		name, more := tokens.TagName()
		s.name = string(name)
		for !s.isEnd && more {
			var key, value []byte
			key, value, more = tokens.TagAttr()
			s.attributes = append(s.attributes, attribute{string(key), string(value)})
		}
		if s.isEnd {
			nesting.close(name)
		} else if nesting.open(name, s.closed) != htmlSpace {
			tokens.NextIsNotRawText()
		}
		if nesting.isLost {
			return list
		}
		tokens.AllowCDATA(nesting.hasSections())
		list = append(list, s)
	}
}

// FuzzTree compares our reading of a page with the tree of html.Parse. Each tag that we take for a
// form, control, label or option must be an HTML element there, and we must see each form and
// control of the tree.
func FuzzTree(f *testing.F) {
	for _, source := range treeSeeds {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) { checkTree(t, source) })
}

var treeSeeds = []string{
	`<math><mtext><script>var x="</math><form method=post action=/contact><input name=q>"</script></mtext></math>`,
	`<svg><desc><style></svg><form><input name=q></style></desc></svg><form><input name=q></form>`,
	`<svg><foreignObject><div><textarea></svg><form><input name=q></textarea></div></foreignObject></svg><input name=q>`,
	`<svg><title><script>"</svg><form><input name=q>"</script></title></svg><form><input name=q></form>`,
	`<math><mi><mglyph><script></mglyph><form><input name=q></script></mi></math>`,
	`<math><annotation-xml encoding="text/html"><script>"</math><form><input name=q>"</script></annotation-xml></math>`,
	`<svg><p><script>"</svg><form><input name=q>"</script>`,
	`<table><svg><desc><tr></tr></desc><script>"</svg><form><input name=q>"</script>`,
	`<svg><desc><div><object></div></desc><script>"</svg><form><input name=q>"</script>`,
	`<svg><desc><aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab></aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac></desc><script>"</svg><form><input name=q>"</script>`,
	`<select><xmp></select><form><input name=q></xmp>`, `<frameset><title></frameset><form><input name=q></title>`,
	`<template><col><xmp></template><xmp></xmp><form><input name=q></xmp>`, `<svg><![CDATA[<form><input name=q>]]></svg><![CDATA[<form><input name=q>]]>`,
	`<svg/><form><input name=q></form>`, `<svg><script/><form><input name=q></svg>`, `<plaintext><form><input name=q>`,
	`<svg><desc><form></form></desc></svg><form><svg><desc><form></form></desc></svg><input name=q></form><input name=q>`,
	`<form><table><tr><td><input name=q></form><input name=q></table><form><input name=q form=x>`,
	`<form><label>a<select name=s><optgroup><option>b<option value=c>d</select></label><textarea name=t>x</textarea><button name=b>y</button></form>`,
}

// Random pages of fragments that nobody writes by hand.
func TestTreeOfRandomPages(t *testing.T) {
	pieces := strings.Fields(`<form> <form> </form> <svg> </svg> <math> </math> <mi> </mi> <mtext> </mtext> <mglyph> </mglyph> <title> </title> <desc> </desc> <foreignObject> </foreignObject>
		<annotation-xml~encoding=text/html> </annotation-xml> <style> </style> <script> </script> <!-- --> --!> <![CDATA[ ]]> <textarea~name=t> </textarea> <template> </template> <select~name=s> </select>
		<option> <table> <tr> <td> <col> </table> <p> </p> <br> </br> <div> </div> <b> </b> <object> </object> <a~b='> '> "> <g/> <path> <noscript> </noscript> <input~name=q> <input~name=q> <frameset> </frameset>
		<iframe> </iframe> <html> <body> <head> </head> </body> <xmp/> </xmp> <button~name=b> </button> <label> </label> <font> <font~color=red> <li> < > / - ! x`)
	rapid.Check(t, func(t *rapid.T) {
		var source strings.Builder
		for _, piece := range rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 30).Draw(t, "pieces") {
			source.WriteString(strings.ReplaceAll(piece, "~", " "))
		}
		checkTree(t, source.String())
	})
}

// marker is an attribute that none of the pages has.
const marker = "data-seen"

func checkTree(t interface{ Fatalf(string, ...any) }, source string) {
	if strings.Contains(strings.ToLower(source), marker) {
		return
	}
	marked, isLost := markSeen(source)
	root, err := html.Parse(strings.NewReader(marked))
	if err != nil {
		return // for example, it is nested too deeply
	}
	for n := range root.Descendants() {
		isSeen := strings.Contains(n.Data, marker)
		for _, a := range n.Attr {
			isSeen = isSeen || strings.Contains(a.Val, marker) || strings.Contains(a.Key, marker) && a.Key != marker
		}
		if isSeen {
			t.Fatalf("%q: a tag that we see is text, in\n%q", source, marked)
		}
		_, isMarked := attributeOf(n, marker)
		if isMarked && n.Namespace != "" {
			t.Fatalf("%q: a tag that we see is in %s, in\n%q", source, n.Namespace, marked)
		}
		if n.Type == html.ElementNode && n.Namespace == "" && isForm(n.Data) && !isMarked && !isLost && !isWithin(n) {
			t.Fatalf("%q: <%s> is not seen, in\n%q", source, n.Data, marked)
		}
	}
}

func isForm(name string) bool {
	switch name {
	case "form", "input", "textarea", "select", "button":
		return true
	}
	return false
}

// isWithin reports whether the element is in SVG or MathML. Elements in templates are not
// descendants.
func isWithin(n *html.Node) bool {
	for a := range n.Ancestors() {
		if a.Namespace != "" || a.Data == "template" {
			return true
		}
	}
	return false
}

func attributeOf(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// markSeen adds the marker to each tag that we see.
func markSeen(source string) (marked string, isLost bool) {
	o, err := readOutline([]byte(source))
	if err != nil {
		return source, true
	}
	kept := make(map[*tag]bool)
	for _, f := range o.forms {
		kept[f.tag] = true
	}
	for _, c := range o.controls {
		kept[c.tag] = true
		for _, option := range c.options {
			kept[option.tag] = true
		}
	}
	for _, l := range o.labels {
		kept[l.tag] = true
	}
	ends := make(map[int]bool)
	for t := range kept {
		ends[t.start+len("<")+len(t.name)] = true
	}
	var s strings.Builder
	for i := range len(source) {
		if ends[i] {
			fmt.Fprintf(&s, " %s ", marker)
		}
		s.WriteByte(source[i])
	}
	return s.String(), o.isLost
}

// The tags do not depend on the pieces of a page.
func TestTagsOfPieces(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, source := range treeSeeds {
		want := len(readOurs(source))
		for range 20 {
			var l lexer
			var n nesting
			got := 0
			for left := []byte(source); len(left) > 0 && !n.isLost; {
				read, isTag := l.next(left[:min(1+random.IntN(5), len(left))])
				left = left[read:]
				if !isTag {
					continue
				}
				if l.isEnd {
					n.close(l.name)
				} else if n.open(l.name, l.selfClosing) == htmlSpace {
					l.raw = rawName(l.name)
				}
				l.sections = n.hasSections()
				if !n.isLost {
					got++
				}
			}
			if got != want {
				t.Fatalf("%q in pieces has %d tags, want %d", source, got, want)
			}
		}
	}
}
