package guard

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Origins tells which sites' pages may post: the site's own, and those that
// the operator lists.
type Origins struct {
	listed     []string
	protection *http.CrossOriginProtection
}

// NewOrigins returns Origins with the listed ones, such as
// "https://www.example.com". The error says what is wrong with one of them.
func NewOrigins(listed []string) (*Origins, error) {
	o := &Origins{protection: http.NewCrossOriginProtection()}
	for _, origin := range listed {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("origin %q is none: write one such as https://www.example.com, without a path", origin)
		}
		// Browsers write it in small letters and without the usual port.
		u.Host = strings.ToLower(u.Host)
		if usual := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]; strings.HasSuffix(u.Host, usual) {
			u.Host = strings.TrimSuffix(u.Host, usual)
		}
		origin = u.Scheme + "://" + u.Host
		if err := o.protection.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("origin %q: %w", origin, err)
		}
		o.listed = append(o.listed, origin)
	}
	return o, nil
}

// unknownOrigin speaks for junk as much as [Doubt].
func unknownOrigin() Opinion {
	return Opinion{{"the browser does not say which page it posts from", Doubt}}
}

// Check reports whether the post comes from a page that may send it, as
// [http.CrossOriginProtection] has it: browsers say so in Sec-Fetch-Site or,
// older ones, in Origin, and what says neither is no browser and has nobody's
// cookies. An old browser whose page hides where it posts from sends the
// origin "null": so does any page that wants to hide, hence this counts as
// doubt.
func (o *Origins) Check(r *http.Request) (allowed bool, signals Opinion) {
	if o.protection.Check(r) == nil {
		return true, nil
	}
	if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "null" {
		return true, unknownOrigin()
	}
	return false, nil
}

// Share has the browser let a script of a listed origin read the answer
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

// IsPreflight reports whether the request asks if a listed origin may post.
func (o *Origins) IsPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") == http.MethodPost &&
		slices.Contains(o.listed, r.Header.Get("Origin"))
}

// Allow answers a preflight: the origin may post.
func (o *Origins) Allow(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	o.Share(header, r)
	header.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	header.Set("Access-Control-Allow-Methods", http.MethodPost)
	header.Set("Access-Control-Allow-Headers", "Accept, Content-Type, X-Requested-With")
	header.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}
