package page

import (
	"iter"
	"slices"
	"strings"
)

// inlineStyle reports whether all policies (https://www.w3.org/TR/CSP3/) allow a style element in
// the page, and the nonce that it needs. The nonce must be in a header, because a stored page does
// not have one.
func inlineStyle(headers, metas []string) (nonce string, allowed bool) {
	policies := slices.Concat(headers, metas)
	candidates := []string{""}
	for policy := range eachPolicy(headers) {
		for _, source := range sourcesOf(policy, "style-src-elem", "style-src", "default-src") {
			if found, ok := strings.CutPrefix(source, "'nonce-"); ok {
				candidates = append(candidates, strings.TrimSuffix(found, "'"))
			}
		}
	}
	for _, candidate := range candidates {
		fits := true
		for policy := range eachPolicy(policies) {
			fits = fits && allowsStyle(policy, candidate)
		}
		if fits {
			return candidate, true
		}
	}
	return "", false
}

// eachPolicy iterates over the policies. A header may contain several.
func eachPolicy(headers []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, header := range headers {
			for policy := range strings.SplitSeq(header, ",") {
				if !yield(policy) {
					return
				}
			}
		}
	}
}

// allowsStyle reports whether the policy allows a style element with the nonce.
func allowsStyle(policy, nonce string) bool {
	return allowsInline(sourcesOf(policy, "style-src-elem", "style-src", "default-src"), nonce)
}

// styleAttribute reports whether all policies allow style attributes.
func styleAttribute(policies []string) bool {
	for policy := range eachPolicy(policies) {
		if !allowsInline(sourcesOf(policy, "style-src-attr", "style-src", "default-src"), "") {
			return false
		}
	}
	return true
}

// allowsInline reports whether the sources allow an inline style with the nonce. A nonce or a hash
// disables 'unsafe-inline'. Without sources everything is allowed.
func allowsInline(sources []string, nonce string) bool {
	if sources == nil || nonce != "" && slices.Contains(sources, "'nonce-"+nonce+"'") {
		return true
	}
	strict := slices.ContainsFunc(sources, func(source string) bool {
		source = strings.ToLower(source)
		return strings.HasPrefix(source, "'nonce-") || strings.HasPrefix(source, "'sha")
	})
	return !strict && slices.ContainsFunc(sources, func(source string) bool { return strings.EqualFold(source, "'unsafe-inline'") })
}

// allowsBase reports whether all policies allow a base on the page's own site.
func allowsBase(policies []string) bool {
	for policy := range eachPolicy(policies) {
		sources := sourcesOf(policy, "base-uri")
		if sources != nil && !slices.ContainsFunc(sources, func(source string) bool { return strings.EqualFold(source, "'self'") || source == "*" }) {
			return false
		}
	}
	return true
}

// sourcesOf returns the sources of the first directive that the policy has, or nil.
func sourcesOf(policy string, directives ...string) []string {
	for _, directive := range directives {
		for part := range strings.SplitSeq(policy, ";") {
			words := strings.Fields(part)
			if len(words) > 0 && strings.EqualFold(words[0], directive) {
				return words[1:]
			}
		}
	}
	return nil
}
