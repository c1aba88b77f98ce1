package page

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// traces are what frameworks leave on a page that they render on a server and rebuild in the
// browser. React and Vue may leave nothing but the way in which they write tags.
type traces struct {
	scripted bool              // a script runs
	bundled  bool              // a script of the site itself, or a module, runs
	module   bool              // a module runs
	whole    string            // a script that rebuilds the page as a whole
	targets  map[string]string // ids of elements that scripts rebuild
	authored int               // end of the last thing that people write, and React does not
	spaced   int               // end of the last line break between tags
	fragment []string          // the open fragments
}

// noteTag looks for traces in a start tag.
func (s *scanner) noteTag(name string) {
	if name == "script" {
		s.noteScript()
	}
	raw := s.tags.source[s.tags.at:s.tags.end]
	isClosed := strings.HasSuffix(raw, "/>") && raw[len(raw)-len("/>")-1] != ' '
	if isVoid([]byte(name)) {
		if isClosed && s.form != nil {
			s.form.voids++
		}
		if !isClosed {
			s.authored = s.tags.end
		}
	}
	if strings.Count(raw, `="`) != len(s.tags.attributes) {
		s.authored = s.tags.end
	}
}

// noteScript looks for traces in the start tag of a script.
func (s *scanner) noteScript() {
	if id, _ := s.tags.get("id"); id != "" {
		if f, known := dataScripts[id]; known {
			s.scripted = true
			s.noteFramework(f, `<script id="`+id+`">`)
		}
	}
	kind, _ := s.tags.get("type")
	src, isExternal := s.tags.get("src")
	isModule := strings.EqualFold(kind, "module")
	if !isModule && kind != "" && !strings.Contains(strings.ToLower(kind), "javascript") {
		return
	}
	s.scripted = true
	s.module = s.module || isModule
	s.bundled = s.bundled || isModule || isExternal && !strings.HasPrefix(src, "//") && !strings.Contains(src, "://")
}

// framework is where a framework puts what it renders.
type framework struct{ root string } // the id of its element; "" for the page as a whole

// dataScripts are the ids of scripts with the data of a page.
var dataScripts = map[string]framework{
	"__NEXT_DATA__": {"__next"}, "__NUXT_DATA__": {"__nuxt"}, "ng-state": {}, "vike_pageContext": {}, "$tsr-stream-barrier": {},
}

// dataVariables are the variables that scripts with the data of a page set.
var dataVariables = []struct {
	name string
	framework
}{
	{"__next_f", framework{}},
	{"__NUXT__", framework{"__nuxt"}},
	{"__remixContext", framework{}},
	{"__reactRouterContext", framework{}},
	{"__staticRouterHydrationData", framework{}},
	{"__sveltekit_", framework{}},
	{"$_TSR", framework{}},
	{"_$HY", framework{}},
}

func (s *scanner) noteFramework(f framework, sign string) {
	if f.root == "" {
		s.whole = sign
		return
	}
	s.target(f.root, sign)
}

// target records that a script rebuilds the element with the id.
func (s *scanner) target(id, sign string) {
	if s.targets == nil {
		s.targets = make(map[string]string)
	}
	if len(s.targets) < maxTargets {
		s.targets[id] = sign
	}
}

const (
	maxTargets = 100
	// maxScript bounds how much of a script is read. Variables are set at its beginning.
	maxScript = 16 << 10
)

var (
	hydrates = regexp.MustCompile(`\b(?:hydrateRoot|hydrate|createSSRApp)\(|\bhydrate:\s*(?:true|!0)`)
	targeted = regexp.MustCompile("(?:getElementById\\(\\s*[\"'`]|querySelector\\(\\s*[\"'`]#|mount\\(\\s*[\"'`]#)([\\w:.-]+)[\"'`]")
	anyPage  = regexp.MustCompile(`hydrateRoot\(\s*document\s*,|document\.(?:body|documentElement)\b`)
)

// readScript looks for traces in a script's text.
func (s *scanner) readScript(text string) {
	text = text[:min(len(text), maxScript)]
	for _, v := range dataVariables {
		if strings.Contains(text, v.name) {
			s.noteFramework(v.framework, "the script variable "+v.name)
		}
	}
	if !strings.Contains(text, "ydrate") && !strings.Contains(text, "createSSRApp") {
		return
	}
	call := hydrates.FindString(text)
	if call == "" {
		return
	}
	sign := "a script that calls " + strings.TrimRight(call, "(")
	for _, match := range targeted.FindAllStringSubmatch(text, maxTargets) {
		s.target(match[1], sign)
	}
	if anyPage.MatchString(text) {
		s.whole = sign
	}
	s.bundled = true
}

