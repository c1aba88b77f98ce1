package page_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/page"
)

// mark is the inserted text. None of the pages contains it.
const mark = "<input type=hidden name=inserted>"

// protect reads the page in pieces of the sizes that next returns. It returns the output and the
// forms found.
func protect(f *page.Forms, source string, next func() int) string {
	var out strings.Builder
	for left := []byte(source); len(left) > 0; {
		piece := bytes.Clone(left[:min(next(), len(left))])
		left = left[len(piece):]
		for len(piece) > 0 {
			n, insert := f.Next(piece)
			out.Write(piece[:n])
			out.WriteString(insert)
			clear(piece[:n]) // the reader must not keep the piece
			piece = piece[n:]
		}
	}
	return out.String()
}

func whole() int { return 1 << 30 }

func marking(forms *[]page.PostForm) func(page.PostForm) string {
	return func(form page.PostForm) string {
		*forms = append(*forms, form)
		return mark
	}
}

func TestFormsAreFound(t *testing.T) {
	// Each "+" marks an insertion. There are no others.
	for _, source := range []string{
		`<form method=post>+<input name=q></form>`,
		`<!DOCTYPE html><html><head><title>T</title></head><body><FORM action="/a>b" METHOD='Post' >+x</FORM></body></html>`,
		"<form\n\tclass=a/b\fmethod=\r\npost\n>+",
		`<form method="post" action=/a/>+<form method=post>`,
		`<form method=post action/>+`,
		`<form/method="post"/action="/a">+`,
		`<form method=post>+</form><form method=post>+</form><form method=get></form><form></form><form method="dialog"></form>`,
		`<form method=post><p>+`[:18] + `+<p><form method=post></form><form method=post>+`,
		`<form data-x="<form method=post>" method=post>+`,
		`<form a='"' b=">" method=post>+`,
		`<form =method=post></form><form = method=post>+`,
		`<form method= post>+</form><form method=>post></form>`,
		`<forms method=post><formx method=post></form method=post><form-x method=post>`,
		`< form method=post><\form method=post>`,
		`<div a="b"c='d'e><form method=post>+`,
		`<table><form method=post>+<tr><td></table>`,
		`</><form method=post>+</form></ form <form method=post>x<form method=post>+`,
		`<?php <form method=post><form method=post>+`,
		// Comments.
		`<!--<form method=post>--><form method=post>+`,
		`<!--><form method=post>+`, `<!---><form method=post>+`, `<!----><form method=post>+`, `<!--a--!><form method=post>+`,
		`<!--!><form method=post>--><form method=post>+`, `<!---!><form method=post>--><form method=post>+`, `<!----!><form method=post>+`,
		`<!-- -- > --!- -- --><form method=post>+`, `<!-- <!-- --><form method=post>+`, `<!--a--!-><form method=post>--><form method=post>+`,
		`<!- <form method=post>+`[:9] + `x><form method=post>+`,
		`<!><form method=post>+`, `<!a '><form method=post>+`, `<![CDATA[ > <form method=post>+ ]]>`,
		// Raw text.
		`<title><form method=post></title><form method=post>+`,
		`<textarea><form method=post></textarea ><form method=post>+`,
		`<style><form method=post></style x="</style>"><form method=post>+`,
		`<noscript><form method=post></noscript><form method=post>+`,
		`<iframe><form method=post></iframe><xmp><form method=post></xmp><noembed><form method=post></noembed><noframes><form method=post></noframes>`,
		`<xmp></xm></xmpx></xmp/><form method=post>+`,
		`<plaintext></plaintext><form method=post>`,
		`<script>"<form method=post>"</script><form method=post>+`,
		`<script><!-- <form method=post> </script><form method=post>+`,
		`<script><!-- <script> </script> <form method=post> --></script><form method=post>+`,
		`<script><!-- <script/ </script> <form method=post> </script><form method=post>+`,
		`<script><!-- <SCRIPT > </Script/ </script> <form method=post>+`,
		`<script><!-- <scripts> </script><form method=post>+`,
		`<script><!--> <script> </script><form method=post>+`,
		`<script><!- - <script> </script><form method=post>+`,
		`<script><!-- <script --> </script><form method=post>+`,
		`<script><!-- <script> --> </script><form method=post>+`,
		`<script>a < b </scrip </scripts></SCRIPT><form method=post>+`,
		`<script/><form method=post></script><form method=post>+`,
		// Templates, selects.
		`<template><form method=post></form><template></template><form method=post></template><form method=post>+`,
		`<form method=get><template></form></template><form method=post></form><form method=post>+`,
		`<select><option><form method=post></select><form method=post>+`,
		`<select><form method=post><input><form method=post>+`,
		`<select><option>a<textarea></select></textarea><form method=post>+`,
		`<select><script></select></script><form method=post></select><form method=post>+`,
		`<select><title></select></title><form method=post>`, `<select><svg></svg></select><form method=post>`, `<select><template></template></select><form method=post>`,
		// SVG and MathML.
		`<svg><form method=post></form></svg><form method=post>+`,
		`<svg/><form method=post>+`,
		`<svg><path d="M0"/><g><path></svg><form method=post>+`,
		`<svg><title>A</title><style>a</style><desc><b>B</b></desc></svg><form method=post>+`,
		`<svg><title>A</svg><form method=post>+`,
		`<svg><style><form method=post></svg><form method=post>+`,
		`<svg><![CDATA[ </svg> <form method=post> ] ]> ]]]></svg><form method=post>+`,
		`<svg><![CDAT[ ><form method=post></svg><form method=post>+`,
		`<svg><foreignObject><div><style></svg></style><form method=post></form><br></div></foreignObject></svg><form method=post>+`,
		`<svg><foreignObject><![CDATA[>]]></foreignObject></svg><form method=post>+`,
		`<svg><foreignObject><div><![CDATA[></div></foreignObject></svg><form method=post>+`,
		`<svg><foreignObject><div></foreignObject></svg><form method=post>`,
		`<svg><foreignObject><svg><g></svg></foreignObject></svg><form method=post>+`,
		`<svg><p></svg><form method=post>`, `<svg></div><form method=post>`,
		`<math><mi>x</mi><mo><textarea></math></textarea></mo></math><form method=post>+`,
		`<math><mi><svg><title></title></svg></mi></math><form method=post>+`,
		`<math><title><form method=post></math><form method=post>+`,
		`<math><annotation-xml></annotation-xml></math><form method=post>`,
		// Encodings in which "<" may be part of another character.
		`<meta charset=iso-2022-jp><form method=post>`, `<meta http-equiv=Content-Type content="text/html; charset=ISO-2022-JP"><form method=post>`,
		`<meta charset=shift_jis><form method=post>+`, "\xff\xfe<\x00f\x00o\x00r\x00m\x00>\x00",
		// Too long.
		`<form method=post data-x="` + strings.Repeat("x", 9000) + `"></form><form method=post>+`,
		`<p data-x="` + strings.Repeat("x", 9000) + `"><form method=post>+`,
		`<base href="` + strings.Repeat("x", 9000) + `"><form method=post>`,
		strings.Repeat("<svg>", 300) + `<form method=post>`, strings.Repeat("<template>", 300) + strings.Repeat("</template>", 300) + `<form method=post>`,
	} {
		want := strings.ReplaceAll(source, "+", mark)
		source = strings.ReplaceAll(source, "+", "")
		t.Run("", func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 7, 1 << 20} {
				var forms []page.PostForm
				f := page.NewForms("text/html", nil, marking(&forms))
				if diff := cmp.Diff(want, protect(f, source, func() int { return size })); diff != "" {
					t.Fatalf("in pieces of %d (-want +got):\n%.3000s", size, diff)
				}
			}
		})
	}
}

