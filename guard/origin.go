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
}

// NewOrigins returns Origins with the listed origins, such as "https://www.example.com", or an
// error if one is invalid.
func NewOrigins(listed []string) (*Origins, error) {
	o := &Origins{protection: http.NewCrossOriginProtection()}
	for _, origin := range listed {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("invalid origin %q; write one such as https://www.example.com, without a path", origin)
		}
		origin = asBrowsersSend(u)
		if err := o.protection.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("origin %q: %w", origin, err)
		}
		o.listed = append(o.listed, origin)
	}
	return o, nil
}

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

// unknownOrigin weighs as much as [Doubt].
func unknownOrigin() Opinion {
	return Opinion{{"browser does not say which page it posts from", Doubt}}
}

// Check reports whether the post comes from a page that may send it. It follows
// [http.CrossOriginProtection]: browsers send Sec-Fetch-Site or, in older versions, Origin. A
// request with neither is not from a browser and has nobody's cookies. An old browser sends the
// origin "null" for a page with a strict referrer policy, but so can any page, so Check allows it
// with a signal.
func (o *Origins) Check(r *http.Request) (allowed bool, signals Opinion) {
	if o.protection.Check(r) == nil || isOwnOrigin(r) {
		return true, nil
	}
	if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "null" {
		return true, unknownOrigin()
	}
	return false, nil
}

// isOwnOrigin reports whether a browser that does not send Sec-Fetch-Site posts from a page of the
// host that the request names. [http.CrossOriginProtection] compares the two byte by byte, but a
// Host header need not be written as browsers write origins.
func isOwnOrigin(r *http.Request) bool {
	origin, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && (origin.Scheme == "https" || origin.Scheme == "http") && origin.Host != "" &&
		r.Header.Get("Sec-Fetch-Site") == "" && hostname.Canonical(origin.Host) == hostname.Canonical(r.Host)
}

// Share lets scripts of a listed origin read the response
// (https://fetch.spec.whatwg.org/#http-cors-protocol).
func (o *Origins) Share(header http.Header, r *http.Request) {
	if len(o.listed) == 0 {
		return
	}
	header.Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); slices.Contains(o.listed, origin) {
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Expose-Headers", "Retry-After")
	}
}

// IsPreflight reports whether the request is a CORS preflight of a listed origin.
func (o *Origins) IsPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") == http.MethodPost &&
		slices.Contains(o.listed, r.Header.Get("Origin"))
}

// Allow answers a preflight and lets the origin post.
func (o *Origins) Allow(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	o.Share(header, r)
	header.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	header.Set("Access-Control-Allow-Methods", http.MethodPost)
	header.Set("Access-Control-Allow-Headers", "Accept, Content-Type, X-Requested-With")
	header.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}
