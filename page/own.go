package page

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Errors that [Own.Render] wraps. The page cannot be shown again; show the built-in page instead.
var (
	ErrTooLarge  = errors.New("page is larger than 1 MiB, or nested too deeply")
	ErrEncoding  = errors.New("page is not in the encoding that it declares, or the encoding is unknown")
	ErrNesting   = errors.New("page has wrongly nested elements, in or before the form")
	ErrNoForm    = errors.New("page does not have a form that posts here")
	ErrHidden    = errors.New("form is hidden when the page opens: it is in a dialog, a popover, a modal or a hidden element")
	ErrRebuilt   = errors.New("a script rebuilds the form in the browser, and would remove the errors and the values")
	ErrNoControl = errors.New("form does not have a control for the error")
	ErrNoHead    = errors.New("page has neither a head nor a title; its links need a base element there")
	ErrBase      = errors.New("page's links need a base element, but its policy forbids one")
	ErrElsewhere = errors.New("page's links need a base element, but a script puts its body into another page")
)

// RebuiltError is an [ErrRebuilt] with what shows it.
type RebuiltError struct{ Sign string }

func (e *RebuiltError) Error() string { return ErrRebuilt.Error() + ": the page has " + e.Sign }

// Unwrap returns [ErrRebuilt].
func (e *RebuiltError) Unwrap() error { return ErrRebuilt }

// MaxSource is the size in bytes of the largest page that [Own] accepts.
const MaxSource = 1 << 20

// maxDepth bounds the nesting of fieldsets and of templates.
const maxDepth = 32

// Own is the form's own page, to be shown again with the visitor's input and the errors.
//
// Render keeps the page byte for byte, except for the tags that it changes. It puts values only
// into controls that the visitor can see and change: not into passwords, files and hidden inputs,
// and never into scripts, templates, noscript and SVG.
type Own struct {
	Source      []byte   // the page as served by the site
	ContentType string   // its Content-Type header
	Policies    []string // its Content-Security-Policy headers
	URL         *url.URL // its path and query

	// Posted is the path and query of the post, under which the page will be shown. The form must
	// post there.
	Posted *url.URL
	// Into is the path and query of the page into whose body a script puts this one's, or nil if the
	// browser loads this page. Nothing of the head arrives there but the title.
	Into *url.URL
	// InForm means that the script takes no more than the form from the page: the summary is placed
	// there.
	InForm bool
	// IsDraft means that the visitor is still typing: the page gets the messages at the controls, but
	// not the summary, which would take the focus.
	IsDraft bool
	// Named means that the operator configured the page. A form that posts elsewhere is then
	// accepted if it has the name or the controls of the sent one.
	Named bool

	// Catalog contains the texts; nil means the shipped ones. The language is that of the page's
	// html element, or else English.
	Catalog *Catalog

	Code     string    // of an error about the whole form; may be empty
	Detail   Detail    // more about that error
	Note     string    // the operator's text after the message of Code; may be empty
	Problems []Problem // the errors
	Values   []Pair    // posted values in the order sent
	Withheld []string  // names of posted inputs whose values are not in Values
	Partial  bool      // Values is incomplete; controls of other names stay as they are
	Hidden   []Pair    // inputs to add to the form, unless it has one of that name
}

// Problem is an error that the visitor can correct.
type Problem struct {
	// Input is the name of the control; empty for an error without one.
	Input string
	// Fault describes the error. If it does not have a label, the page's name for the control is
	// used, or else Fallback.
	Fault    Fault
	Fallback string
	// Message replaces the usual text, if not empty.
	Message string
}

// Render returns the page in UTF-8. Its time and memory are bounded by those for a page of
// [MaxSource].
func (o Own) Render() ([]byte, error) {
	r, err := o.open()
	if err != nil {
		return nil, err
	}
	if sign := r.rebuilt(r.form); sign != "" {
		return nil, &RebuiltError{sign}
	}
	if r.form.isHidden && !r.IsDraft {
		return nil, ErrHidden
	}
	if err := r.fixLinks(); err != nil {
		return nil, err
	}
	r.addHidden()
	r.fill()
	if err := r.mark(); err != nil {
		return nil, err
	}
	return r.apply(), nil
}

// Rebuilt returns what shows that a script rebuilds the form in the browser; "" if nothing does, or
// if the page does not have the form.
func (o Own) Rebuilt() string {
	r, err := o.open()
	if err != nil {
		return ""
	}
	return r.rebuilt(r.form)
}

// open parses the page and finds the form.
func (o Own) open() (*rendering, error) {
	if len(o.Source) > MaxSource {
		return nil, ErrTooLarge
	}
	source, err := decode(o.Source, o.ContentType)
	if err != nil {
		return nil, err
	}
	found, err := readOutline(source)
	if err != nil {
		return nil, err
	}
	if o.Into != nil {
		found.styleAt = -1
	}
	r := &rendering{Own: o, outline: found}
	if r.Catalog == nil {
		r.Catalog = Shipped()
	}
	r.words = r.Catalog.For(r.lang)
	r.form = r.findForm()
	if r.form == nil && r.isLost {
		return nil, ErrNesting
	}
	if r.form == nil {
		return nil, ErrNoForm
	}
	r.controls = r.controlsOf(r.form)
	if r.isLost && r.lost == r.form && !r.holdsAll() {
		return nil, ErrNesting
	}
	return r, nil
}

