package guard_test

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/leadwire/caddy-telecrm/guard"
)

const (
	newChrome  = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36"
	oldChrome  = "Mozilla/5.0 (Linux; Android 5.1.1; SM-J200G) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/43.0.2357.121 Mobile Safari/537.36"
	newFirefox = "Mozilla/5.0 (Windows NT 10.0; rv:128.0) Gecko/20100101 Firefox/128.0"
	newSafari  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
	oldSafari  = "Mozilla/5.0 (iPhone; CPU iPhone OS 12_5_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Mobile/15E148 Safari/604.1"
	inAnApp    = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS]"
	headless   = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0.0.0 Safari/537.36"
)

func TestSender(t *testing.T) {
	type header = map[string]string
	with := func(agent string, more header) header {
		all := header{"User-Agent": agent, "Accept": "text/html,*/*;q=0.8", "Accept-Language": "en"}
		maps.Copy(all, more)
		return all
	}
	here := header{"Sec-Fetch-Site": "same-origin"}
	for name, test := range map[string]struct {
		header  header
		inClear bool
		want    guard.Sender
		score   int
	}{
		"Chrome":                              {with(newChrome, here), false, guard.Sender{NamesPage: true}, 0},
		"Chrome, without Sec-Fetch-Site":      {with(newChrome, nil), false, guard.Sender{Flaws: 1}, 2},
		"the same without TLS":                {with(newChrome, nil), true, guard.Sender{}, 0},
		"Firefox, without it":                 {with(newFirefox, nil), false, guard.Sender{Flaws: 1}, 2},
		"Safari, without it":                  {with(newSafari, nil), false, guard.Sender{Flaws: 1}, 2},
		"an old Chrome":                       {with(oldChrome, nil), false, guard.Sender{}, 0},
		"an old Safari that names its origin": {with(oldSafari, header{"Origin": "https://www.example.com"}), false, guard.Sender{NamesPage: true}, 0},
		"old, with the page's referrer":       {with(oldSafari, header{"Referer": "https://www.example.com/contact"}), false, guard.Sender{NamesPage: true}, 0},
		"old, with another referrer":          {with(oldSafari, header{"Referer": "https://www.example.org/"}), false, guard.Sender{}, 0},
		"old, with origin null":               {with(oldSafari, header{"Origin": "null"}), false, guard.Sender{}, 0},
		"an app":                              {with(inAnApp, nil), false, guard.Sender{}, 0},
		"a text browser":                      {with("Lynx/2.9.2 libwww-FM/2.14", nil), false, guard.Sender{}, 0},
		"no language":                         {with(newChrome, header{"Sec-Fetch-Site": "same-origin", "Accept-Language": ""}), false, guard.Sender{Flaws: 1, NamesPage: true}, 2},
		"a browser's name only":               {header{"User-Agent": oldChrome}, false, guard.Sender{Flaws: 2}, 4},
		"a new browser's name only":           {header{"User-Agent": newChrome, "Accept": "*/*"}, false, guard.Sender{Flaws: 3}, 4},
		"headless":                            {with(headless, here), false, guard.Sender{Program: true, NamesPage: true}, 2},
		"a library":                           {header{"User-Agent": "python-requests/2.32.3", "Accept": "*/*"}, false, guard.Sender{Program: true}, 2},
		"nothing":                             {nil, false, guard.Sender{Program: true}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "http://www.example.com/enquire", nil)
			for name, value := range test.header {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			if !test.inClear {
				r.TLS = new(tls.ConnectionState)
			}
			got := guard.SenderOf(r)
			if got != test.want || got.Signals().Score() != test.score {
				t.Errorf("%+v with a score of %d, want %+v with %d", got, got.Signals().Score(), test.want, test.score)
			}
		})
	}
}
