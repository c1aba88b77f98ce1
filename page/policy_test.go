package page_test

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/page"
)

// directives splits a Content-Security-Policy into its directives.
func directives(t *testing.T, policy string) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	for directive := range strings.SplitSeq(policy, ";") {
		words := strings.Fields(directive)
		if len(words) < 2 || found[words[0]] != nil {
			t.Fatalf("the policy %q has an empty directive %q", policy, directive)
		}
		found[words[0]] = words[1:]
	}
	return found
}

func TestPolicyAllowsOnlyTheStyle(t *testing.T) {
	policy := directives(t, page.BuiltinPolicy())
	for _, directive := range []string{"default-src", "base-uri"} {
		if !slices.Equal(policy[directive], []string{"'none'"}) {
			t.Errorf("%s is %q", directive, policy[directive])
		}
	}
	// A form-action would also block the redirect to a thank-you page on another site
	// (https://www.w3.org/TR/CSP3/#directive-form-action).
	if len(policy) != 3 || len(policy["style-src"]) != 1 {
		t.Errorf("the policy is %q", policy)
	}
	eachPage(t, func(t *testing.T, _ page.Builtin, doc document) {
		// Browsers hash the element's text as parsed, which differs from the source if that has
		// CRLF (https://www.w3.org/TR/CSP3/#match-element-to-source-list).
		style := content(only(t, doc.root, "style"))
		sum := sha256.Sum256([]byte(style))
		if want := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; policy["style-src"][0] != want {
			t.Errorf("the policy allows the style %s, the page has %s", policy["style-src"][0], want)
		}
		if !strings.Contains(doc.source, "<style>"+style+"</style>") {
			t.Error("the parsed style differs from the written one")
		}
	})
}
