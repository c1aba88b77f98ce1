package guard_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/guard"
)

func TestInputSignals(t *testing.T) {
	for name, test := range map[string]struct {
		text, name string
		want       guard.Verdict
	}{
		"plain":                 {"Please call me about a rooftop system.", "Meera Iyer", guard.Welcome},
		"one link":              {"Like the one on https://www.example.com/rooftop", "Meera Iyer", guard.Welcome},
		"three listings":        {"https://a.example/1 https://b.example/2 http://www.c.example/3", "Meera Iyer", guard.Welcome},
		"five links":            {strings.Repeat("https://www.example.com/flat ", 5), "", guard.Welcome},
		"six links":             {strings.Repeat("www.example.com/buy ", 6), "", guard.Doubtful},
		"forum markup":          {"[url=https://example.com]cheap[/url]", "", guard.Doubtful},
		"forum markup in words": {"[URL] http://example.com [/URL]", "", guard.Doubtful},
		"link markup":           {`[link="www.example.com"]cheap[/link]`, "", guard.Doubtful},
		"web markup":            {`<a class="x" href="https://example.com">cheap</a>`, "", guard.Doubtful},
		"markup and links":      {strings.Repeat(`<a href="https://example.com/a">x</a> `, 6), "", guard.Unwanted},
		"a link in the name":    {"Hello", "Win now https://example.com", guard.Doubtful},
		"all":                   {strings.Repeat("https://a.example ", 6), "www.example.com", guard.Unwanted},
		"the word url":          {"My page is [url], see the link", "Anna Wwwedel", guard.Welcome},
		"words about HTML":      {"We need the href attribute of <a> explained", "Ravi <ravi>", guard.Welcome},
		"an offer":              {"We offer SEO, casino and crypto loans, first page of Google", "Viagra", guard.Welcome},
		"letters at random":     {"QzTkWpLmRvXs", "hGfDsAqWeRtY", guard.Welcome},
		"nothing":               {"", "", guard.Welcome},
	} {
		t.Run(name, func(t *testing.T) {
			opinion := slices.Concat(
				guard.Input{Name: "message", Value: test.text}.Signals(),
				guard.Input{Name: "name", Value: test.name, IsName: true}.Signals())
			if opinion.Verdict() != test.want {
				t.Errorf("verdict %d (%d: %s), want %d", opinion.Verdict(), opinion.Score(), opinion.Reasons(), test.want)
			}
			if strings.Contains(opinion.Reasons(), "example") {
				t.Errorf("the reasons quote the visitor: %s", opinion.Reasons())
			}
		})
	}
}

func TestConstants(t *testing.T) {
	consent := guard.Input{Name: "consent", Value: `I agree to the <a href="/privacy">policy</a>`}
	other := guard.Input{Name: "message", Value: `<a href="https://example.com">buy</a>`}
	address := func(network int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, byte(network), 7}) }
	type post struct {
		network int
		inputs  []guard.Input
		typed   int // number of inputs that count
	}
	both, none := []guard.Input{consent, other}, []guard.Input(nil)
	for name, posts := range map[string][]post{
		"shared by all": {
			{1, both[:1], 1},
			{2, both[:1], 1},
			{3, both[:1], 0},
			{4, both[:1], 0},
			{5, both, 1},
		},
		"shared by most": {
			{1, none, 0},
			{2, both[:1], 1},
			{3, both[:1], 1},
			{4, both[:1], 0},
			{5, none, 0},
			{6, none, 0},
			{7, both[:1], 0},
		},
		"sent again and again from one network": {
			{1, both[1:], 1},
			{1, both[1:], 1},
			{1, both[1:], 1},
			{1, both[1:], 1},
		},
		"shared by a few of many": {
			{1, none, 0},
			{2, none, 0},
			{3, none, 0},
			{4, none, 0},
			{5, both[1:], 1},
			{6, both[1:], 1},
			{7, both[1:], 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			constants := new(guard.Constants)
			for n, post := range posts {
				if typed := constants.Without(address(post.network), post.inputs); len(typed) != post.typed {
					t.Errorf("post %d: %d inputs count, want %d", n+1, len(typed), post.typed)
				}
			}
		})
	}
}

// A value that was a constant counts again when posts no longer share it.
func TestConstantsAreForgotten(t *testing.T) {
	constants := new(guard.Constants)
	see := func(network int, inputs ...guard.Input) int {
		return len(constants.Without(netip.AddrFrom4([4]byte{198, 51, byte(network), 7}), inputs))
	}
	old := guard.Input{Name: "campaign", Value: "[url=https://example.com/spring]"}
	for n := range 5 {
		see(n, old)
	}
	if see(5, old) != 0 {
		t.Fatal("a value of all posts counts")
	}
	for n := range 16 {
		see(10+n, guard.Input{Name: "campaign", Value: fmt.Sprintf("[url=https://example.com/%d]", n)})
	}
	if see(30, old) != 1 {
		t.Error("a value of no recent post does not count")
	}
}

// Inputs beyond the limit count as typed.
func TestConstantsOfManyInputs(t *testing.T) {
	constants := new(guard.Constants)
	inputs := make([]guard.Input, 100)
	for n := range inputs {
		inputs[n] = guard.Input{Name: fmt.Sprint("i", n), Value: "[url=https://example.com]"}
	}
	for n := range 5 {
		if typed := constants.Without(netip.AddrFrom4([4]byte{198, 51, byte(n), 7}), inputs); len(typed) < len(inputs)-32 {
			t.Fatalf("%d inputs count", len(typed))
		}
	}
}
