package guard_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/guard"
)

func TestTexts(t *testing.T) {
	for name, test := range map[string]struct {
		text, name string
		want       guard.Verdict
	}{
		"plain":             {"Please call me about a rooftop system.", "Meera Iyer", guard.Welcome},
		"one link":          {"Like the one on https://www.example.com/rooftop", "Meera Iyer", guard.Welcome},
		"two links":         {"https://example.com/a or www.example.org/b", "Meera Iyer", guard.Welcome},
		"three links":       {"https://example.com/a http://example.org www.example.net", "", guard.Doubtful},
		"twenty links":      {strings.Repeat("https://example.com/buy ", 20), "", guard.Doubtful},
		"forum markup":      {"[url=https://example.com]cheap[/url]", "", guard.Doubtful},
		"web markup":        {`<a href="https://example.com">cheap</a>`, "", guard.Doubtful},
		"markup and links":  {`<a href="https://example.com/a">x</a> https://example.com/b https://example.com/c`, "", guard.Unwanted},
		"a link for a name": {"Hello", "Win now https://example.com", guard.Doubtful},
		"both":              {"https://a.example https://b.example https://c.example", "www.example.com", guard.Unwanted},
		"talk of the web":   {"We are awwww.some and need href attributes explained", "Anna Wwwedel", guard.Welcome},
		"prices":            {"Is it < a lakh? [urgent] at 5:30", "Ravi", guard.Welcome},
		"nothing":           {"", "", guard.Welcome},
	} {
		t.Run(name, func(t *testing.T) {
			opinion := guard.Texts([]string{test.text}, []string{test.name}, "shop.example")
			if opinion.Verdict() != test.want {
				t.Errorf("verdict %d (%d: %s), want %d", opinion.Verdict(), opinion.Score(), opinion.Reasons(), test.want)
			}
			if strings.Contains(opinion.Reasons(), "example") {
				t.Errorf("the reasons quote the visitor: %s", opinion.Reasons())
			}
		})
	}
}

// What a page sends along about itself is no link.
func TestLinksToTheSiteItself(t *testing.T) {
	page := []string{"https://www.shop.example/contact?utm_source=a", "http://shop.example/", "www.shop.example", "https://SHOP.example/lp"}
	for name, test := range map[string]struct {
		texts []string
		host  string
		score int
	}{
		"of its own":           {page, "www.shop.example", 0},
		"and one of another":   {append(page, "https://search.example/"), "shop.example", 1},
		"of another":           {page, "www.example.com", guard.Doubt},
		"of one that is alike": {[]string{"https://www.shop.example.org/"}, "shop.example", 1},
	} {
		if opinion := guard.Texts(test.texts, nil, test.host); opinion.Score() != test.score {
			t.Errorf("%s: score %d, want %d: %s", name, opinion.Score(), test.score, opinion.Reasons())
		}
	}
}

func TestLinksAndRepeats(t *testing.T) {
	for name, test := range map[string]struct {
		texts []string
		score int
	}{
		"a link":                       {[]string{"https://bakery.example"}, 1},
		"a map":                        {[]string{"https://maps.app.goo.gl/AbCdEf"}, 1},
		"a shortened link":             {[]string{"see https://tinyurl.com/abc"}, 2},
		"a shortened one without http": {[]string{"bit.ly/abc"}, 2},
		"the same three times":         {[]string{"Widgets", "widgets ", "WIDGETS"}, 2},
		"the same twice":               {[]string{"Sharma Electricals", "Sharma Electricals"}, 0},
		"something short three times":  {[]string{"none", "none", "none"}, 0},
	} {
		if opinion := guard.Texts(test.texts, nil, "www.example.com"); opinion.Score() != test.score {
			t.Errorf("%s: score %d, want %d: %s", name, opinion.Score(), test.score, opinion.Reasons())
		}
	}
}

const advert = "We offer the very best ranking in all search engines for a fair price"

