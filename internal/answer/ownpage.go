package answer

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/page"
)

var errUnread = errors.New("nothing of the form could be read")

// formPageInput carries the page with the form from one error page to the next, whose Referer is
// the error page itself. Its name keeps it out of the lead.
const formPageInput = "_form_page"

// formPage returns the path and query of the page on which the visitor filled in the form; empty if
// it is not on this site.
func (a *Responder) formPage(r *http.Request, posted *form.Form) string {
	if carried := CarriedPage(posted); carried != nil {
		return httpx.LocalURI(carried)
	}
	return httpx.CurrentPage(r, a.IsSameSite)
}

// CarriedPage returns the page with the form that an error page carried on, or nil. It is on this
// site, but the visitor may have made it up.
func CarriedPage(posted *form.Form) *url.URL {
	if posted == nil || !posted.Has(formPageInput) {
		return nil
	}
	carried, err := url.Parse(posted.First(formPageInput))
	if err != nil || carried.Host != "" || carried.Scheme != "" {
		return nil
	}
	return carried
}

// pageAddresses returns where the page with the form may be: where the operator says, or else where
// the visitor came from and then where they posted to.
func (a *Responder) pageAddresses(r *http.Request, typed *form.Form) []string {
	if a.FormPage != "" {
		return []string{a.FormPage}
	}
	posted := httpx.PostedURI(r)
	if from := a.formPage(r, typed); from != "" && from != posted {
		return []string{from, posted}
	}
	return []string{posted}
}

// fetched is the site's answer to a request for a page.
type fetched struct {
	page *httpx.SitePage
	err  error
}

// pageAt returns the page at address. It asks the site once for a post.
func (p *Post) pageAt(r *http.Request, address string) (*httpx.SitePage, error) {
	got, known := p.pages[address]
	if !known {
		got.page, got.err = httpx.FetchPage(r, address)
		if p.pages == nil {
			p.pages = make(map[string]fetched)
		}
		p.pages[address] = got
	}
	return got.page, got.err
}

// renderOwnPage puts what the visitor typed, and what to correct, into the site's own page.
func (a *Responder) renderOwnPage(r *http.Request, p *Post, f Failure) (*httpx.SitePage, error) {
	if p.Typed == nil {
		return nil, errUnread
	}
	var reasons error
	for _, address := range a.pageAddresses(r, p.Typed) {
		own, err := a.ownPage(r, p, address)
		if err != nil {
			reasons = errors.Join(reasons, err)
			continue
		}
		shown := *p.pages[address].page
		a.describe(own, f)
		if shown.Body, err = own.Render(); err == nil {
			return &shown, nil
		}
		if rebuilt := new(page.RebuiltError); errors.As(err, &rebuilt) {
			a.NoteRebuilt(rebuilt.Sign)
		}
		p.secrets = append(p.secrets, page.SecretInputs(own.Source, own.ContentType)...)
		reasons = errors.Join(reasons, err)
	}
	return nil, reasons
}

// ownPage returns the page at address with the values that were posted.
func (a *Responder) ownPage(r *http.Request, p *Post, address string) (*page.Own, error) {
	found, err := p.pageAt(r, address)
	if err != nil {
		return nil, err
	}
	posted, err := url.ParseRequestURI(httpx.PostedURI(r))
	if err != nil {
		return nil, httpx.ErrNotAPage
	}
	own := &page.Own{
		Source:      found.Body,
		ContentType: found.Header.Get("Content-Type"),
		Policies:    found.Header.Values("Content-Security-Policy"),
		URL:         found.URL,
		Posted:      posted,
		Named:       a.FormPage != "",
		Catalog:     a.Catalog,
		Partial:     p.Typed.Cut,
		Into:        a.into(r, found.URL),
		InForm:      httpx.TakesPart(r),
		IsDraft:     p.IsDraft,
	}
	for _, entry := range slices.Concat(p.Typed.Entries, p.Typed.Skipped) {
		if !a.CountsOnce(entry.Name) && (a.Mapping.Takes(entry.Name) || !form.IsSecret(entry.Name)) {
			own.Values = append(own.Values, page.Pair{Name: entry.Name, Value: entry.Value})
		} else {
			own.Withheld = append(own.Withheld, entry.Name)
		}
	}
	own.Withheld = append(own.Withheld, p.Typed.Files...)
	return own, nil
}

