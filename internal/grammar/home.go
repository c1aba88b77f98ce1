package grammar

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/internal/suggest"
)

// homes maps words to the block that they belong in.
var homes = byWord(map[string]string{
	"the global option telecrm":                       "outbox retry_for keep check",
	"the global option telecrm, or in a form's block": "account",
	"an account, or in a form's block": "token async_token enterprise_id base_url async_base_url identifier " +
		"country time_zone date_order crm_rate timeout",
	"a form's block": "form field set action unmapped attribution on_duplicate deliver thank_you errors form_page " +
		"fallback honeypot rate_limit origins dedupe protect messages max_body challenge",
	"the block of a field":    "required label options blank pattern min max default",
	"the block of challenge":  "path complexity expires secret host score verify_url fail",
	"the block of rate_limit": "except",
})

func byWord(wordsOf map[string]string) map[string]string {
	homes := make(map[string]string)
	for home, words := range wordsOf {
		for word := range strings.FieldsSeq(words) {
			homes[word] = home
		}
	}
	return homes
}

// unknown returns the error about a word that is not one of the known words. If the word is, or is
// most like, one of another block, the error names that block.
func unknown(name string, known []string) error {
	if home := homes[name]; home != "" {
		return fmt.Errorf("unknown word %q; it belongs in %s", name, home)
	}
	all := slices.AppendSeq(slices.Clone(known), maps.Keys(homes))
	if word := suggest.Only(name, suggest.Words(all...)); word != "" && !slices.Contains(known, word) {
		return fmt.Errorf("unknown word %q; did you mean %s? it belongs in %s; known words are: %s",
			name, word, homes[word], strings.Join(known, ", "))
	}
	return suggest.Unknown("word", name, known...)
}
