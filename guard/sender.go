package guard

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/leadwire/caddy-telecrm/internal/hostname"
)

// Sender describes the client that made a post, as far as its headers tell.
type Sender struct {
	// Program means that the client does not claim to be a browser.
	Program bool
	// Flaws counts headers that contradict the claimed browser.
	Flaws int
	// NamesPage means that the headers name a page of this site as the source. It is only
	// meaningful for posts that [Origins.Check] allows.
	NamesPage bool
}

// Weights of headers. Programs of the operator post too, and do not pretend to be browsers. A
// single missing header may be due to a proxy. Two are not an accident.
const (
	weightProgram = 2
	weightFlaw    = 2
	weightFlaws   = 4
)

// SenderOf reads the headers of a post. It expects a browser's navigation from a form; scripts in
// pages choose their own headers.
func SenderOf(r *http.Request) Sender {
	agent := r.UserAgent()
	s := Sender{NamesPage: namesPage(r)}
	if !claimsBrowser.MatchString(agent) || isAutomated.MatchString(agent) {
		s.Program = true
		return s
	}
	accept := strings.ToLower(r.Header.Get("Accept"))
	for _, isFlaw := range []bool{
		!strings.Contains(accept, "text/html"),
		r.Header.Get("Accept-Language") == "",
		r.TLS != nil && sendsFetchSite(agent) && r.Header.Get("Sec-Fetch-Site") == "",
	} {
		if isFlaw {
			s.Flaws++
		}
	}
	return s
}

// IsLikeBrowser reports whether the headers are those of a browser.
func (s Sender) IsLikeBrowser() bool { return !s.Program && s.Flaws == 0 }

// Signals returns the spam signals of the headers.
func (s Sender) Signals() Opinion {
	switch {
	case s.Program:
		return Opinion{{"sent by a program", weightProgram}}
	case s.Flaws > 1:
		return Opinion{{"claims to be a browser but is not", weightFlaws}}
	case s.Flaws == 1:
		return Opinion{{"lacks a header that the claimed browser sends", weightFlaw}}
	}
	return nil
}

var (
	claimsBrowser = regexp.MustCompile(`^(?:Mozilla|Opera|Lynx|ELinks|w3m|Links)[/ ]`)
	// isAutomated matches browsers that run without a person and say so. Site monitoring uses them
	// too.
	isAutomated = regexp.MustCompile(`(?i)headless|phantomjs|\b\w*bot/|crawler|spider|powershell|winhttp`)
)

// fetchSiteSenders lists the browsers that send Sec-Fetch-Site with each request over TLS
// (https://www.w3.org/TR/fetch-metadata/), and a version from which all of them surely do.
var fetchSiteSenders = []struct {
	version *regexp.Regexp
	since   int
}{
	{regexp.MustCompile(`\bChrome/(\d{1,4})\.`), 90},
	{regexp.MustCompile(`\bFirefox/(\d{1,4})\.`), 95},
	{regexp.MustCompile(`\bVersion/(\d{1,4})\.[\d.]+ (?:Mobile/\w+ )?Safari/`), 17},
}

// sendsFetchSite reports whether the browser sends Sec-Fetch-Site over TLS.
func sendsFetchSite(agent string) bool {
	for _, sender := range fetchSiteSenders {
		if found := sender.version.FindStringSubmatch(agent); found != nil {
			version, err := strconv.Atoi(found[1])
			return err == nil && version >= sender.since
		}
	}
	return false
}

func namesPage(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "same-site":
		return true
	}
	if origin := r.Header.Get("Origin"); origin != "" && origin != "null" {
		return true
	}
	referer, err := url.Parse(r.Referer())
	return err == nil && referer.Host != "" && hostname.Canonical(referer.Host) == hostname.Canonical(r.Host)
}
