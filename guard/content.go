package guard

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// manyLinks is the number of links in one field that looks like spam. People send up to a handful:
// a flat on three portals, their own site, a map.
const manyLinks = 6

// Weights of typed text. Each one makes a post suspected spam. Two make it spam.
const (
	weightLinks    = Doubt
	weightMarkup   = Doubt
	weightNameLink = Doubt
)

// markup matches a link in the markup of forums ([url=…], [url]…[/url], [link=…]) or of web pages.
// The bare word does not count: people write "[url]" where they forgot to paste one.
var markup = regexp.MustCompile(`(?i)\[(?:url|link)(?:=|\])\s*["']?(?:https?://|www\.)|<a\s[^>]*\bhref\s*=`)

// Input is one value that was posted for an input of a form.
type Input struct {
	Name, Value string
	// IsName means that the input asks for the visitor's name.
	IsName bool
}

// Signals returns the spam signals of the value, assuming that the sender typed it.
func (i Input) Signals() Opinion {
	var found Opinion
	links := countLinks(i.Value)
	if links >= manyLinks {
		found = append(found, Signal{"more than five links in one field", weightLinks})
	}
	if strings.ContainsAny(i.Value, "[<") && markup.MatchString(i.Value) {
		found = append(found, Signal{"a link in the markup of forums or web pages", weightMarkup})
	}
	if i.IsName && links > 0 {
		found = append(found, Signal{"a link in the name", weightNameLink})
	}
	return found
}

// countLinks counts addresses that begin with a scheme or with www.
func countLinks(text string) int {
	text = strings.ToLower(text)
	return strings.Count(text, "http://") + strings.Count(text, "https://") +
		strings.Count(text, "www.") - strings.Count(text, "://www.")
}

// Limits of a [Constants].
const (
	recentPosts = 16 // posts to compare
	fewestPosts = 3  // posts that must share a value
	mostValues  = 32 // values kept of one post
)

// Constants recognizes values that a page sends by itself: its address, a consent sentence, the
// campaign. A value is a constant if most recent posts of the form have it, counting each network
// once. Constants keeps hashes, not text. It is safe for concurrent use.
type Constants struct {
	mu    sync.Mutex
	posts []rememberedPost // oldest first
}

// rememberedPost is the latest post of one network.
type rememberedPost struct {
	network netip.Prefix
	values  []Fingerprint
}

// Without counts a post from addr and returns its inputs that are not constants. The inputs are
// those whose values have [Input.Signals]. Call it for every post, even if inputs is empty.
func (c *Constants) Without(addr netip.Addr, inputs []Input) []Input {
	post := rememberedPost{network: NetworkOf(addr)}
	for _, input := range inputs[:min(len(inputs), mostValues)] {
		post.values = append(post.values, FingerprintOf(input.Name, input.Value))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remember(post)
	var typed []Input
	for n, input := range inputs {
		if n >= mostValues || !c.has(post.values[n]) {
			typed = append(typed, input)
		}
	}
	return typed
}

// remember adds the post and drops an earlier one from the same network. All senders without a
// known address count as one network.
func (c *Constants) remember(post rememberedPost) {
	c.posts = slices.DeleteFunc(c.posts, func(p rememberedPost) bool { return p.network == post.network })
	if len(c.posts) == recentPosts {
		c.posts = slices.Delete(c.posts, 0, 1)
	}
	c.posts = append(c.posts, post)
}

// has reports whether most recent posts have the value.
func (c *Constants) has(value Fingerprint) bool {
	posts := 0
	for _, post := range c.posts {
		if slices.Contains(post.values, value) {
			posts++
		}
	}
	return posts >= fewestPosts && 2*posts > len(c.posts)
}
