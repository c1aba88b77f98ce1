package guard

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/internal/hostname"
)

// Origins decides which sites may post: the form's own site, and those that the operator lists.
type Origins struct {
	listed     []string
	protection *http.CrossOriginProtection
	isSameSite func(r *http.Request, host string) bool
}

// NewOrigins returns Origins with the listed origins, such as "https://www.example.com", or an
// error if one is invalid. isSameSite reports whether the site that a request is for also has
// another host; it may be nil.
func NewOrigins(listed []string, isSameSite func(r *http.Request, host string) bool) (*Origins, error) {
	if isSameSite == nil {
		isSameSite = func(*http.Request, string) bool { return false }
	}
	o := &Origins{protection: http.NewCrossOriginProtection(), isSameSite: isSameSite}
	for _, origin := range listed {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("invalid origin %q; write one such as https://www.example.com, without a path", withoutUser(origin))
		}
		if strings.Contains(u.Host, "*") {
			return nil, fmt.Errorf("invalid origin %q; * does not stand for anything, so list each origin", origin)
		}
		origin = asBrowsersSend(u)
		if err := o.protection.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("origin %q: %w", origin, err)
		}
		o.listed = append(o.listed, origin)
	}
	return o, nil
}

// withoutUser returns a text without what is before an at sign, which may be a password.
func withoutUser(text string) string { return text[strings.LastIndexByte(text, '@')+1:] }

// asBrowsersSend returns the origin of a URL as browsers send it.
func asBrowsersSend(u *url.URL) string {
	name, port := hostname.Name(u.Hostname()), u.Port()
	if port == map[string]string{"https": "443", "http": "80"}[u.Scheme] {
		port = ""
	}
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	if port != "" {
		name += ":" + port
	}
	return u.Scheme + "://" + name
}

// weightUnknownOrigin makes a post suspected spam.
const weightUnknownOrigin = Doubt

// Check reports whether the post comes from a page that may send it. It follows
// [http.CrossOriginProtection]: browsers send Sec-Fetch-Site or, in older versions, Origin. A
// request with neither is not from a browser and has nobody's cookies. Pages of the site's other
// hosts may post too. An old browser sends the origin "null" for a page with a strict referrer
// policy, but so can any page, so Check allows it with a signal.
func (o *Origins) Check(r *http.Request) (allowed bool, signals Opinion) {
	if o.protection.Check(r) == nil {
		return true, nil
	}
	if _, isOwn := o.ownPage(r); isOwn {
		return true, nil
	}
	if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "null" {
		return true, Opinion{{"browser does not say which page it posts from", weightUnknownOrigin}}
	}
	return false, nil
}

// ownPage returns the name of the host whose page sent the request, if the Origin is that of a page
// of this site: of the host that the request names, however it is written, or of another host of the
// site. Another port is another site, and so is a page in clear if a browser says that the request is
// not from its origin.
func (o *Origins) ownPage(r *http.Request) (host string, ok bool) {
	sent := r.Header.Get("Origin")
	if sent == "" {
		return "", false
	}
	origin, err := url.Parse(sent)
	if err != nil || origin.Host == "" || origin.Scheme != "https" && origin.Scheme != "http" {
		return "", false
	}
	if origin.Scheme == "http" && r.TLS != nil && r.Header.Get("Sec-Fetch-Site") != "" {
		return "", false
	}
	name, port := hostname.Split(origin.Host)
	ownName, ownPort := hostname.Split(r.Host)
	return name, port == ownPort && (name == ownName || o.isSameSite(r, name))
}

// PageHost returns the name of the host whose page sent the request, if it is of this site, or else
// that of the host that the request is for.
func (o *Origins) PageHost(r *http.Request) string {
	if host, ok := o.ownPage(r); ok {
		return host
	}
	host, _ := hostname.Split(r.Host)
	return host
}

// mayRead reports whether scripts of the request's origin need to be allowed to read the response,
// and are: they are of a listed origin or of another host of the site.
func (o *Origins) mayRead(r *http.Request) bool {
	if slices.Contains(o.listed, r.Header.Get("Origin")) {
		return true
	}
	host, _ := hostname.Split(r.Host)
	return o.PageHost(r) != host
}

// Share lets scripts of a listed origin, or of another host of the site, read the response
// (https://fetch.spec.whatwg.org/#http-cors-protocol).
func (o *Origins) Share(header http.Header, r *http.Request) {
	mayRead := o.mayRead(r)
	if mayRead || len(o.listed) > 0 {
		header.Add("Vary", "Origin")
	}
	if mayRead {
		header.Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		header.Set("Access-Control-Expose-Headers", "Retry-After, Precognition, Precognition-Success")
	}
}

// IsPreflight reports whether the request is a CORS preflight of an origin whose scripts may read
// the response.
func (o *Origins) IsPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") == http.MethodPost && o.mayRead(r)
}

// Allow answers a preflight and lets the origin post.
func (o *Origins) Allow(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	o.Share(header, r)
	header.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	header.Set("Access-Control-Allow-Methods", http.MethodPost)
	header.Set("Access-Control-Allow-Headers", "Accept, Content-Type, X-Requested-With, Precognition, Precognition-Validate-Only")
	header.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}
