package guard

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Sender is what made a post, as far as its header tells.
type Sender struct {
	// Program tells that it does not say that it is a browser.
	Program bool
	// Flaws is how much there is that the browser would not send that it says
	// it is, or would, and that is missing.
	Flaws int
	// NamesPage tells that it says which page of a site that may post it
	// comes from. It is only right of posts that [Origins.Check] allows.
	NamesPage bool
}

// What the header weighs. Programs of the operator's own post here as well,
// and do not pretend to be anything else; what lacks one thing that its
// browser sends may have had a proxy take it away. Two such things are no
// accident.
const (
	weightProgram = 2
	weightFlaw    = 2
	weightFlaws   = 4
)

// SenderOf reads the header of a post that a browser would make by following a
// form: what scripts in pages send is for them to choose.
func SenderOf(r *http.Request) Sender {
	agent := r.UserAgent()
	s := Sender{NamesPage: namesPage(r)}
	if !saysBrowser.MatchString(agent) || saysMachine.MatchString(agent) {
		s.Program = true
		return s
	}
	accept := strings.ToLower(r.Header.Get("Accept"))
	for _, lacks := range []bool{
		!strings.Contains(accept, "text/html"),
		r.Header.Get("Accept-Language") == "",
		r.TLS != nil && tellsSite(agent) && r.Header.Get("Sec-Fetch-Site") == "",
	} {
		if lacks {
			s.Flaws++
		}
	}
	return s
}

// IsLikeBrowser reports whether nothing speaks against a browser.
func (s Sender) IsLikeBrowser() bool { return !s.Program && s.Flaws == 0 }

// Signals says what the header speaks for.
func (s Sender) Signals() Opinion {
	switch {
	case s.Program:
		return Opinion{{"sent by a program", weightProgram}}
	case s.Flaws > 1:
		return Opinion{{"it says that it is a browser, and is none", weightFlaws}}
	case s.Flaws == 1:
		return Opinion{{"it lacks something that its browser sends", weightFlaw}}
	}
	return nil
}

var (
	saysBrowser = regexp.MustCompile(`^(?:Mozilla|Opera|Lynx|ELinks|w3m|Links)[/ ]`)
	// saysMachine finds browsers that nobody sits in front of, and that do not
	// hide it: those who watch over a site use them, too.
	saysMachine = regexp.MustCompile(`(?i)headless|phantomjs|\b\w*bot/|crawler|spider|powershell|winhttp`)
)

// tellers are the browsers that say where a request comes from with each one
// to an https page (https://www.w3.org/TR/fetch-metadata/), and the version
// from which all of them do, with some to spare.
var tellers = []struct {
	version *regexp.Regexp
	since   int
}{
	{regexp.MustCompile(`\bChrome/(\d{1,4})\.`), 90},
	{regexp.MustCompile(`\bFirefox/(\d{1,4})\.`), 95},
	{regexp.MustCompile(`\bVersion/(\d{1,4})\.[\d.]+ (?:Mobile/\w+ )?Safari/`), 17},
}

// tellsSite reports whether the browser sends Sec-Fetch-Site over TLS.
func tellsSite(agent string) bool {
	for _, teller := range tellers {
		if found := teller.version.FindStringSubmatch(agent); found != nil {
			version, err := strconv.Atoi(found[1])
			return err == nil && version >= teller.since
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
	return err == nil && referer.Host != "" && strings.EqualFold(referer.Host, r.Host)
}
