// Package attribution remembers where a site's visitors came from, without a script: the parameters
// of ads and newsletters, and the site with the link. It keeps the first and the latest such touch
// in one signed cookie.
package attribution

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Tracker recognizes touches.
type Tracker struct {
	Params Params
	Keep   Which
	// IgnoreReferrers are domains whose links are not touches, such as that of a payment page.
	IgnoreReferrers []string
	// Consent is nil if the site does not ask for it.
	Consent *Consent
	// IgnoreURL makes only the cookie count.
	IgnoreURL bool
	Cookie    Cookie
	Now       func() time.Time
}

// Request is a request as the visitor sent it.
type Request struct {
	*http.Request
	// URL is the one that the visitor asked for.
	URL      *url.URL
	IsSecure bool
	// FormPage is the page with the form that was posted. If it is nil, the Referer says which it is.
	FormPage *url.URL
}

// page returns the page of this site that the request was made from, or nil.
func (r Request) page() *url.URL {
	if r.FormPage != nil {
		return r.FormPage
	}
	referer := first(r.Header, "Referer")
	if referer == "" || len(referer) > maxReferer || !r.isFromHere(authorityOf(referer)) {
		return nil
	}
	page, err := url.Parse(referer)
	if err != nil {
		return nil
	}
	return page
}

// isFromHere reports whether the host of the page that the request was made from is of this site.
// The browser knows it even if a proxy has changed the request's own host.
func (r Request) isFromHere(host string) bool {
	switch first(r.Header, "Sec-Fetch-Site") {
	case "same-origin", "same-site":
		return host != ""
	}
	return isSameSite(r.Host, host)
}

// Visit is the result of looking at a request.
type Visit struct {
	Record Record
	// SetCookie is the value of a Set-Cookie header for the answer, or "".
	SetCookie string
}

// MayTouch reports whether [Tracker.Touch] may have something to do. It is fast, so that it can be
// asked about every request.
func (t *Tracker) MayTouch(r *http.Request, query string) bool {
	return (t.Params.in(query) || t.mayCount(first(r.Header, "Referer"), r.Host) || t.mustRemove(r.Header)) && isNavigation(r)
}

// mayCount reports whether a referrer may be on another site, or have a known parameter.
func (t *Tracker) mayCount(referer, host string) bool {
	if referer == "" {
		return false
	}
	_, rest, _ := strings.Cut(referer, "://")
	path, isSameHost := strings.CutPrefix(rest, host)
	if !isSameHost || path != "" && path[0] != '/' {
		return true
	}
	query := strings.IndexByte(path, '?')
	return query >= 0 && !t.IgnoreURL && t.Params.in(path[query+1:])
}

// mustRemove reports whether the browser has the cookie against its user's choice.
func (t *Tracker) mustRemove(header http.Header) bool {
	return !t.mayStore(header) && t.Cookie.isSent(header)
}

// mayStore reports whether the visitor's choices allow the cookie.
func (t *Tracker) mayStore(header http.Header) bool {
	return !objects(header) && t.Consent.IsGiven(header)
}

// Touch adds the request to the visitor's record if it is a touch, and returns the cookie that its
// answer must set. The cookie of a visitor who no longer agrees to it is removed.
func (t *Tracker) Touch(r Request) Visit {
	if !t.mayStore(r.Header) {
		visit := Visit{Record: t.Known(r)}
		if t.Cookie.isSent(r.Header) {
			visit.SetCookie = t.Cookie.removal(r.Host, r.IsSecure)
		}
		return visit
	}
	record, isKnown := t.Cookie.read(r.Header, t.Now())
	touch := t.touchOf(r)
	if touch.IsZero() && !isKnown && !t.IgnoreURL {
		touch = t.touchBefore(r)
	}
	if touch.IsZero() || isBot(r.Header) {
		record.IsDirect = !isKnown
		return Visit{Record: record}
	}
	record, changed := record.with(touch, t.Keep)
	visit := Visit{Record: record}
	if changed {
		visit.SetCookie = t.Cookie.line(record, r.Host, r.IsSecure)
	}
	return visit
}

// Known returns the record of the request's visitor: the one in the cookie or, without a cookie, one
// made of the URLs of the request and of the page that it came from.
func (t *Tracker) Known(r Request) Record {
	mayStore := t.mayStore(r.Header)
	if mayStore {
		if record, ok := t.Cookie.read(r.Header, t.Now()); ok {
			return record
		}
	}
	touch := t.touchOf(r)
	if len(touch.Params) == 0 {
		if before := t.touchBefore(r); !before.IsZero() {
			touch = before
		}
	}
	if t.IgnoreURL || touch.IsZero() {
		return Record{IsDirect: mayStore}
	}
	record, _ := Record{}.with(touch, t.Keep)
	return record
}

// touchOf returns the touch that the request is. It is zero if it is not one.
func (t *Tracker) touchOf(r Request) Touch {
	touch := Touch{At: t.Now().Truncate(time.Second), Params: t.Params.of(r.URL.RawQuery)}
	if referer := first(r.Header, "Referer"); referer != "" && t.isElsewhere(r, referer) {
		touch.Referrer = referrerOf(referer)
	}
	if touch.IsZero() {
		return Touch{}
	}
	touch.Landing = t.landingOf(r)
	return touch
}

// landingOf returns the path of the page that the visitor came to. For a post that is the page with
// the form.
func (t *Tracker) landingOf(r Request) string {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return pathOf(r.URL)
	}
	if page := r.page(); page != nil {
		return pathOf(page)
	}
	return ""
}

// touchBefore returns the touch that the request for the page before must have been, if that was
// a page of this site.
func (t *Tracker) touchBefore(r Request) Touch {
	page := r.page()
	if page == nil {
		return Touch{}
	}
	params := t.Params.of(page.RawQuery)
	if len(params) == 0 {
		return Touch{}
	}
	return Touch{At: t.Now().Truncate(time.Second), Params: params, Landing: pathOf(page)}
}

// maxReferer bounds a Referer header. Browsers cut theirs at this length.
const maxReferer = 4 << 10

// isElsewhere reports whether an address is on another site, from which a link counts.
func (t *Tracker) isElsewhere(r Request, address string) bool {
	other := authorityOf(address)
	return other != "" && !r.isFromHere(other) &&
		!slices.ContainsFunc(t.IgnoreReferrers, func(domain string) bool { return isWithin(nameOf(other), domain) })
}
