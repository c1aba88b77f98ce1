package page_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/leadwire/caddy-telecrm/page"
)

// Scripts stay unchanged, wherever they are and whatever they look like.
func TestOwnPutsNothingIntoScripts(t *testing.T) {
	const (
		fake = `<form method=post action=/contact><input name=q value=1>`
		real = `<form method=post action=/contact><input name=q></form>`
	)
	for name, source := range map[string]string{
		"a text of MathML":              `<math><mtext><script>var x="</math>` + fake + `";</script></mtext></math>` + real,
		"another text of MathML":        `<math><mi><script>var x="</mi></math>` + fake + `";</script></mi></math>` + real,
		"a description in SVG":          `<svg><desc><script>var x="</desc></svg>` + fake + `";</script></desc></svg>` + real,
		"a title in SVG":                `<svg><title><script>var x="</svg>` + fake + `";</script></title></svg>` + real,
		"HTML in SVG":                   `<svg><foreignObject><div><script>var x="</svg>` + fake + `";</script></div></foreignObject></svg>` + real,
		"annotated MathML":              `<math><annotation-xml encoding="text/html"><script>var x="</math>` + fake + `";</script></annotation-xml></math>` + real,
		"a paragraph that ends the SVG": `<svg><p><script>var x="</p></svg>` + fake + `";</script>` + real,
		"a row that ends the SVG":       `<table><svg><desc><tr></tr></desc><script>var x="</svg>` + fake + `";</script></table>` + real,
		"an object that is not closed":  `<svg><desc><div><object></div></desc><script>var x="</svg>` + fake + `";</script></object></div></desc></svg>` + real,
		"a list of answers":             `<select><option><xmp></select><script>var x="</xmp>` + fake + `";</script>` + real,
		"a section in HTML":             `<svg><desc><![CDATA[></desc><p>]]><script>var x="</p></svg>` + fake + `";</script></desc></svg>` + real,
	} {
		t.Run(name, func(t *testing.T) {
			o := own(t, source)
			o.Values = []page.Pair{{Name: "q", Value: "+injected+"}}
			o.Problems = []page.Problem{{Input: "q", Message: "injected"}}
			answer, err := o.Render()
			if errors.Is(err, page.ErrNesting) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			root, err := html.Parse(bytes.NewReader(answer))
			if err != nil {
				t.Fatal(err)
			}
			for _, script := range all(root, "script") {
				if text := content(script); strings.Contains(text, "injected") {
					t.Errorf("the value is in a script: %s", text)
				}
			}
		})
	}
}

// Well-nested drawings and formulas do not prevent showing a page again.
func TestOwnOfPagesWithDrawings(t *testing.T) {
	for _, drawing := range []string{
		`<svg viewBox="0 0 1 1"><title>A</title><desc>B</desc><style>a{}</style><g><path d="M0"/><path d="M1"></path></g><path></svg>`,
		`<svg><foreignObject><div><p>A<br><b>B</b></p><ul><li>C</li></ul><img src=a></div></foreignObject><switch><text>D</text></switch></svg>`,
		`<svg><filter><feComponentTransfer><feFuncA/></feComponentTransfer><feDisplacementMap></feDisplacementMap></filter></svg>`,
		`<math display=block><semantics><mrow><mi>x</mi><mo>=</mo><mn>1</mn><mtext>y <b>z</b></mtext></mrow><annotation encoding="application/x-tex">x</annotation></semantics></math>`,
		`<svg><script>var a = 1</script><![CDATA[ <form><input name=q> ]]></svg>`,
	} {
		o := own(t, drawing+`<form method=post action=/contact>`+drawing+`<input name=q></form>`+drawing)
		o.Values = []page.Pair{{Name: "q", Value: "typed"}}
		if got := value(only(t, render(t, o).root, "input"), "value"); got != "typed" {
			t.Errorf("%s: got %q", drawing, got)
		}
	}
}

// Wrong nesting does not matter after the form, and within it only if something follows.
func TestOwnOfPagesThatBrowsersMend(t *testing.T) {
	const form = `<form method=post action=/contact><input name=q>`
	for source, want := range map[string]error{
		form + `</form><svg><p>`:                nil,
		form + `<svg><p></form>`:                nil,
		form + `<svg><p><input name=r></form>`:  page.ErrNesting,
		`<svg><p>` + form + `<input name=r>`:    page.ErrNesting,
		`<input name=r form=f><svg><p>` + form:  page.ErrNesting,
		form + `<input name=r></form></svg><p>`: nil,
	} {
		o := own(t, source)
		o.Values = []page.Pair{{Name: "q", Value: "typed"}}
		if strings.Contains(source, "name=r") {
			o.Values = append(o.Values, page.Pair{Name: "r", Value: "typed"})
		}
		if _, err := o.Render(); !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", source, err, want)
		}
	}
}
