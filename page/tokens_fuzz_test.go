package page

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// seen is a token as both see it.
type seen struct {
	kind       html.TokenType
	raw, name  string
	attributes []attribute
}

// FuzzTokens holds what is read of a page against what html.Tokenizer reads.
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
		ours, theirs := newTokens(source), html.NewTokenizer(strings.NewReader(source))
		foreign := 0
		for {
			got, want := readOurs(ours), readTheirs(theirs)
			if got.kind != want.kind || got.raw != want.raw || got.name != want.name || !slices.Equal(got.attributes, want.attributes) {
				t.Fatalf("%q is read as %+v, want %+v", source, got, want)
			}
			switch {
			case want.kind == html.ErrorToken:
				return
			case want.kind == html.StartTagToken && want.name == "svg":
				foreign++
			case want.kind == html.EndTagToken && want.name == "svg":
				foreign--
			case want.kind == html.StartTagToken && foreign > 0:
				ours.notRaw()
				theirs.NextIsNotRawText()
			}
			ours.odd.AllowCDATA(foreign > 0)
			theirs.AllowCDATA(foreign > 0)
		}
	})
}

func readOurs(tokens *tokens) seen {
	s := seen{kind: tokens.next()}
	s.raw = tokens.source[tokens.at:tokens.end]
	name := strings.ReplaceAll(tokens.name, "\x00", "\uFFFD") // which no name has that matters
	switch s.kind {
	case html.StartTagToken, html.SelfClosingTagToken:
		s.name, s.attributes = name, tokens.decoded().attributes
	case html.EndTagToken:
		s.name = name
	case html.ErrorToken:
		s.raw = "" // all that is left of a tag without an end
	case html.TextToken, html.CommentToken, html.DoctypeToken:
	}
	return s
}

func readTheirs(tokens *html.Tokenizer) seen {
	s := seen{kind: tokens.Next(), raw: string(tokens.Raw())}
	switch s.kind {
	case html.StartTagToken, html.SelfClosingTagToken:
		name, more := tokens.TagName()
		s.name = string(name)
		for more {
			var key, value []byte
			key, value, more = tokens.TagAttr()
			s.attributes = append(s.attributes, attribute{string(key), string(value)})
		}
	case html.EndTagToken:
		name, _ := tokens.TagName()
		s.name = string(name)
	case html.ErrorToken:
		s.raw = ""
	case html.TextToken, html.CommentToken, html.DoctypeToken:
	}
	return s
}