// into returns the page into whose body a front-end library puts the page at address, or nil if the
// browser loads it instead.
func (a *Responder) into(r *http.Request, address *url.URL) *url.URL {
	if httpx.LibraryOf(r) == httpx.NoLibrary {
		return nil
	}
	if current, err := url.ParseRequestURI(httpx.CurrentPage(r, a.IsSameSite)); err == nil {
		return current
	}
	return address
}

// noteSecrets learns from the page with the form which inputs are secret, so that the built-in page
// does not repeat them.
func (a *Responder) noteSecrets(r *http.Request, p *Post) {
	if p.Typed == nil {
		return
	}
	for _, address := range a.pageAddresses(r, p.Typed) {
		if found, err := p.pageAt(r, address); err == nil {
			p.secrets = append(p.secrets, page.SecretInputs(found.Body, found.Header.Get("Content-Type"))...)
		}
	}
}

// describe adds what to tell the visitor, and what the form is to send along the next time.
func (a *Responder) describe(own *page.Own, f Failure) {
	own.Code, own.Detail, own.Note = f.Code, f.Detail, f.Note
	for _, p := range f.Problems {
		own.Problems = append(own.Problems, onPage(p))
	}
	if a.FormPage == "" && own.URL.RequestURI() != own.Posted.RequestURI() {
		own.Hidden = append(own.Hidden, page.Pair{Name: formPageInput, Value: own.URL.RequestURI()})
	}
	if f.Confirm != "" {
		own.Hidden = append(own.Hidden, page.Pair{Name: ConfirmInput, Value: f.Confirm})
	}
	if !bytes.Contains(own.Source, []byte(`name="`+guard.StampInput+`"`)) {
		own.Hidden = append(own.Hidden, a.Seal()...)
	}
}

// writeOwnPage shows the visitor the page they were on.
func writeOwnPage(w http.ResponseWriter, r *http.Request, status int, own *httpx.SitePage) error {
	for name, values := range own.Header {
		switch name {
		case "Accept-Ranges", "Age", "Cache-Control", "Connection", "Content-Disposition", "Content-Encoding", "Content-Length", "Content-Range",
			"Content-Type", "Date", "Etag", "Expires", "Last-Modified", "Pragma", "Refresh", "Trailer", "Transfer-Encoding":
		case "Set-Cookie", "Vary":
			w.Header()[name] = append(w.Header()[name], values...)
		default:
			w.Header()[name] = values
		}
	}
	if httpx.LibraryOf(r) == httpx.HTMX {
		status = swapBody(w.Header(), own.Body)
	}
	return write(w, status, "text/html; charset=utf-8", bytes.NewBuffer(own.Body))
}

// PageCharset returns the encoding that the page with the form declares; empty if no page can be
// read that declares one.
func (a *Responder) PageCharset(r *http.Request, p *Post, posted *form.Form) string {
	for _, address := range a.pageAddresses(r, posted) {
		found, err := p.pageAt(r, address)
		if err != nil {
			continue
		}
		if declared := page.Charset(found.Body, found.Header.Get("Content-Type")); declared != "" {
			return declared
		}
	}
	return ""
}

// IsRebuilt reports whether a script rebuilds the page with the form in the browser.
func (a *Responder) IsRebuilt(r *http.Request, p *Post) bool {
	for _, address := range a.pageAddresses(r, p.Typed) {
		own, err := a.ownPage(r, p, address)
		if err != nil {
			continue
		}
		if sign := own.Rebuilt(); sign != "" {
			a.NoteRebuilt(sign)
			return true
		}
	}
	return false
}

// Typed returns those values that the visitor typed, and the page with the form does not fill in by
// itself. If the page cannot be read, the visitor may have typed all of them.
func (a *Responder) Typed(r *http.Request, p *Post, values []page.Pair) []page.Pair {
	for _, address := range a.pageAddresses(r, p.Typed) {
		own, err := a.ownPage(r, p, address)
		if err != nil {
			continue
		}
		if typed, err := own.Typed(values); err == nil {
			return typed
		}
	}
	return values
}

// Inputs returns the inputs of the form on the page that the visitor filled in; none if the page
// cannot be read.
func (a *Responder) Inputs(r *http.Request, p *Post) []page.Input {
	for _, address := range a.pageAddresses(r, p.Typed) {
		own, err := a.ownPage(r, p, address)
		if err != nil {
			continue
		}
		if inputs, err := own.Inputs(); err == nil {
			return inputs
		}
	}
	return nil
}
