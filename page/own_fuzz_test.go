package page_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/leadwire/caddy-telecrm/page"
)

// hostile are values that try to leave the place where they are put.
var hostile = []string{
	"", " ", "\n", "\r\n\n", "\x00", "\xff", "&amp;#34", "&lt", `"`, "'", "`", "<", ">", "/>", "<!--", "-->", "]]>", "{{.}}",
	`"></textarea></select></option></title></style></template></noscript><script>window.injected = true</script>`,
	`' onfocus='x' autofocus`, `"><img src=x onerror=x>`, "</TEXTAREA ><svg/onload=x>",
}

// FuzzOwnValues sends hostile texts through every place of a page that takes
// any: they must come back as they were, and the elements around them must be
// those of a page with harmless texts.
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
			return // it is on the page, so that nothing changes
		}
		doc := render(t, build(typed, label, message))
		harmless := harmless([]string{typed, label, message})
		if diff := cmp.Diff(skeleton(render(t, build(harmless[0], harmless[1], harmless[2]))), skeleton(doc)); diff != "" {
			t.Fatalf("the texts changed the page's elements (-harmless +got):\n%s", diff)
		}
		if got := value(all(doc.root, "input")[1], "value"); got != attributeText(typed) {
			t.Fatalf("%q came back in a line as %q", typed, got)
		}
		if got := content(only(t, doc.root, "textarea")); got != arrived(typed) {
			t.Fatalf("%q came back in a textarea as %q", typed, got)
		}
	})
}

// attributeText is text as it comes back in an attribute, in which a line may end with
// CR too.
func attributeText(text string) string { return strings.ReplaceAll(text, "\x00", "\uFFFD") }

// FuzzOwnPages holds any page to what is promised of all: it comes back but
// for what is meant to change, and the visitor's text runs nowhere.
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
			return // what is put in could not be told from what was there
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
				return document{}, false // deeper than that parser goes
			}
			return document{string(answer), root}, true
		}
		doc, ok := build(`"'><!--</textarea></select></script><img onerror=x>`)
		if !ok {
			return
		}
		if harmless, ok := build("something"); ok {
			if diff := cmp.Diff(skeleton(harmless), skeleton(doc)); diff != "" {
				t.Fatalf("the text changed the page's elements (-harmless +got):\n%s", diff)
			}
		}
	})
}

// Pages that are made to keep a parser busy take it no longer than others.
func TestOwnOfHostilePages(t *testing.T) {
	for name, piece := range map[string]string{
		"open tags": "<", "forms": "<form>", "controls": "<form><input name=q>", "labels": "<label>x", "options": "<select name=q><option>x", "pieces of an option": "x<!---->",
		"ids": "<p id=x>", "far controls": "<form id=f><input form=f name=q>", "attributes": "<input a ", "quotes": `<input a="`, "comments": "<!--", "sections": "<![CDATA[",
		"anchors": "<a href=#>", "focus": "<p autofocus>", "slots": "<p data-error-for=q>", "scripts": "<script><!--<script>", "titles": "<title>", "SVGs": "<svg>",
		"ends": "</form></fieldset></label></select>", "our own ids": "telecrm-",
	} {
		t.Run(name, func(t *testing.T) {
			source := `<form><input name=q><select><option>` + strings.Repeat(piece, page.MaxSource/len(piece)-100)
			o := own(t, source)
			o.Values = []page.Pair{{Name: "q", Value: "typed"}}
			o.Problems = []page.Problem{missing("q")}
			answer, err := o.Render()
			if err != nil || !bytes.Contains(answer, []byte(`value="typed"`)) {
				t.Errorf("error %v, or the value is not there", err)
			}
		})
	}
}

func BenchmarkOwn(b *testing.B) {
	const field = `<div class="field"><label for="f">A field</label><input class="wide" id="f" name="name" value="was"></div>` + "\n"
	text := strings.Repeat(`<div class="card" data-x="1"><h2>Heading</h2><p>Words of a page, <a href="/more">more</a> of them.</p></div>`+"\n", 10)
	for name, size := range map[string]int{"30KB": 30 << 10, "300KB": 300 << 10, "1MB": 1000 << 10} {
		b.Run(name, func(b *testing.B) {
			part := text + `<form method="post" action="/contact">` + strings.Repeat(field, 20) + `</form>`
			source := part + strings.Repeat(text, (size-len(part))/len(text))
			o := own(b, "<!DOCTYPE html><html><head><title>T</title></head><body><main>"+source+"</main></body></html>")
			for range 20 {
				o.Values = append(o.Values, page.Pair{Name: "name", Value: "typed"})
			}
			o.Problems = []page.Problem{missing("name")}
			b.ReportAllocs()
			b.SetBytes(int64(len(o.Source)))
			for b.Loop() {
				if _, err := o.Render(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
