package page_test

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/leadwire/caddy-telecrm/page"
)

// hostile are values that try to break out of their place.
var hostile = []string{
	"", " ", "\n", "\r\n\n", "\x00", "\xff", "&amp;#34", "&lt", `"`, "'", "`", "<", ">", "/>", "<!--", "-->", "]]>", "{{.}}",
	`"></textarea></select></option></title></style></template></noscript><script>window.injected = true</script>`,
	`' onfocus='x' autofocus`, `"><img src=x onerror=x>`, "</TEXTAREA ><svg/onload=x>",
}

// FuzzOwnValues sends hostile texts through every place of a page. They must come back unchanged,
// and the elements must be those of a page with harmless texts.
func FuzzOwnValues(f *testing.F) {
	for _, text := range hostile {
		f.Add(text, "Fill it in.", "a message")
		f.Add("typed", text, text)
	}
	const source = `<!DOCTYPE html><title>T</title><main><form method=post><input name="q" value='was'><textarea name="t">was</textarea>
<select name=s><option>a</select><fieldset><legend>L</legend><input type=radio name=r value=a></fieldset><input name="p" aria-label=P></form>`
	f.Fuzz(func(t *testing.T, typed, label, message string) {
		build := func(typed, label, message string) page.Own {
			o := own(t, source)
			o.Note = message
			o.Values = []page.Pair{{Name: "q", Value: typed}, {Name: "t", Value: typed}, {Name: "s", Value: typed}, {Name: "r", Value: typed}}
			o.Hidden = []page.Pair{{Name: "_form_page", Value: typed}}
			for _, input := range []string{"q", "t", "s", "r", "p"} {
				o.Problems = append(o.Problems, page.Problem{Input: input, Fault: page.Fault{Label: label, Limit: label}, Message: message})
			}
			return o
		}
		if slices.Contains([]string{"was", "a"}, typed) {
			return // it is on the page, so nothing changes
		}
		doc := render(t, build(typed, label, message))
		harmless := harmless([]string{typed, label, message})
		if diff := cmp.Diff(skeleton(render(t, build(harmless[0], harmless[1], harmless[2]))), skeleton(doc)); diff != "" {
			t.Fatalf("the texts changed the elements (-harmless +got):\n%s", diff)
		}
		if got := value(all(doc.root, "input")[1], "value"); got != attributeText(typed) {
			t.Fatalf("%q came back in a line as %q", typed, got)
		}
		if got := content(only(t, doc.root, "textarea")); got != arrived(typed) {
			t.Fatalf("%q came back in a textarea as %q", typed, got)
		}
	})
}

// attributeText returns text as it comes back in an attribute, where a line may also end with CR.
func attributeText(text string) string { return strings.ReplaceAll(text, "\x00", "\uFFFD") }

// FuzzOwnPages checks that any page comes back unchanged except where intended, and that the
// visitor's text is never executed.
func FuzzOwnPages(f *testing.F) {
	f.Add([]byte(everyControl))
	for _, source := range []string{
		`<form><input name=q></form>`, `<form><textarea name=q>`, `<select name=q><form><input name=q>`, `<svg><form><input name=q>`,
		`<table><form><tr><td><input name=q></table>`, `<form><option><select name=q><option><optgroup><option></select>`,
		`<form><label><fieldset><legend><input type=radio name=q></label></form>`, `<title><form><input name=q></title><form><input name=q autofocus id=q>`,
		`<form/><input/name=q/><template><template></template><input name=q>`, `<form><math><![CDATA[<input name=q>]]></math><input name=q form=x>`,
		`<form><p data-error-for=q autofocus hidden><input name=q`, `<form a=1 a=2 =x "y" '><input name=q name=r value value=2>`, "<form><input name=q\x00 \r\nvalue='\r\n&quot'>",
	} {
		f.Add([]byte(source))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		if bytes.Contains(bytes.ToLower(source), []byte("telecrm")) || bytes.Contains(source, []byte("_form_page")) {
			return // insertions could not be told from the source
		}
		o := own(t, string(source))
		o.Policies = []string{"style-src 'none'"}
		build := func(typed string) (document, bool) {
			o.Values = []page.Pair{{Name: "q", Value: typed}}
			o.Problems = []page.Problem{{Input: "q", Message: "Correct it."}}
			answer, err := o.Render()
			if err != nil {
				return document{}, false
			}
			checkUnchanged(t, source, answer)
			root, err := html.Parse(bytes.NewReader(answer))
			if err != nil {
				return document{}, false // too deep for the parser
			}
			checkSeen(t, answer)
			return document{string(answer), root}, true
		}
		doc, ok := build(`"'><!--</textarea></select></script><img onerror=x>`)
		if !ok {
			return
		}
		if harmless, ok := build("something"); ok {
			if diff := cmp.Diff(skeleton(harmless), skeleton(doc)); diff != "" {
				t.Fatalf("the text changed the elements (-harmless +got):\n%s", diff)
			}
		}
	})
}