// readBetween looks for traces in what is between two tags: comments and line breaks.
func (s *scanner) readBetween(text string) {
	if s.tags.name == "html" { // a line break after the doctype
		return
	}
	if leading := text[:len(text)-len(strings.TrimLeft(text, blanks))]; strings.Contains(leading, "\n") {
		s.spaced = s.tags.at
	} else if trailing := text[len(strings.TrimRight(text, blanks)):]; strings.Contains(trailing, "\n") {
		s.spaced = s.tags.at
	}
	for {
		_, after, found := strings.Cut(text, "<!--")
		if !found {
			return
		}
		comment, rest, _ := strings.Cut(after, "-->")
		s.noteComment(comment)
		text = rest
	}
}

// noteComment looks for the comments by which frameworks find the parts of what they rendered.
func (s *scanner) noteComment(comment string) {
	sign := "<!--" + comment + "-->"
	switch {
	case isFragment(comment):
		if len(s.fragment) < maxOpen {
			s.fragment = append(s.fragment, sign)
		}
	case comment == "]" || comment == "/$" || comment == "/&":
		s.fragment = s.fragment[:max(len(s.fragment)-1, 0)]
	case isSeparator(comment):
	default:
		return
	}
	if s.form != nil {
		if !s.inIsland() {
			s.form.comment = sign
		}
		return
	}
	if p := s.here(); p != nil && p.sign == "" && !p.isPage && isSeparator(comment) {
		p.sign = "the comment " + sign
	}
}

// innerFragment returns the innermost open fragment, or "".
func (s *scanner) innerFragment() string {
	if len(s.fragment) == 0 {
		return ""
	}
	return s.fragment[len(s.fragment)-1]
}

// isFragment reports whether the comment begins a part of the page, which another one ends: in Vue
// and Svelte, or with React's Suspense and Activity.
func isFragment(comment string) bool {
	switch comment {
	case "$", "$?", "$!", "$~", "&":
		return true
	}
	return strings.HasPrefix(comment, "[") && len(comment) <= len("[-10") && strings.Trim(comment[1:], "-!?0123456789") == ""
}

// isSeparator reports whether the comment separates texts, or stands for something that is not
// shown.
func isSeparator(comment string) bool {
	switch comment {
	case "", " ", "!", "!$", "#", "/", "F", "F!":
		return true
	}
	for _, prefix := range [...]string{"Blazor:", "M_", "frsh", "hk=", "lit-", "qv ", "teleport ", "%+b:"} {
		if strings.HasPrefix(comment, prefix) {
			return true
		}
	}
	return false
}

// inIsland reports whether a script rebuilds only a part of the open form.
func (s *scanner) inIsland() bool {
	for p := s.here(); p != nil && p != s.form.inside; p = p.around {
		if p.sign != "" {
			return true
		}
	}
	return false
}

// rootSign returns what shows that a script rebuilds the element's content.
func (s *scanner) rootSign(name string) string {
	if name == "astro-island" {
		return "<astro-island>"
	}
	for _, a := range s.tags.attributes {
		switch a.name {
		case "id":
			switch a.value {
			case "__next", "__nuxt", "___gatsby", "__docusaurus", "q-app":
				return fmt.Sprintf(`the element with id="%s"`, a.value)
			}
		case "data-hk", "data-react-checksum", "data-react-class", "data-reactid", "data-reactroot", "data-server-rendered",
			"data-sveltekit-hydrate", "data-v-app", "ng-server-context", "ng-version", "ngh", "q:container":
			return "the attribute " + a.name
		case "data-page": // of Inertia
			if strings.HasPrefix(a.value, "{") && strings.Contains(a.value, "component") {
				return "the attribute " + a.name
			}
		}
		if scope, found := strings.CutPrefix(a.name, "data-v-"); found && len(scope) == 8 && strings.Trim(scope, "0123456789abcdef") == "" {
			return "the attribute " + a.name
		}
	}
	return ""
}

