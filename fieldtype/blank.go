package fieldtype

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// isLeftEmpty reports whether a value counts as left empty: one of Blank, or what lists have as
// their first option, such as "-None-" or "Select…". A value among Options does not, and neither
// does free text, in which people may type any words.
func (r Rules) isLeftEmpty(value string) bool {
	if len(r.Options)+len(r.Blank) == 0 && (r.Type == Text || !mayBeChoice(value)) {
		return false
	}
	key := foldKey(value)
	isKey := func(s string) bool { return foldKey(s) == key }
	hasOptions := len(r.Options) > 0
	switch {
	case slices.ContainsFunc(r.Options, isKey):
		return false
	case slices.ContainsFunc(r.Blank, isKey):
		return true
	case r.Type == Text && !hasOptions:
		return false
	}
	text := strings.ToLower(key)
	words := strings.Trim(text, decoration)
	switch {
	case emptyChoice.MatchString(words):
		return true
	case ruledLine.MatchString(text):
		return hasOptions || utf8.RuneCountInString(text) > 1
	case none.MatchString(words):
		return words != text
	}
	// "Select Plus" may be a label, unless the labels are known.
	isLabel := r.Type == Dropdown || r.Type == Tags || r.Type == Status || r.Type == LostReason
	return invitation.MatchString(words) && (hasOptions || !isLabel || strings.HasPrefix(text, "-"))
}

// mayBeChoice reports whether a value can be a list's first option, by its first letter. Most values
// cannot.
func mayBeChoice(value string) bool {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(value, decoration))
	return !isASCIIAlphanumeric(first) && first != '+' || strings.ContainsRune("CNOPScnops", first)
}

// decoration is what surrounds the words of a list's first option.
const decoration = " -–—−_*.…:=~<>()[]{}"

var (
	emptyChoice = regexp.MustCompile(`^(please )?(select|choose|pick)( one| (an?|any|your|the|from) .+| options?| items?| values?| below| here)?$`)
	invitation  = regexp.MustCompile(`^(please )?(select|choose|pick) |^(open this select menu|(nothing|none|not) selected|no selection)$`)
	none        = regexp.MustCompile(`^(none|null|n/?a)$`)
	ruledLine   = regexp.MustCompile(`^[-–—−_*.… ]+$`)
)