// Hostile pages do not take longer than others.
func TestOwnOfHostilePages(t *testing.T) {
	size := page.MaxSource
	if testing.Short() {
		size /= 8
	}
	for name, piece := range map[string]string{
		"open tags": "<", "forms": "<form>", "controls": "<form><input name=q>", "labels": "<label>x", "options": "<select name=q><option>x", "pieces of an option": "x<!---->",
		"ids": "<p id=x>", "far controls": "<form id=f><input form=f name=q>", "attributes": "<input a ", "quotes": `<input a="`, "comments": "<!--", "sections": "<![CDATA[",
		"anchors": "<a href=#>", "focus": "<p autofocus>", "slots": "<p data-error-for=q>", "scripts": "<script><!--<script>", "titles": "<title>", "SVGs": "<svg>",
		"ends": "</form></fieldset></label></select>", "our own ids": "telecrm-",
	} {
		t.Run(name, func(t *testing.T) {
			source := `<form><input name=q><select><option>` + strings.Repeat(piece, size/len(piece)-100)
			o := own(t, source)
			o.Values = []page.Pair{{Name: "q", Value: "typed"}}
			o.Problems = []page.Problem{missing("q")}
			answer, err := o.Render()
			if err != nil || !bytes.Contains(answer, []byte(`value="typed"`)) {
				t.Errorf("error %v, or the value is missing", err)
			}
		})
	}
}

// answered returns a realistic page of that size with values and errors.
func answered(tb testing.TB, size int) page.Own {
	tb.Helper()
	o := own(tb, realisticPage(size))
	o.Code, o.Note = "UNAVAILABLE", "Look again."
	for i := range 30 {
		o.Values = append(o.Values, page.Pair{Name: "line" + strconv.Itoa(i), Value: "Asha & Ravi"})
	}
	for _, pair := range []string{"country=50", "how=mail", "topic=b", "message=typed"} {
		name, value, _ := strings.Cut(pair, "=")
		o.Values = append(o.Values, page.Pair{Name: name, Value: value})
	}
	o.Problems = []page.Problem{missing("line3"), missing("line9"), missing("country"), missing("how"), missing("message")}
	return o
}

// Allocations grow slowly with the page.
func TestOwnAllocatesLittle(t *testing.T) {
	for _, size := range []int{30 << 10, 300 << 10} {
		o := answered(t, size)
		allocs := testing.AllocsPerRun(3, func() {
			if _, err := o.Render(); err != nil {
				t.Fatal(err)
			}
		})
		if perKB := allocs / (float64(len(o.Source)) / 1024); perKB > 50 {
			t.Errorf("%d KB: %.0f allocations a KB, want 50 at most", size>>10, perKB)
		}
	}
}

// BenchmarkOwn renders pages like those of real sites, with links, images and drawings, and a form
// of 36 controls and a select of 100 options.
func BenchmarkOwn(b *testing.B) {
	for _, size := range []int{30 << 10, 100 << 10, page.MaxSource} {
		b.Run(strconv.Itoa(size>>10)+"KB", func(b *testing.B) {
			o := answered(b, size)
			b.ReportAllocs()
			b.SetBytes(int64(len(o.Source)))
			for b.Loop() {
				if _, err := o.Render(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(testing.AllocsPerRun(1, func() { _, _ = o.Render() }))/(float64(len(o.Source))/1024), "allocs/KB")
		})
	}
}

// realisticPage returns nearly size bytes.
func realisticPage(size int) string {
	var s strings.Builder
	s.WriteString(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Contact</title>
<link rel="stylesheet" href="/css/site.css?v=3&amp;theme=light"><script src="/js/site.js" defer></script></head><body class="page contact">
<header class="navbar" id="top"><a class="brand" href="/"><svg viewBox="0 0 24 24" width="24" height="24"><path d="M3 3h18v18H3z"/></svg> Sunrise</a>
<nav id="menu"><ul><li><a href="#services">Services</a></li><li><a href="/about?from=menu&amp;x=1">About</a></li></ul></nav></header>
<main id="main"><form class="form" id="contact" method="post" action="/contact">
`)
	for i := range 30 {
		fmt.Fprintf(&s, `<div class="form-group col-md-6"><label for="line%d">Question %d <span class="required">*</span></label>
<input type="text" class="form-control" id="line%[1]d" name="line%[1]d" placeholder="An answer" autocomplete="off" required></div>
`, i, i)
	}
	s.WriteString(`<label for="country">Country</label><select class="form-select" id="country" name="country">`)
	for i := range 100 {
		fmt.Fprintf(&s, "<option value=\"%d\">Country %d</option>\n", i, i)
	}
	s.WriteString(`</select><fieldset class="row"><legend>How?</legend>
<label><input type="radio" name="how" value="mail"> By mail</label><label><input type="radio" name="how" value="phone" checked> By phone</label></fieldset>
<label><input type="checkbox" name="topic" value="a" checked> A</label><label><input type="checkbox" name="topic" value="b"> B</label>
<label for="message">Message</label><textarea class="form-control" id="message" name="message" rows="5"></textarea>
<button type="submit" class="btn btn-primary">Send</button></form>
`)
	const end = "</main></body></html>\n"
	for i := 0; ; i++ {
		card := fmt.Sprintf(`<article class="card mb-3" id="card-%d" data-aos="fade-up"><a href="/products/%d?utm_source=list&amp;utm_medium=card" title="More of it"><img src="/img/%[1]d.webp" alt="" width="320" height="200" loading="lazy"></a>
<svg class="icon" viewBox="0 0 16 16" fill="none"><path stroke-linecap="round" d="M8 1v14"/><circle cx="8" cy="8" r="3"/></svg>
<h3 class="card-title">Product %[1]d</h3><p class="card-text">Words about it, <strong>some</strong> of them bold &amp; all of them <em>kind</em>.</p><a class="btn btn-link" href="#top">Up</a></article>
`, i, i)
		if s.Len()+len(card)+len(end) > size {
			return s.String() + end
		}
		s.WriteString(card)
	}
}