// endForm keeps what is known about the form at its end.
func (s *scanner) endForm() {
	if s.form != nil {
		s.form.authored, s.form.spaced = s.authored, s.spaced
	}
}

// rebuilt returns what shows that a script rebuilds the form in the browser, or changes its values;
// "" if nothing does. A form elsewhere on the page does not matter.
func (o *outline) rebuilt(f *form) string {
	if f.bound != "" {
		return "the attribute " + f.bound + " of an input"
	}
	if !o.scripted {
		return ""
	}
	for p := f.inside; p != nil; p = p.around {
		switch {
		case p.sign != "":
			return p.sign
		case p.id != "" && o.targets[p.id] != "":
			return o.targets[p.id]
		}
	}
	isCompact := f.spaced < f.tag.end
	switch {
	case f.fragment != "":
		return "the comment " + f.fragment + " around the form"
	case f.comment != "" && isCompact:
		return "the comment " + f.comment + " in the form"
	case o.whole != "":
		return o.whole
	case !o.bundled:
		return ""
	}
	return o.mounted(f)
}

// mounted returns what shows that a script rebuilds an element around the form, in which there are
// no other traces.
func (o *outline) mounted(f *form) string {
	for p := f.inside; p != nil; p = p.around {
		isReact := f.voids > 0 && f.authored <= p.end && f.spaced <= p.end
		switch {
		case isReact && !p.isPage && p.end < f.tag.end:
			return "markup as React writes it"
		case f.spaced <= p.end && isMount(p.id, o.module):
			return fmt.Sprintf("markup without line breaks, in an element with id=%.40q", p.id)
		}
	}
	if f.voids > 0 && f.authored == 0 && f.spaced == 0 && strings.HasPrefix(o.source, "<!DOCTYPE html>") {
		return "a page as React writes it"
	}
	return ""
}

// isMount reports whether frameworks call an element by the id that they rebuild. Less usual ids
// count with a module.
func isMount(id string, module bool) bool {
	if id == "app" || id == "root" {
		return true
	}
	return module && id != "" && slices.ContainsFunc(strings.FieldsFunc(strings.ToLower(id), func(c rune) bool { return c == '-' || c == '_' || c == ':' }), func(word string) bool {
		switch word {
		case "app", "hydrate", "island", "mount", "preact", "react", "root", "solid", "ssr", "svelte", "vue":
			return true
		}
		return false
	})
}

// binding returns the attribute by which a script sets the control's value; "" if it has none.
func (c *control) binding() string {
	for _, a := range c.tag.attributes {
		name, _, _ := strings.Cut(a.name, ".")
		switch name {
		case "x-model", "v-model", "ng-model", "data-ng-model", "wire:model", "bind:value", "[(ngmodel)]",
			":value", "x-bind:value", "v-bind:value", ":checked", "x-bind:checked", "v-bind:checked":
			return a.name
		case "data-bind":
			if knockout.MatchString(a.value) {
				return a.name
			}
		}
	}
	return ""
}

// knockout matches the bindings of Knockout that set what an input contains.
var knockout = regexp.MustCompile(`\b(?:value|textInput|checked|selectedOptions)\s*:`)

// Rebuilt tells which forms of a page a script rebuilds in the browser.
type Rebuilt struct {
	ends map[int]string // by the end of the form's start tag
	rest string
	read int // how much of the page was read
}

// ReadRebuilt reads a page, or its beginning if it is not whole. What follows the beginning may
// contain scripts.
func ReadRebuilt(source []byte, isWhole bool) *Rebuilt {
	r := &Rebuilt{ends: make(map[int]string), read: len(source)}
	found, err := readOutline(source)
	if err != nil {
		return r
	}
	found.scripted, found.bundled = found.scripted || !isWhole, found.bundled || !isWhole
	r.rest = found.rebuilt(found.tail)
	for _, f := range found.forms {
		if sign := found.rebuilt(f); sign != "" {
			r.ends[f.tag.end], r.rest = sign, sign
		}
	}
	return r
}

// At returns what shows that a script rebuilds the form whose start tag ends there; "" if nothing
// does. It judges a form that was not read by the beginning of its page.
func (r *Rebuilt) At(end int) string {
	if end > r.read {
		return r.rest
	}
	return r.ends[end]
}
