package fieldtype

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// turnsText reports whether a rune overrides or isolates the direction of the text around it. No
// name or sentence needs one: keyboards for right-to-left scripts have the marks U+200E and U+200F.
// An unclosed one reverses the text after the value on the screen.
func turnsText(r rune) bool { return r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 }

// isHidden reports whether a rune draws nothing and is not part of any word's spelling, so that
// names that look the same are the same. The joiners U+200C and U+200D are part of Persian and
// Malayalam words, and of some emoji. Longer texts may need U+200B: it marks line breaks in Khmer
// and Thai.
func isHidden(r rune) bool { return r == 0x200B || r == 0x2060 || r == 0xFEFF }

// cleanText trims s, converts line breaks to line feeds, and drops control characters, which
// databases choke on, and characters that change the text direction.
func cleanText(s string) (cleaned string, dropped bool) {
	if trimInvisible(s) == "" {
		return "", false
	}
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.Map(func(r rune) rune {
		switch r {
		case '\r', '\v', '\f', 0x0085:
			return '\n'
		case '\n', '\t':
			return r
		}
		if unicode.IsControl(r) || turnsText(r) {
			dropped = true
			return -1
		}
		return r
	}, s)
	return strings.TrimFunc(s, isEmptySpace), dropped
}

// oneLine is cleanText that also replaces every run of white space, line breaks included, with one
// space and drops hidden characters.
func oneLine(s string) (cleaned string, dropped bool) {
	s, dropped = cleanText(s)
	s = strings.Map(func(r rune) rune {
		if isHidden(r) {
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " "), dropped
}

// text converts one value of a type that is sent as a string.
func (r Rules) text(text string) (Value, *Error) {
	if len(r.Options) > 0 {
		label, ok := optionLabels(r.Options)[foldKey(text)]
		if !ok {
			return Value{}, r.fail(NotAnOption)
		}
		return Value{JSON: label}, r.fits(label)
	}
	ok := true
	switch r.Type {
	case Email, Assignee:
		text, ok = parseEmail(text)
	case Website:
		text, ok = parseURL(text, schemeOptional)
	case MediaLink:
		text, ok = parseURL(text, schemeRequired)
	case Text, Phone, Number, Date, Dropdown, Tags, Money, Rating, Status, LostReason:
	}
	if !ok {
		return Value{}, r.fail(typeCode(r.Type))
	}
	return Value{JSON: text}, r.fits(text)
}

// fits checks text against the pattern and the length bounds.
func (r Rules) fits(text string) *Error {
	if r.Pattern != nil && !matchesWhole(r.Pattern, text) {
		return r.fail(PatternMismatch)
	}
	return r.within(float64(utf8.RuneCountInString(text)), TooShort, TooLong)
}

// matchesWhole reports whether some match of the pattern spans the whole text. The longest of the
// leftmost matches does if any does. The match that Go prefers may stop early: "a|ab" prefers "a"
// in "ab".
func matchesWhole(pattern *regexp.Regexp, text string) bool {
	longest := *pattern
	longest.Longest()
	at := longest.FindStringIndex(text)
	return at != nil && at[0] == 0 && at[1] == len(text)
}

// joined converts every value of a text field and joins the distinct ones.
func (r Rules) joined(values []string) (Value, *Error) {
	if len(r.Options) > 0 {
		labels := optionLabels(r.Options)
		for i, v := range values {
			label, ok := labels[foldKey(v)]
			if !ok {
				return Value{}, r.fail(NotAnOption)
			}
			values[i] = label
		}
	}
	text := strings.Join(distinct(values, func(s string) string { return s }), ", ")
	if failure := r.fits(text); failure != nil {
		return Value{}, failure
	}
	return Value{JSON: text}, nil
}

func (r Rules) tags(values []string) (Value, *Error) {
	labels := optionLabels(r.Options)
	tags := make([]string, 0, len(values))
	for _, v := range values {
		if len(r.Options) > 0 {
			label, ok := labels[foldKey(v)]
			if !ok {
				return Value{}, r.fail(NotAnOption)
			}
			v = label
		}
		if r.Pattern != nil && !matchesWhole(r.Pattern, v) {
			return Value{}, r.fail(PatternMismatch)
		}
		tags = append(tags, v)
	}
	tags = distinct(tags, foldKey)
	if failure := r.within(float64(len(tags)), TooShort, TooLong); failure != nil {
		return Value{}, failure
	}
	return Value{JSON: tags}, nil
}

// distinct returns the values, keeping the first of each key.
func distinct(values []string, key func(string) string) []string {
	if len(values) < 2 {
		return values
	}
	seen := make(map[string]bool, len(values))
	return slices.DeleteFunc(slices.Clone(values), func(v string) bool {
		k := key(v)
		if seen[k] {
			return true
		}
		seen[k] = true
		return false
	})
}

// optionLabels maps the fold key of every option to its exact label.
func optionLabels(options []string) map[string]string {
	labels := make(map[string]string, len(options))
	for _, option := range options {
		if key := foldKey(option); labels[key] == "" {
			labels[key] = option
		}
	}
	return labels
}

// foldKey returns the same string for texts that differ only in case, in the sense of
// [strings.EqualFold], in the amount of white space, or in invisible characters.
func foldKey(s string) string {
	s = strings.Join(strings.Fields(dropIgnorable(trimInvisible(s))), " ")
	return strings.Map(func(r rune) rune {
		smallest := r
		for folded := unicode.SimpleFold(r); folded != r; folded = unicode.SimpleFold(folded) {
			smallest = min(smallest, folded)
		}
		return smallest
	}, s)
}
