package page_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/leadwire/caddy-telecrm/page"
)

// FuzzBuiltin puts hostile texts into all fields of a page. They must come back unchanged, and the
// elements must be those of a page with harmless texts.
func FuzzBuiltin(f *testing.F) {
	const script = "<script>window.injected = true</script>"
	for _, seed := range []string{
		"", " ", "\n", "\r\n\n", "\x00", "\xff", "%", "{{.}}", "&amp;#34", "&lt", `"`, "'", "`", "<", ">", "/>", "<!--", "]]>",
		`"></textarea></select></option></title></style>` + script, `' onfocus='x' autofocus`, "javascript:alert(1)", "//example.org",
	} {
		f.Add("message", "Message", seed, "yes", "Check it.", "/enquire", "/contact")
		f.Add(seed, seed, "typed", seed, seed, seed, seed)
	}
	f.Fuzz(func(t *testing.T, name, label, typed, option, message, action, back string) {
		texts := []string{name, label, typed, option, message, action, back}
		built := build(texts)
		doc := write(t, built)

		if diff := cmp.Diff(skeleton(write(t, build(harmless(texts)))), skeleton(doc)); diff != "" {
			t.Fatalf("the texts changed the elements (-harmless +got):\n%s", diff)
		}
		got := read(t, doc)
		checkURL(t, action, got.Action)
		checkURL(t, back, got.Back)
		want := shown(built)
		want.Action, want.Back = got.Action, got.Back
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("the texts differ (-want +got):\n%s", diff)
		}
	})
}

// build makes a page with a control of each kind from seven texts.
func build(texts []string) page.Builtin {
	name, label, typed, option, message := texts[0], texts[1], texts[2], texts[3], texts[4]
	b := page.Builtin{
		Action: texts[5],
		Back:   texts[6],
		Code:   "UNAVAILABLE",
		Note:   message,
		Hidden: []page.Pair{{Name: name, Value: typed}, {Name: label, Value: option}},
	}
	add := func(c page.Control) {
		c.ID = "q" + strconv.Itoa(len(b.Controls)+1)
		c.Name, c.Label, c.Error = name, label, page.Said(message)
		if len(b.Controls)%2 == 1 {
			c.Error = english.SayFault(page.Fault{Code: "TOO_LONG", Label: message, Limit: message})
		}
		c.Values = []string{"not shown", typed}
		c.Required = len(b.Controls)%2 == 0
		b.Controls = append(b.Controls, c)
	}
	for _, kind := range []page.Kind{page.Line, page.Email, page.Tel, page.URL} {
		add(page.Control{Kind: kind, Autocomplete: name})
	}
	add(page.Control{Kind: page.LongText})
	for _, kind := range []page.Kind{page.Select, page.Checkboxes} {
		add(page.Control{Kind: kind, Options: []string{option, label, typed}})
	}
	return b
}

// harmless replaces each text with a word. Texts that a control considers equal get the same word.
// Blank texts stay, because a page omits what is empty.
func harmless(texts []string) []string {
	words := slices.Clone(texts)
	for i, text := range texts {
		if strings.TrimSpace(text) != "" {
			first := slices.IndexFunc(texts, func(t string) bool {
				return page.Control{Values: []string{t}}.Chosen(text)
			})
			words[i] = fmt.Sprintf("word%d", first)
		}
	}
	return words
}

// skeleton returns the structure of a page without texts and values.
func skeleton(doc document) []string {
	var bones []string
	for n := range doc.root.Descendants() {
		depth := len(slices.Collect(n.Ancestors()))
		bone := fmt.Sprintf("%*s(node of type %d)", depth, "", n.Type)
		if n.Type == html.ElementNode {
			bone = fmt.Sprintf("%*s%s", depth, "", n.Data)
			for _, a := range n.Attr {
				bone += " " + a.Key
			}
		}
		bones = append(bones, bone)
	}
	return bones
}

// shown returns b with only those values that its controls show.
func shown(b page.Builtin) page.Builtin {
	b.Code, b.Note = "", arrived(b.Note)
	for i := range b.Hidden {
		b.Hidden[i] = page.Pair{Name: arrived(b.Hidden[i].Name), Value: arrived(b.Hidden[i].Value)}
	}
	for i, c := range b.Controls {
		var values []string
		if len(c.Options) == 0 {
			values = notEmpty(arrived(c.Value()))
		}
		for j, option := range c.Options {
			c.Options[j] = arrived(option)
			if c.Chosen(option) {
				values = append(values, arrived(option))
			}
		}
		c.Values = values
		c.Name, c.Label, c.Error, c.Autocomplete = arrived(c.Name), arrived(c.Label), page.Said(arrived(words(c.Error))), arrived(c.Autocomplete)
		b.Controls[i] = c
	}
	return b
}

// words returns the text of a phrase as in an element.
func words(p page.Phrase) string {
	var s strings.Builder
	for _, piece := range p.Pieces {
		s.WriteString(piece.Text)
	}
	return s.String()
}

// arrived returns text after it passed through HTML, which does not have NUL (html/template writes
// U+FFFD for it) and ends lines with LF
// (https://html.spec.whatwg.org/multipage/parsing.html#preprocessing-the-input-stream). Nothing is
// lost: form.Read refuses NUL, and browsers send CRLF for each LF.
func arrived(text string) string {
	return strings.NewReplacer("\x00", "\uFFFD", "\r\n", "\n", "\r", "\n").Replace(text)
}

// refused is the link that html/template writes for a URL whose scheme it does not trust. Paths
// that begin with a slash do not have a scheme.
const refused = "#ZgotmplZ"

// checkURL checks that a link does not run a script, and is unchanged except for percent-encoding.
func checkURL(t *testing.T, written, got string) {
	t.Helper()
	if scheme := schemeOf(got); !slices.Contains([]string{"", "https", "http", "mailto"}, strings.ToLower(scheme)) {
		t.Fatalf("%q became the link %q", written, got)
	}
	if before, _, colon := strings.Cut(written, ":"); got == refused && colon && !strings.Contains(before, "/") {
		return
	}
	if decoded(got) != decoded(written) {
		t.Fatalf("%q became the link %q", written, got)
	}
}

// schemeOf returns the scheme of an absolute URL.
func schemeOf(link string) string {
	scheme, _, absolute := strings.Cut(link, ":")
	if !absolute || strings.ContainsAny(scheme, "/?#") {
		return ""
	}
	return scheme
}

// decoded undoes percent-encoding where it is valid.
func decoded(link string) string {
	var s strings.Builder
	for len(link) > 0 {
		if len(link) >= 3 && link[0] == '%' {
			if b, err := strconv.ParseUint(link[1:3], 16, 8); err == nil {
				s.WriteByte(byte(b))
				link = link[3:]
				continue
			}
		}
		s.WriteByte(link[0])
		link = link[1:]
	}
	return s.String()
}