func TestFormsReportTheirAction(t *testing.T) {
	const form = "<form method=post action=' /a?b=1&amp;c=&#50; '>"
	for _, test := range []struct {
		name, source string
		policies     []string
		want         page.PostForm
	}{
		{"alone", form, nil, page.PostForm{Action: "/a?b=1&c=2", Styled: true}},
		{"no action", "<form method=post>", nil, page.PostForm{Styled: true}},
		{"the first of several attributes", "<form method=post action=/a action=/b method=get>", nil, page.PostForm{Action: "/a", Styled: true}},
		{"base", "<base target=_top><base href=' /x/ '><base href=/y/>" + form, nil, page.PostForm{Action: "/a?b=1&c=2", Base: "/x/", Styled: true}},
		{"base in a template", "<template><base href=/x/></template>" + form, nil, page.PostForm{Action: "/a?b=1&c=2", Styled: true}},
		{"policy", form, []string{"img-src *", "default-src 'self'"}, page.PostForm{Action: "/a?b=1&c=2"}},
		{"policy of attributes", form, []string{"default-src 'self'; style-src-attr 'unsafe-inline'"}, page.PostForm{Action: "/a?b=1&c=2", Styled: true}},
		{"policy with a nonce", form, []string{"style-src 'nonce-a' 'unsafe-inline'"}, page.PostForm{Action: "/a?b=1&c=2"}},
		{"policy of another kind", form, []string{"script-src 'none'"}, page.PostForm{Action: "/a?b=1&c=2", Styled: true}},
		{"policy in the page", `<meta http-equiv=Content-Security-Policy content="style-src 'self'">` + form, nil, page.PostForm{Action: "/a?b=1&c=2"}},
		{"policy that is too long", `<meta http-equiv=Content-Security-Policy content="` + strings.Repeat("img-src *;", 1000) + `">` + form, nil, page.PostForm{Action: "/a?b=1&c=2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var forms []page.PostForm
			protect(page.NewForms("text/html; charset=utf-8", test.policies, marking(&forms)), test.source, whole)
			if diff := cmp.Diff([]page.PostForm{test.want}, forms); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestFormsInOtherEncodings(t *testing.T) {
	for contentType, want := range map[string]int{
		"text/html": 1, "text/html; charset=utf-8": 1, "text/html;charset=windows-1252": 1, "text/html; charset=Big5": 1, "text/html; charset=gb18030": 1,
		"text/html; charset=UTF-16LE": 0, "text/html; charset=ISO-2022-JP": 0, "text/html; charset=csiso2022kr": 0, "text/html; charset=HZ-GB-2312": 0,
	} {
		var forms []page.PostForm
		protect(page.NewForms(contentType, nil, marking(&forms)), "<form method=post>", whole)
		if len(forms) != want {
			t.Errorf("%s: %d forms, want %d", contentType, len(forms), want)
		}
	}
}

// sources are pages of all shapes.
func sources(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/own/*.html")
	if err != nil || len(files) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	list := make(map[string]string)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		list[filepath.Base(file)] = string(content)
	}
	return list
}

// The output does not depend on the pieces, and is the page plus the insertions.
func TestFormsChangeNothingElse(t *testing.T) {
	for name, source := range sources(t) {
		t.Run(name, func(t *testing.T) {
			var forms []page.PostForm
			want := protect(page.NewForms("text/html", nil, marking(&forms)), source, whole)
			if len(forms) == 0 || strings.ReplaceAll(want, mark, "") != source {
				t.Fatalf("%d forms, in\n%s", len(forms), want)
			}
			checkParsed(t, want)
			random := rand.New(rand.NewPCG(1, 2))
			for range 50 {
				if got := protect(page.NewForms("text/html", nil, marking(&forms)), source, func() int { return 1 + random.IntN(40) }); got != want {
					t.Fatalf("in pieces (-whole +pieces):\n%s", cmp.Diff(want, got))
				}
			}
		})
	}
}

// FuzzProtect reads pages in pieces. Only insertions may change, and each must parse as elements,
// never as part of a text, comment, script or attribute.
func FuzzProtect(f *testing.F) {
	for _, source := range sources(f) {
		f.Add([]byte(source), uint64(1))
	}
	for _, source := range []string{
		`<svg><foreignObject><p><form method=post></svg><textarea>`, `<math><mi><style><!--</style></math><form method=post>`, `<script><!--<script></script><form method=post>-->`,
		`<!--><form method=post>--><form method=post>`, `<select><svg></select><form method=post>`, `<template><table><form method=post></template><form method=post>`,
		`<svg></p><form method=post><![CDATA[>]]>`, `<frameset><form method=post>`, `<title></title/><noscript><form method=post></noscript><plaintext><form method=post>`,
		"<form method=post a='\"' / >", "<table><select><form method=post><textarea><form method=post>",
	} {
		f.Add([]byte(source), uint64(1))
	}
	f.Fuzz(func(t *testing.T, source []byte, seed uint64) {
		if bytes.Contains(source, []byte("inserted")) {
			return
		}
		var forms []page.PostForm
		random := rand.New(rand.NewPCG(seed, 0))
		out := protect(page.NewForms("text/html", nil, marking(&forms)), string(source), func() int { return 1 + random.IntN(9) })
		if strings.Count(out, mark) != len(forms) || strings.ReplaceAll(out, mark, "") != string(source) {
			t.Fatalf("the page changed: %q", out)
		}
		if got := protect(page.NewForms("text/html", nil, marking(&forms)), string(source), whole); got != out {
			t.Fatalf("the output depends on the pieces (-whole +pieces):\n%s", cmp.Diff(got, out))
		}
		checkParsed(t, out)
		checkPositions(t, source)
	})
}

// checkPositions checks that the forms are known by the ends of their tags, however the page comes.
func checkPositions(t *testing.T, source []byte) {
	t.Helper()
	rebuilt := page.ReadRebuilt(source, true)
	var forms *page.Forms
	forms = page.NewForms("text/html", nil, func(page.PostForm) string {
		if at := forms.At(); at > len(source) || source[at-1] != '>' {
			t.Fatalf("a form is said to begin before %d", at)
		}
		_ = rebuilt.At(forms.At())
		return ""
	})
	protect(forms, string(source), func() int { return 3 })
}

// Random pages of fragments that nobody writes by hand.
func TestFormsInRandomPages(t *testing.T) {
	pieces := strings.Fields(`<form~method=post> <form~method=post> </form> <svg> </svg> <math> </math> <mi> </mi> <title> </title> <desc> </desc> <foreignObject> </foreignObject>
		<style> </style> <script> </script> <!-- --> --!> <![CDATA[ ]]> <textarea> </textarea> <template> </template> <select> </select> <option> <table> <tr> </table> <p> </p> <br>
		<div> </div> <b> </b> <a~b='> '> "> <g/> <path> <noscript> </noscript> <input> <frameset> <iframe> </iframe> <html> <body> <head> </head> </body> <xmp/> </xmp> < > / - ! x`)
	rapid.Check(t, func(t *rapid.T) {
		var source strings.Builder
		for _, piece := range rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 30).Draw(t, "pieces") {
			source.WriteString(strings.ReplaceAll(piece, "~", " "))
		}
		var forms []page.PostForm
		checkParsed(t, protect(page.NewForms("text/html", nil, marking(&forms)), source.String(), whole))
	})
}

// checkParsed fails if an insertion does not parse as elements.
func checkParsed(t interface{ Fatalf(string, ...any) }, out string) {
	root, err := html.Parse(strings.NewReader(out))
	if err != nil {
		return // for example, it is nested too deeply
	}
	for n := range root.Descendants() {
		texts := []string{n.Data}
		isMark := false
		for _, a := range n.Attr {
			texts = append(texts, a.Key)
			if n.Data == "input" && a.Key == "name" && a.Val == "inserted" {
				isMark = true
				continue
			}
			texts = append(texts, a.Val)
		}
		for _, text := range texts {
			if strings.Contains(text, "inserted") {
				t.Fatalf("the insertion is text in %q:\n%q", text, out)
			}
		}
		if isMark && n.Namespace != "" {
			t.Fatalf("the insertion is in %s:\n%q", n.Namespace, out)
		}
	}
}

// The memory does not grow with the page.
func TestFormsAreFoundInLittleMemory(t *testing.T) {
	pieces := 10_000
	if testing.Short() {
		pieces = 2000 // ten times the shortest piece is still more than may be kept
	}
	for name, piece := range map[string]string{
		"text": "words ", "a tag": "<form a", "attributes": `<form method=post a="b`, "comment": "<!-- ", "script": "<script><!-- <script>", "svg": "<svg>", "templates": "<template>",
		"forms": "<form method=post></form>", "policies": "<meta http-equiv=content-security-policy content=x>", "name": "<aaaaaaaaaaaaaaaaaaaaaaaaaa", "end tags": "</form>", "section": "<svg><![CDATA[",
	} {
		t.Run(name, func(t *testing.T) {
			f := page.NewForms("text/html", nil, func(page.PostForm) string { return "" })
			long := []byte(strings.Repeat(piece, pieces))
			before := heap()
			for range 10 {
				f.Next(long)
			}
			if after := heap(); after > before+64<<10 {
				t.Errorf("%d bytes are kept of %d", after-before, 10*len(long))
			}
			runtime.KeepAlive(f)
			runtime.KeepAlive(long)
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func BenchmarkForms(b *testing.B) {
	const field = `<div class="field"><label for="f">A field</label><input class="wide" id="f" name="name" value="was"></div>` + "\n"
	text := strings.Repeat(`<div class="card" data-x="1"><h2>Heading</h2><p>Words of a page, <a href="/more">more</a> of them.</p></div>`+"\n", 10)
	for name, size := range map[string]int{"30KB": 30 << 10, "1MB": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			form := `<form method="post" action="/contact">` + strings.Repeat(field, 20) + `</form>`
			source := []byte("<!DOCTYPE html><html><head><title>T</title></head><body><main>" + form + strings.Repeat(text, (size-len(form))/len(text)) + "</main></body></html>")
			b.ReportAllocs()
			b.SetBytes(int64(len(source)))
			for b.Loop() {
				f := page.NewForms("text/html", nil, func(page.PostForm) string { return mark })
				for at := 0; at < len(source); {
					n, _ := f.Next(source[at:])
					at += n
				}
			}
		})
	}
}

// Forms know the base and language of their page.
func TestFormsKnowTheirPage(t *testing.T) {
	const source = `<html lang=" hi-IN "><base href="/a/"><body lang=ta><form method=post action=b>`
	var got page.PostForm
	forms := page.NewForms("text/html", nil, func(f page.PostForm) string {
		got = f
		return ""
	})
	for i := range len(source) {
		forms.Next([]byte(source[i : i+1]))
	}
	if want := (page.PostForm{Action: "b", Base: "/a/", Lang: "hi-IN", Styled: true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTrapIsASCII(t *testing.T) {
	trap := page.Trap{Name: "subject_2", Label: "यह खाली छोड़ें", Language: "hi"}.HTML()
	for i := range len(trap) {
		if trap[i] >= 0x80 {
			t.Fatalf("the trap is not ASCII: %s", trap)
		}
	}
	if !strings.Contains(html.UnescapeString(trap), "यह खाली छोड़ें") {
		t.Errorf("the label is missing: %s", trap)
	}
}
