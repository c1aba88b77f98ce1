package guard

import (
	"crypto/sha256"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// From how many links on a text looks like an advertisement. People send one
// or two, such as their own site and what they saw on yours: each advertisement
// has one as well, so even those weigh something.
const (
	manyLinks     = 3
	veryManyLinks = 6
)

// What texts weigh. One that stays below [Doubt] by two is no more than a
// coincidence, of which it takes three to ask a person anything.
const (
	weightLink      = 1
	weightShortened = 2
	weightSame      = 2
	weightMarkup    = 6
	weightVeryMany  = 8
)

var (
	link   = regexp.MustCompile(`(?i)\b(?:https?://(?:www\.)?|www\.)([\pL\pN.-]*)|\b(t\.me|bit\.ly)/`)
	markup = regexp.MustCompile(`(?i)\[(?:url|link)\b|<a\s|\bhref\s*=`)

	// shortened finds links that do not say where they lead. What maps and
	// messengers have for people to share is not among them.
	shortened = regexp.MustCompile(`(?i)\b(?:bit\.ly|tinyurl\.com|cutt\.ly|is\.gd|v\.gd|rb\.gy|ow\.ly|t\.ly|shorturl\.at|rebrand\.ly|tiny\.cc|s\.id|shrtco\.de|clck\.ru|vk\.cc|t\.cn|u\.to|bl\.ink)/\w`)
)

// Texts returns what speaks for junk in the texts that a visitor wrote, or
// that their page sends along, on a site whose host is host. Those in names
// answer a question that no link answers, such as a name or a city.
func Texts(texts, names []string, host string) Opinion {
	var found Opinion
	texts, names = bounded(texts), bounded(names)
	all := slices.Concat(texts, names)
	links, marked, short := 0, false, false
	for _, text := range all {
		links += countLinks(text, host)
		marked = marked || markup.MatchString(text)
		short = short || strings.Contains(text, "/") && shortened.MatchString(text)
	}
	switch {
	case links >= veryManyLinks:
		found = append(found, Signal{"very many links", weightVeryMany})
	case links >= manyLinks:
		found = append(found, Signal{"many links", Doubt})
	case short:
		found = append(found, Signal{"a link that hides where it leads", weightShortened})
	case links > 0:
		found = append(found, Signal{"a link", weightLink})
	}
	if marked {
		found = append(found, Signal{"links in the markup of forums or web pages", weightMarkup})
	}
	if slices.ContainsFunc(names, func(name string) bool { return countLinks(name, host) > 0 }) {
		found = append(found, Signal{"a link for a name", Doubt})
	}
	if isRepeated(all) {
		found = append(found, Signal{"the same in many inputs", weightSame})
	}
	return slices.Concat(found, offers(strings.Join(all, "\n"), links > 0 || short), randomLetters(texts, names))
}

// mostText is how much is looked at of all texts together, in bytes: ten times
// what people write, and little work.
const mostText = 16 << 10

// bounded returns the texts without what is too much of them.
func bounded(texts []string) []string {
	left := mostText
	list := make([]string, 0, len(texts))
	for _, text := range texts {
		text = ends(text)
		if left -= len(text); left < 0 {
			break
		}
		list = append(list, text)
	}
	return list
}

// countLinks counts the links of a text but for those to the site itself,
// which its own pages send along: the page that the visitor is on, and the one
// on which they came. It stops counting when there are very many.
func countLinks(text, host string) int {
	host = strings.TrimPrefix(strings.ToLower(host), "www.")
	n := 0
	for _, found := range link.FindAllStringSubmatch(text, 4*veryManyLinks) {
		if host == "" || !strings.EqualFold(found[1], host) {
			n++
		}
	}
	return n
}

// What is the same in so many inputs answers none of them. People do write
// short things, such as "none", wherever they must write something.
const (
	sameInputs = 3
	sameLength = 6
)

func isRepeated(texts []string) bool {
	times := make(map[string]int, len(texts))
	for _, text := range texts {
		text = strings.ToLower(strings.TrimSpace(text))
		if utf8.RuneCountInString(text) < sameLength {
			continue
		}
		if times[text]++; times[text] == sameInputs {
			return true
		}
	}
	return false
}

// What a [Crowd] counts within an hour.
const (
	crowdWindow = time.Hour
	mostTexts   = 1 << 13
	mostNets    = 1 << 14
	// fewNets are as many networks as may send the same text by chance, and
	// manyPosts as many posts as come from one network, such as that of an
	// office or a mobile provider, without anybody wondering.
	fewNets   = 3
	manyPosts = 30
	// weightManyPosts is small: behind one network there may be a whole
	// mobile provider, or the program of a partner, which sends its leads by
	// the hundred and would never press send again.
	weightManyPosts = 1
	// shortestText is the length, in characters, from which a text is nobody
	// else's. "Please call me back" is everybody's.
	shortestText = 40
)

// Crowd looks at the posts of one form together: the same text from many
// networks, and many posts from one network. Its memory is bounded, and holds
// no text. It is safe for concurrent use.
type Crowd struct {
	now func() time.Time

	mu    sync.Mutex
	texts *recent[[16]byte, []netip.Prefix]
	nets  *recent[netip.Prefix, int]
}

// NewCrowd returns a Crowd; now tells the time.
func NewCrowd(now func() time.Time) *Crowd {
	return &Crowd{
		now:   now,
		texts: newRecent[[16]byte, []netip.Prefix](crowdWindow, mostTexts),
		nets:  newRecent[netip.Prefix, int](crowdWindow, mostNets),
	}
}

// See counts a post and returns what speaks for junk in it. Neither sign is
// enough by itself: a form may come with a text in it that many send as it
// is, and many people may share one address.
func (c *Crowd) See(addr netip.Addr, texts []string) Opinion {
	network := networkOf(addr)
	if !network.IsValid() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	var found Opinion
	posts, _ := c.nets.get(network, now)
	posts++
	c.nets.put(network, posts, now)
	if posts > manyPosts {
		found = append(found, Signal{"many posts from one network", weightManyPosts})
	}
	if key, ok := keyOf(texts); ok && c.senders(key, network, now) > fewNets {
		found = append(found, Signal{"the same text from many networks", 4})
	}
	return found
}

// senders counts the networks that sent the text, up to one more than few.
func (c *Crowd) senders(key [16]byte, network netip.Prefix, now time.Time) int {
	known, _ := c.texts.get(key, now)
	if slices.Contains(known, network) {
		return len(known)
	}
	if len(known) <= fewNets {
		known = append(known, network)
	}
	c.texts.put(key, known, now)
	return len(known)
}

// keyOf stands for the longest of the texts, whatever its case, spacing and
// numbers; false if all are short.
func keyOf(texts []string) (key [16]byte, ok bool) {
	longest := ""
	for _, text := range texts {
		text = strings.Map(func(r rune) rune {
			if !unicode.IsLetter(r) {
				return -1
			}
			return unicode.ToLower(r)
		}, text)
		if len(text) > len(longest) {
			longest = text
		}
	}
	if utf8.RuneCountInString(longest) < shortestText {
		return key, false
	}
	sum := sha256.Sum256([]byte(longest))
	return [16]byte(sum[:16]), true
}
