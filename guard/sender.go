package guard

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
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
	if !claimsBrowser(agent) || isAutomated(agent) {
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

// claimsBrowser reports whether the agent begins with the name that browsers begin with.
func claimsBrowser(agent string) bool {
	name, _, ok := strings.Cut(agent, "/")
	if first, _, found := strings.Cut(name, " "); found {
		name, ok = first, true
	}
	return ok && slices.Contains([]string{"Mozilla", "Opera", "Lynx", "ELinks", "w3m", "Links"}, name)
}

// isAutomated reports whether the agent is a browser that runs without a person and says so. Site
// monitoring uses them too.
func isAutomated(agent string) bool {
	agent = strings.ToLower(agent)
	return slices.ContainsFunc([]string{"headless", "phantomjs", "bot/", "crawler", "spider", "powershell", "winhttp"}, func(word string) bool {
		return strings.Contains(agent, word)
	})
}

// sendsFetchSite reports whether the browser sends Sec-Fetch-Site with each request over TLS
// (https://www.w3.org/TR/fetch-metadata/), by a version from which all of them surely do.
func sendsFetchSite(agent string) bool {
	if version, ok := versionOf(agent, "Chrome/"); ok {
		return version >= 90
	}
	if version, ok := versionOf(agent, "Firefox/"); ok {
		return version >= 95
	}
	version, ok := versionOf(safari.FindString(agent), "Version/")
	return ok && version >= 17
}

var safari = regexp.MustCompile(`\bVersion/\d{1,4}\.[\d.]+ (?:Mobile/\w+ )?Safari/`)

// versionOf returns the whole number after a product's name and slash.
func versionOf(agent, product string) (version int, ok bool) {
	_, rest, _ := strings.Cut(agent, product)
	digits, _, found := strings.Cut(rest, ".")
	version, err := strconv.Atoi(digits)
	return version, found && err == nil
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