func TestSameTextFromManyNetworks(t *testing.T) {
	crowd := guard.NewCrowd(newClock().now)
	for n := range 6 {
		addr := netip.AddrFrom4([4]byte{198, 51, byte(100 + n), 7})
		opinion := crowd.See(addr, []string{fmt.Sprintf("%s! %d", strings.ToUpper(advert), n), "short"})
		if seen := strings.Contains(opinion.Reasons(), "same text"); seen != (n >= 3) {
			t.Errorf("post %d: %s", n+1, opinion.Reasons())
		}
		if opinion.Verdict() != guard.Welcome {
			t.Errorf("post %d: it is enough by itself", n+1)
		}
	}
	for n := range 6 {
		addr := netip.AddrFrom4([4]byte{198, 51, byte(100 + n), 7})
		if opinion := crowd.See(addr, []string{"Please call me back"}); len(opinion) > 0 {
			t.Errorf("a short text: %s", opinion.Reasons())
		}
	}
}

func TestSameTextFromOneNetwork(t *testing.T) {
	crowd := guard.NewCrowd(newClock().now)
	for n := range 20 {
		if opinion := crowd.See(netip.AddrFrom4([4]byte{198, 51, 100, byte(n)}), []string{advert}); len(opinion) > 0 {
			t.Errorf("post %d: %s", n+1, opinion.Reasons())
		}
	}
}

func TestManyPostsFromOneNetwork(t *testing.T) {
	c := newClock()
	crowd := guard.NewCrowd(c.now)
	see := func(n int) int {
		return crowd.See(netip.AddrFrom4([4]byte{198, 51, 100, byte(n)}), []string{fmt.Sprint("text ", n)}).Score()
	}
	var scores []int
	for n := range 200 {
		scores = append(scores, see(n))
	}
	if scores[29] != 0 || scores[30] == 0 || scores[199] != scores[30] {
		t.Errorf("scores %v", scores)
	}
	c.at = c.at.Add(2 * time.Hour)
	if score := see(1); score != 0 {
		t.Errorf("two hours later: score %d", score)
	}
	if opinion := crowd.See(netip.Addr{}, []string{advert}); len(opinion) > 0 {
		t.Errorf("of an unknown address: %s", opinion.Reasons())
	}
}

// elsewhere is one of many addresses, each in another network.
func elsewhere(n uint32) netip.Addr {
	ip := [16]byte{0x20}
	binary.BigEndian.PutUint32(ip[1:], n)
	return netip.AddrFrom16(ip)
}

func TestCrowdIsBounded(t *testing.T) {
	crowd := guard.NewCrowd(newClock().now)
	before := allocated()
	for n := range uint32(300_000) {
		crowd.See(elsewhere(n), []string{advert + strings.Repeat("x", int(n%1000)) + strings.Repeat("y", int(n/1000))})
	}
	if used := allocated() - before; used > 32<<20 {
		t.Errorf("it takes %d MiB", used>>20)
	}
	if crowd.See(elsewhere(1), nil).Score() != 0 {
		t.Error("a fresh network is busy")
	}
}

func TestTrapsThatBrowsersFillIn(t *testing.T) {
	for _, input := range []string{"website", "url", "email2", "your_name", "Phone", "address2", "company", "zip", "fax"} {
		if !guard.IsFilledByBrowsers(input) {
			t.Errorf("%s passes", input)
		}
	}
	for _, input := range []string{"_gotcha", "bot-field", "botcheck", "_honey", "leave_empty", "hp7"} {
		if guard.IsFilledByBrowsers(input) {
			t.Errorf("%s is warned about", input)
		}
	}
}

// BenchmarkTexts looks at a short post, and at as much text as a form takes.
func BenchmarkTexts(b *testing.B) {
	const sentence = "We can bring your website to the first page, see https://a.example for a free offer of ours. "
	for name, texts := range map[string][]string{
		"short": {"Please call me about a rooftop system for my house in Mysuru."},
		"long":  {strings.Repeat(sentence, 64<<10/len(sentence))},
		"many":  slices.Repeat([]string{strings.Repeat(sentence, 6)}, 100),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				guard.Texts(texts, []string{"Meera Iyer"}, "www.example.com")
			}
		})
	}
}
