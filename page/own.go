package page

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
)

// Errors that [Own.Render] wraps. Each says why the page cannot be shown
// again; the built-in page is to be shown then.
var (
	ErrTooLarge  = errors.New("the page is larger than 1 MiB, or nested too deeply")
	ErrEncoding  = errors.New("the page's text is not in the encoding that it declares, or in one that is not known")
	ErrNesting   = errors.New("the page's elements are nested wrongly, in or before the form")
	ErrNoForm    = errors.New("the page has no form that posts here")
	ErrHidden    = errors.New("the form is not shown when the page opens: it is in a dialog, a modal or something hidden")
	ErrNoControl = errors.New("the form has no control for what is to be corrected")
	ErrNoHead    = errors.New("the page has neither a head nor a title, where its links could be told to lead where they led")
	ErrBase      = errors.New("the page's own links would lead elsewhere, and its policy forbids to set them right")
)

// MaxSource is the size of the largest page that [Own] takes, in bytes.
const MaxSource = 1 << 20

// maxDepth is how many fieldsets, or templates, may stand in one another.
const maxDepth = 32

// Own is the page that the visitor filled the form in on, to be shown again
// with what they typed and what to correct.
//
// Outside the tags that it changes the page stays as it is, byte for byte.
// Values go into what the visitor can see and change: never into passwords,
// files and hidden inputs, nor into scripts, templates, noscript and SVG.
type Own struct {
	Source      []byte   // the page as the site serves it
	ContentType string   // its Content-Type header
	Policies    []string // its Content-Security-Policy headers
	URL         *url.URL // where it is served: path and query

	// Posted is the path and query that the form was posted to, under which
	// the page will be shown. Its form is one that posts to there.
	Posted *url.URL
	// Named tells that the operator named the page, so that a form will do
	// that posts elsewhere but is called or looks like the one that was sent.
	Named bool

	// Catalog has the words; nil for those that are shipped. The language is
	// the one that the page's html element declares, or else English.
	Catalog *Catalog

	Code     string    // of an error about the form as a whole; may be empty
	Note     string    // the operator's own words after the message of Code; may be empty
	Problems []Problem // what to correct
	Values   []Pair    // what was sent, in that order
	Partial  bool      // more was sent; controls of other names stay as they are
	Hidden   []Pair    // inputs to add to the form, unless it has one of the name
}

// Problem is something to correct.
type Problem struct {
	// Input is the name of the control that it is about; empty if none is.
	Input string
	// Fault says what is wrong. Without a label, the page's own word for the
	// control counts, or else Fallback.
	Fault    Fault
	Fallback string
	// Message is said in place of the usual words, if it is not empty.
	Message string
}

// Render returns the page, in UTF-8. Its time and memory are bounded by those
// that a page of [MaxSource] takes.
func (o Own) Render() ([]byte, error) {
	r, err := o.open()
	if err != nil {
		return nil, err
	}
	if r.form.veiled {
		return nil, ErrHidden
	}
	if err := r.settleLinks(); err != nil {
		return nil, err
	}
	r.addHidden()
	r.fill()
	if err := r.mark(); err != nil {
		return nil, err
	}
	return r.apply(), nil
}

// open reads the page and finds the form in it.
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

// holdsAll reports whether there is a control for all that was sent.
func (r *rendering) holdsAll() bool {
	names := make(map[string]bool, len(r.controls))
	for _, c := range r.controls {
		names[c.name] = true
	}
	return !slices.ContainsFunc(r.Values, func(p Pair) bool { return !names[p.Name] })
}

// rendering is one page in the making.
type rendering struct {
	Own
	*outline

	words    *Words
	form     *form
	controls []*control
	edits    []edit
	links    string // what stands before "#" in links to places on this page
}

// edit puts text in the place of source[start:end].
type edit struct {
	start, end int
	text       string
}

func (r *rendering) insert(at int, text string) {
	r.edits = append(r.edits, edit{at, at, text})
}

// addHidden puts the hidden inputs first into the form.
func (r *rendering) addHidden() {
	for _, pair := range r.Hidden {
		if !slices.ContainsFunc(r.controls, func(c *control) bool { return c.name == pair.Name }) {
			r.insert(r.form.tag.end, `<input type="hidden" name="`+escape(pair.Name)+`" value="`+escape(pair.Value)+`">`)
		}
	}
}

// apply carries out the edits. Of those at one place, the first comes first.
func (r *rendering) apply() []byte {
	for _, t := range r.touched {
		r.edits = append(r.edits, edit{t.start, t.end, t.print(r.source)})
	}
	slices.SortStableFunc(r.edits, func(a, b edit) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return a.end - b.end // what is put before a tag comes before the tag
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

// settleLinks sees to it that the page's links lead where they led, though it
// is shown under another address.
func (r *rendering) settleLinks() error {
	here := r.Posted.RequestURI()
	baseHref, hasBase := "", false
	if r.base != nil {
		baseHref, hasBase = r.base.get("href")
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
	if r.URL.ResolveReference(&url.URL{Path: "."}).Path == r.Posted.ResolveReference(&url.URL{Path: "."}).Path {
		return nil
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
		href, _ := a.get("href")
		r.touch(a).set("href", here+href)
	}
	return nil
}

// linkTo is a link to the element with the id.
func (r *rendering) linkTo(id string) string {
	return r.links + (&url.URL{Fragment: id}).String()
}

// freshID makes an id that the page does not have.
func (r *rendering) freshID(kind string) string {
	r.made++
	return fmt.Sprintf("%s-%s-%d", r.prefix(), kind, r.made)
}
