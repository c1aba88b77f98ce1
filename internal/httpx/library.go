package httpx

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/leadwire/caddy-telecrm/internal/hostname"
)

// Library is a front-end library that posts forms without leaving the page, and puts the HTML of
// the answer into it.
type Library int

// The known libraries.
const (
	NoLibrary  Library = iota
	HTMX               // https://htmx.org/reference/#request_headers
	Unpoly             // https://unpoly.com/up.protocol
	Turbo              // https://turbo.hotwired.dev/reference/drive
	AlpineAJAX         // https://alpine-ajax.js.org/reference/
)

// LibraryOf returns the library that sent the request.
func LibraryOf(r *http.Request) Library {
	switch {
	case r.Header.Get("Hx-Request") == "true":
		return HTMX
	case r.Header.Get("X-Up-Version") != "":
		return Unpoly
	case r.Header.Get("X-Alpine-Request") == "true":
		return AlpineAJAX
	case r.Header.Get("Turbo-Frame") != "", rankOf(acceptOf(r), "text", "vnd.turbo-stream.html").precision == 3:
		return Turbo
	}
	return NoLibrary
}

// TakesPart reports whether a library takes only a part of the answer's page, which is usually the
// form or something around it.
func TakesPart(r *http.Request) bool {
	switch LibraryOf(r) {
	case Unpoly, AlpineAJAX:
		return true
	case Turbo:
		return r.Header.Get("Turbo-Frame") != ""
	case NoLibrary, HTMX:
	}
	return false
}

// dropLibraryHeaders removes the headers with which libraries ask for a part of a page.
func dropLibraryHeaders(header http.Header) {
	for name := range header {
		for _, prefix := range [...]string{"Hx-", "X-Up-", "X-Alpine-", "Turbo-", "Precognition"} {
			if strings.HasPrefix(name, prefix) {
				delete(header, name)
			}
		}
	}
	header.Del("X-Requested-With")
}

// maxAddress bounds the address of a page that a client names, in bytes.
const maxAddress = 4 << 10

// CurrentPage returns the path and query of the page that the visitor's browser shows, as the
// request tells, or "" if that is unknown or not on this site. The site is this host, and the hosts
// that isSameSite reports. The result always stays on this site. htmx names the page even if the
// site's Referrer-Policy keeps it out of the Referer.
func CurrentPage(r *http.Request, isSameSite func(r *http.Request, host string) bool) string {
	if LibraryOf(r) == HTMX {
		if local := localPage(r, r.Header.Get("Hx-Current-Url"), isSameSite); local != "" {
			return local
		}
	}
	return localPage(r, r.Referer(), isSameSite)
}

func localPage(r *http.Request, address string, isSameSite func(*http.Request, string) bool) string {
	if len(address) > maxAddress {
		return ""
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	name, port := hostname.Split(u.Host)
	ownName, ownPort := hostname.Split(r.Host)
	if port != ownPort || name != ownName && !isSameSite(r, name) {
		return ""
	}
	return LocalURI(u)
}
