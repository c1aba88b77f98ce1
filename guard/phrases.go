package guard

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// phrases are expressions that a text may hold, in small letters. A text is
// only matched with those of which it holds some letters, so that hundreds of
// them take no longer than it does to look for words.
type phrases []phrase

type phrase struct {
	expression *regexp.Regexp
	needs      []string // one of these is in all that it matches; empty: nothing is known
}

// compileAll compiles lists of phrases, each the alternatives of an expression
// in small letters.
func compileAll(expressions ...string) []phrases {
	lists := make([]phrases, 0, len(expressions))
	for _, expression := range expressions {
		found := alternatives(expression)
		list := make(phrases, 0, len(found))
		for _, alternative := range found {
			compiled := regexp.MustCompile(alternative)
			parsed, _ := syntax.Parse(alternative, syntax.Perl) // what compiles can be parsed
			list = append(list, phrase{compiled, needs(parsed)})
		}
		lists = append(lists, list)
	}
	return lists
}

// alternatives splits an expression at the bars that are in no group.
func alternatives(expression string) []string {
	var list []string
	depth, from := 0, 0
	for i := 0; i < len(expression); i++ {
		switch expression[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			depth--
		case '|':
			if depth == 0 {
				list, from = append(list, expression[from:i]), i+1
			}
		}
	}
	return append(list, expression[from:])
}

// needs returns texts of which each match of the expression holds one; none if
// that cannot be said.
func needs(e *syntax.Regexp) []string {
	switch e.Op { //nolint:exhaustive // nothing can be said of all others
	case syntax.OpLiteral:
		return []string{string(e.Rune)}
	case syntax.OpCapture, syntax.OpPlus:
		return needs(e.Sub[0])
	case syntax.OpConcat:
		var best []string
		for _, sub := range e.Sub {
			if found := needs(sub); len(found) > 0 && shortest(found) > shortest(best) {
				best = found
			}
		}
		return best
	case syntax.OpAlternate:
		var all []string
		for _, sub := range e.Sub {
			found := needs(sub)
			if len(found) == 0 {
				return nil
			}
			all = append(all, found...)
		}
		return all
	}
	return nil
}

func shortest(texts []string) int {
	if len(texts) == 0 {
		return 0
	}
	return len(slices.MinFunc(texts, func(a, b string) int { return len(a) - len(b) }))
}

// in reports whether one of the phrases is in the text.
func (p phrases) in(text string) bool {
	return slices.ContainsFunc(p, func(phrase phrase) bool {
		isThere := func(part string) bool { return strings.Contains(text, part) }
		return (len(phrase.needs) == 0 || slices.ContainsFunc(phrase.needs, isThere)) && phrase.expression.MatchString(text)
	})
}

// mostOfEnd is how many bytes at each end of a text are looked at. Whoever has
// something to offer says so at the beginning, or at the end.
const mostOfEnd = 2 << 10

// ends returns the text, or its two ends if it is long.
func ends(text string) string {
	if len(text) <= 2*mostOfEnd {
		return text
	}
	first, last := mostOfEnd, len(text)-mostOfEnd
	for !utf8.RuneStart(text[first]) {
		first--
	}
	for !utf8.RuneStart(text[last]) {
		last++
	}
	return text[:first] + "\n" + text[last:]
}