// holdsAll reports whether the form has a control for each sent value.
func (r *rendering) holdsAll() bool {
	names := make(map[string]bool, len(r.controls))
	for _, c := range r.controls {
		names[c.name] = true
	}
	return !slices.ContainsFunc(r.Values, func(p Pair) bool { return !names[p.Name] })
}

// rendering is one page being rendered.
type rendering struct {
	Own
	*outline

	words    *Words
	form     *form
	controls []*control
	edits    []edit
	links    string // the part before "#" in links within this page
}

// edit replaces source[start:end] with text.
type edit struct {
	start, end int
	text       string
}

func (r *rendering) insert(at int, text string) {
	r.edits = append(r.edits, edit{at, at, text})
}

// addHidden inserts the hidden inputs at the beginning of the form.
func (r *rendering) addHidden() {
	for _, pair := range r.Hidden {
		if !slices.ContainsFunc(r.controls, func(c *control) bool { return c.name == pair.Name }) {
			r.insert(r.form.tag.end, `<input type="hidden" name="`+escape(pair.Name)+`" value="`+escape(pair.Value)+`">`)
		}
	}
}

// apply applies the edits. Edits at the same place keep their order.
func (r *rendering) apply() []byte {
	for _, t := range r.touched {
		r.edits = append(r.edits, edit{t.start, t.end, t.print(r.source)})
	}
	slices.SortStableFunc(r.edits, func(a, b edit) int {
		return cmp.Or(a.start-b.start, a.end-b.end) // insertions before a tag come before changes of the tag
	})
	size := len(r.source)
	for _, e := range r.edits {
		size += len(e.text)
	}
	page := make([]byte, 0, size)
	at := 0
	for _, e := range r.edits {
		page = append(page, r.source[at:e.start]...)
		page = append(page, e.text...)
		at = e.end
	}
	return append(page, r.source[at:]...)
}

// fixLinks keeps the targets of the page's links, because it is shown under another URL.
func (r *rendering) fixLinks() error {
	shown := r.Posted
	if r.Into != nil {
		shown = r.Into
	}
	here := shown.RequestURI()
	r.keepActions(here)
	baseHref, hasBase := "", false
	if r.base != nil {
		baseHref, hasBase = r.base.get("href")
	}
	if hasBase && r.Into != nil && !samePath(r.Into, r.URL) {
		return ErrElsewhere
	}
	if hasBase {
		r.links = here
		if relative, err := url.Parse(baseHref); err == nil && !relative.IsAbs() {
			if was := r.URL.ResolveReference(relative).String(); was != baseHref {
				r.touch(r.base).set("href", was)
			}
		}
		return nil
	}
	if r.URL.ResolveReference(&url.URL{Path: "."}).Path == shown.ResolveReference(&url.URL{Path: "."}).Path {
		r.keepQueries(shown)
		return nil
	}
	if r.Into != nil {
		return ErrElsewhere
	}
	if r.headAt < 0 {
		return ErrNoHead
	}
	if !allowsBase(slices.Concat(r.Policies, r.metaPolicies)) {
		return ErrBase
	}
	r.links = here
	r.insert(r.headAt, `<base href="`+escape(r.URL.EscapedPath())+`">`)
	for _, a := range r.anchors {
		if href, _ := a.get("href"); strings.HasPrefix(href, "#") {
			r.touch(a).set("href", here+href)
		}
	}
	return nil
}

// keepActions lets the other forms without an action, or with nothing but a fragment, post where they
// did, which is the page's URL. A base means nothing to those without an action, unless it is on
// another host.
func (r *rendering) keepActions(here string) {
	if here == r.URL.RequestURI() || r.baseURL().Host != "" {
		return
	}
	for _, f := range r.forms {
		action, _ := f.tag.get("action")
		action = strings.TrimSpace(action)
		if f != r.form && (action == "" || r.base == nil && action[0] == '#') {
			r.touch(f.tag).set("action", r.URL.RequestURI()+action)
		}
	}
}

// keepQueries keeps the path of addresses that are a query only.
func (r *rendering) keepQueries(shown *url.URL) {
	if shown.Path == r.URL.Path {
		return
	}
	for _, f := range r.forms {
		if action, _ := f.tag.get("action"); strings.HasPrefix(action, "?") {
			r.touch(f.tag).set("action", r.URL.EscapedPath()+action)
		}
	}
	for _, a := range r.anchors {
		if href, _ := a.get("href"); strings.HasPrefix(href, "?") {
			r.touch(a).set("href", r.URL.EscapedPath()+href)
		}
	}
}

// linkTo returns a link to the element with the id.
func (r *rendering) linkTo(id string) string {
	return r.links + (&url.URL{Fragment: id}).String()
}

// freshID returns an id that is not on the page.
func (r *rendering) freshID(kind string) string {
	r.made++
	return fmt.Sprintf("%s-%s-%d", r.prefix(), kind, r.made)
}
