package attribution

import (
	"net/http"
	"net/netip"
	"regexp"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/leadwire/caddy-telecrm/internal/hostname"
)

// first returns the first value of a header, whose name is in its canonical form.
func first(header http.Header, name string) string {
	if values := header[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// isNavigation reports whether a person's browser asks for a page to show in a tab. It is not one if
// the browser only fetches the page in case its user might want it.
func isNavigation(r *http.Request) bool {
	if r.Method != http.MethodGet {
		return false
	}
	if mode := first(r.Header, "Sec-Fetch-Mode"); mode != "" {
		if mode != "navigate" || first(r.Header, "Sec-Fetch-Dest") != "document" {
			return false
		}
	} else if !strings.Contains(first(r.Header, "Accept"), "text/html") {
		return false
	}
	return !isPrefetch(r.Header)
}

func isPrefetch(header http.Header) bool {
	return first(header, "Sec-Purpose") != "" || first(header, "Purpose") != "" ||
		first(header, "X-Purpose") != "" || first(header, "X-Moz") != ""
}

var (
	browser = regexp.MustCompile(`^(?:Mozilla|Opera)/`)
	// automated matches programs that pose as browsers and say so. The phones of Cubot do not, and
	// headless browsers may be somebody's tests, whose touches should count.
	automated = regexp.MustCompile(`(?i)(?:^|[^u]|(?:^|[^c])u)bot\b|phantomjs|crawl|spider|slurp|lighthouse|` +
		`preview|prerender|monitor|pingdom|facebookexternalhit|facebookcatalog|google-inspectiontool|google-read-aloud|` +
		`mediapartners|adsbot|bingpreview|archive\.org|python|curl|wget|powershell|\+https?://`)
)

// isBot reports whether the user agent is that of a program without a person.
func isBot(header http.Header) bool {
	agent := first(header, "User-Agent")
	return !browser.MatchString(agent) || automated.MatchString(agent)
}

// authorityOf returns the part of an address that names its host and port. It does not allocate.
func authorityOf(address string) string {
	_, rest, found := strings.Cut(address, "://")
	if !found {
		return ""
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		return rest[:end]
	}
	return rest
}

// nameOf returns the canonical name of a host, without its port.
func nameOf(host string) string {
	name, _ := hostname.Split(host)
	return name
}

// isSameSite reports whether two hosts are of one site: they are the same, or have the same
// registered domain, as example.com and www.example.com do.
func isSameSite(host, other string) bool {
	if strings.EqualFold(host, other) {
		return true
	}
	host, other = nameOf(host), nameOf(other)
	if host == other {
		return true
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	return err == nil && isWithin(other, domain)
}

// isWithin reports whether a name is the domain or a subdomain of it.
func isWithin(name, domain string) bool {
	return name == domain || strings.HasSuffix(name, "."+domain)
}
