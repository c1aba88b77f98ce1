package guard_test

import (
	"testing"

	"github.com/leadwire/caddy-telecrm/guard"
)

// Strangers who offer something are told from the customers of those who sell
// the same, and the latter are never doubted.
func TestOffers(t *testing.T) {
	const none, trade, offer = 0, 2, 4
	for name, test := range map[string]struct {
		text  string
		score int
	}{
		"nothing of the kind":         {"Please call me about a rooftop system.", none},
		"the way without a trade":     {"We offer our hall for weddings. Are you interested in renting it?", none},
		"a customer of an agency":     {"What does SEO cost a month, with backlinks?", trade},
		"one with a link":             {"Our site https://jain.example is not on the first page of Google. Do you offer SEO?", trade + 1},
		"one in Russian, with a link": {"Нам нужно продвижение сайта https://jain.example", trade + 1},
		"one in Spanish, with a link": {"Necesito posicionamiento web para https://jain.example", trade + 1},
		"a borrower":                  {"I have bad credit. Do you lend?", trade},
		"a borrower, in Chinese":      {"我想了解贷款", trade},
		"a borrower, in Hindi":        {"मुझे लोन चाहिए", none},
		"an offer":                    {"We can put you on the first page of Google", offer},
		"an offer in a link":          {"Backlinks: https://links.example", offer + 1},
		"an offer in Russian":         {"Предлагаем продвижение сайтов", offer},
		"an offer in Chinese":         {"我们提供谷歌外链", offer},
		"an offer in Hindi":           {"हम आपकी साइट को गूगल के पहले पेज पर लाएंगे", offer},
		"an offer in Portuguese":      {"Oferecemos backlinks", offer},
		"two trades":                  {"casino bitcoin", offer},
		"one trade in many words":     {"casino poker jackpot free spins", trade},
	} {
		t.Run(name, func(t *testing.T) {
			opinion := guard.Texts([]string{test.text}, nil, "")
			if opinion.Score() != test.score {
				t.Errorf("score %d, want %d: %s", opinion.Score(), test.score, opinion.Reasons())
			}
		})
	}
}
