// Package protect puts a trap and a signed stamp into the forms of pages while they are served, and
// takes both out of what is posted.
package protect

import (
	"errors"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/internal/signing"
	"github.com/leadwire/caddy-telecrm/page"
)

// timeSinceRead is the age of the stamp of a page that is shown again after an error. Its visitor
// has read it before.
const timeSinceRead = time.Hour

// maxBuffered is the size up to which a page is buffered, in bytes, so that its length and the
// scripts that rebuild its forms are known before it is sent.
const maxBuffered = 256 << 10

// Config says which forms to protect, and how.
type Config struct {
	// Form is the form's name, which stamps are bound to.
	Form string
	Keys signing.Keys
	// Takes reports whether a post of the form, on a page that answers r, is for the handler.
	Takes func(r *http.Request, f page.PostForm) bool
	// IsInput reports whether the form has an input of that name.
	IsInput func(name string) bool
	Catalog *page.Catalog
	Now     func() time.Time
	// NoteRebuilt is called with the sign that a script rebuilds a page's form in the browser. Such a
	// form is left alone: the script would complain, and remove the trap and the stamp.
	NoteRebuilt func(sign string)
}

// Protector protects the pages with one form. A nil Protector does nothing.
type Protector struct {
	stamps    *guard.Stamps
	trapNames []string // possible names of a page's trap
	takes     func(*http.Request, page.PostForm) bool
	catalog   *page.Catalog
	now       func() time.Time

	noteRebuilt func(sign string)
	pages       *knownPages
}

// New returns a Protector. It returns an error if the form has inputs of all names that a trap can
// have.
func New(c Config) (*Protector, error) {
	p := &Protector{
		stamps:    guard.NewStamps(c.Keys, c.Form),
		trapNames: slices.DeleteFunc(guard.Traps(), c.IsInput),
		takes:     c.Takes,
		catalog:   c.Catalog,
		now:       c.Now,

		noteRebuilt: c.NoteRebuilt,
		pages:       newKnownPages(),
	}
	if len(p.trapNames) == 0 {
		return nil, errors.New("protect: every name that a trap could have is an input of the form; rename one of them")
	}
	return p, nil
}

// Serve hands the request on, and protects the answer if it is a page.
func (p *Protector) Serve(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if p == nil || !mayBeForPage(r) {
		return next.ServeHTTP(w, r)
	}
	served := newServedPage(p, w, r)
	defer served.release()
	return served.finish(next.ServeHTTP(served, served.request()))
}

// Puts reports whether an input of that name may be one that the Protector puts into forms.
func (p *Protector) Puts(input string) bool {
	return p != nil && (input == guard.StampInput || slices.Contains(p.trapNames, input))
}

// TakeSeal removes the stamp and the trap from what was posted, and returns what they hold.
func (p *Protector) TakeSeal(r *http.Request, posted *form.Form) guard.Seal {
	if p == nil {
		return guard.Seal{}
	}
	seal := guard.Seal{Stamps: posted.Values(guard.StampInput), ByScript: httpx.WantsJSON(r), Sender: guard.SenderOf(r)}
	traps := p.stamps.TrapsOf(seal.Stamps, p.now())
	posted.Entries = slices.DeleteFunc(posted.Entries, func(entry form.Entry) bool {
		if !slices.Contains(p.trapNames, entry.Name) || !slices.Contains(traps, entry.Name) {
			return entry.Name == guard.StampInput
		}
		seal.TrapSent = true
		seal.TrapFilled = seal.TrapFilled || strings.TrimSpace(entry.Value) != ""
		return true
	})
	return seal
}

// Signals returns the signals of a seal.
func (p *Protector) Signals(seal guard.Seal, now time.Time) guard.Opinion {
	if p == nil {
		return nil
	}
	return p.stamps.Signals(seal, now)
}

// Hidden returns the stamp and the trap as hidden inputs, for a page that is shown again and has
// none.
func (p *Protector) Hidden() []page.Pair {
	if p == nil {
		return nil
	}
	trap := p.trapNames[0]
	return []page.Pair{
		{Name: guard.StampInput, Value: p.stamps.Stamp(p.now().Add(-timeSinceRead), trap)},
		{Name: trap},
	}
}

// html returns the stamp and the trap as HTML.
func (p *Protector) html(stamp, trap string, f page.PostForm) string {
	words := p.catalog.For(f.Lang)
	return page.Trap{
		Name:     trap,
		Label:    words.Text(page.TrapLabel),
		Language: words.Tag(),
		Styled:   f.Styled,
		Hidden:   page.Pair{Name: guard.StampInput, Value: stamp},
	}.HTML()
}

// stampFor returns the stamp for a page that answers r.
func (p *Protector) stampFor(r *http.Request, trap string) string {
	now := p.now()
	if httpx.IsPageRequest(r) {
		now = now.Add(-timeSinceRead)
	}
	return p.stamps.Stamp(now, trap)
}

// mayBeForPage reports whether the answer to the request may be a page that a visitor sees.
func mayBeForPage(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "", "document", "embed", "empty", "frame", "iframe", "object":
	default:
		return false
	}
	return httpx.AcceptsHTML(r) && !isOtherFile(r.URL.Path)
}

// isOtherFile reports whether the path has the extension of a file that is not a page.
func isOtherFile(name string) bool {
	mediaType, _, _ := mime.ParseMediaType(mime.TypeByExtension(path.Ext(name)))
	kind, _, _ := strings.Cut(mediaType, "/")
	switch kind {
	case "audio", "font", "image", "video":
		return true
	}
	switch mediaType {
	case "application/javascript", "application/json", "application/pdf", "application/wasm", "application/zip",
		"text/css", "text/javascript", "text/plain", "text/xml":
		return true
	}
	return false
}
