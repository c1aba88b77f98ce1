package attribution

import (
	_ "embed" // the table of channels
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"golang.org/x/net/publicsuffix"
)

// Channels that no rule of the table names.
const (
	channelDirect     = "Direct"
	channelReferral   = "Referral"
	channelUnassigned = "Unassigned"
)

//go:embed channels.json
var channelsFile []byte

// channels returns the table of channels. The first rule that matches names the channel.
var channels = sync.OnceValue(func() *channelTable {
	table, err := readChannels(channelsFile)
	if err != nil {
		panic(err) // the file is a part of the program, and a test reads it
	}
	return table
})

// channelTable names the channels as Google Analytics 4 does in its default channel group.
type channelTable struct {
	Version string              `json:"version"`
	Source  string              `json:"source"` // the address of the definitions
	Clicks  map[string]origin   `json:"clicks"` // by the parameter with the click's id
	Rules   []channelRule       `json:"rules"`
	Sites   map[string][]string `json:"sites"` // by category

	categories map[string]string // by site
}

// origin is a touch as the rules see it, in lower case.
type origin struct {
	Source   string `json:"source"`
	Medium   string `json:"medium"`
	Campaign string `json:"-"`
}

type channelRule struct {
	Channel string      `json:"channel"`
	Any     []condition `json:"any"`
}

// condition is met if each of its parts that is given is met.
type condition struct {
	Site     string   `json:"site"` // the category of the source
	Source   *pattern `json:"source"`
	Medium   *pattern `json:"medium"`
	Campaign *pattern `json:"campaign"`
}

// pattern is a regular expression.
type pattern struct{ *regexp.Regexp }

// UnmarshalText compiles the expression.
func (p *pattern) UnmarshalText(text []byte) (err error) {
	p.Regexp, err = regexp.Compile(string(text))
	return err
}

func (p *pattern) matches(text string) bool { return p == nil || p.MatchString(text) }

func readChannels(file []byte) (*channelTable, error) {
	t := &channelTable{categories: make(map[string]string)}
	if err := json.Unmarshal(file, t); err != nil {
		return nil, fmt.Errorf("channels: %w", err)
	}
	for category, sites := range t.Sites {
		for _, site := range sites {
			if t.categories[site] != "" {
				return nil, fmt.Errorf("channels: %s is listed twice", site)
			}
			t.categories[site] = category
		}
	}
	return t, nil
}

// of returns the channel of an origin.
func (t *channelTable) of(o origin) string {
	category := t.category(o.Source)
	for _, rule := range t.Rules {
		for _, c := range rule.Any {
			if (c.Site == "" || c.Site == category) && c.Source.matches(o.Source) && c.Medium.matches(o.Medium) && c.Campaign.matches(o.Campaign) {
				return rule.Channel
			}
		}
	}
	return channelUnassigned
}

// category returns the category of a source, which is a site's host or a word such as google. It is
// empty for other sources.
func (t *channelTable) category(source string) string {
	for domain := source; domain != ""; _, domain, _ = strings.Cut(domain, ".") {
		if category := t.categories[domain]; category != "" && (domain == source || strings.Contains(domain, ".")) {
			return category
		}
	}
	return t.categories[brandOf(source)]
}

// brandOf returns the name that a site has in every country: google for www.google.co.in. Services
// of the same owner have longer subdomains, such as support.google.com, and are not the site.
func brandOf(host string) string {
	registered, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return ""
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(host, registered), ".") {
		if len(label) > longestFrontLabel && label != "search" && label != "images" {
			return ""
		}
	}
	brand, _, _ := strings.Cut(registered, ".")
	return brand
}

// longestFrontLabel is the length of www.
const longestFrontLabel = 3
