package attribution

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// DefaultParams returns the patterns of the parameters that are known unless others are listed.
func DefaultParams() []string {
	return []string{"utm_*", "gclid", "gbraid", "wbraid", "dclid", "fbclid", "msclkid", "ttclid", "twclid", "li_fat_id"}
}

// Params are the known parameters.
type Params struct {
	names      map[string]bool
	beginnings []string
	initials   [256]bool // the first bytes of all of them, to reject others quickly
}

// NewParams returns the parameters with the names. A name that ends in * stands for all names with
// its beginning.
func NewParams(patterns []string) Params {
	p := Params{names: make(map[string]bool)}
	for _, pattern := range patterns {
		if pattern == "" {
			continue
		}
		p.initials[pattern[0]] = true
		if beginning, isOpen := strings.CutSuffix(pattern, "*"); isOpen {
			p.beginnings = append(p.beginnings, beginning)
		} else {
			p.names[pattern] = true
		}
	}
	return p
}

// CheckParam reports what is wrong with a name for [NewParams].
func CheckParam(pattern string) error {
	name := strings.TrimSuffix(pattern, "*")
	switch {
	case name == "" || len(name) > maxName || strings.ContainsFunc(name, isNotOfName):
		return fmt.Errorf("must be the name of a parameter, or its beginning and *, got %q; write one such as utm_* or gclid", pattern)
	case isPart(pattern):
		return fmt.Errorf("the name %s is taken: {telecrm.first.%[1]s} is something else; use another parameter", pattern)
	}
	return nil
}

// UsualParams lists the parameters that a [Record] usually has.
func UsualParams() []string { return paramNames()[1:] }

func isNotOfName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.'
}

// knows reports whether a name is that of a known parameter.
func (p *Params) knows(name string) bool {
	if name == "" || len(name) > maxName || !p.initials[name[0]] {
		return false
	}
	if p.names[name] {
		return true
	}
	for _, beginning := range p.beginnings {
		if strings.HasPrefix(name, beginning) {
			return !isPart(name) && !strings.ContainsFunc(name, isNotOfName)
		}
	}
	return false
}

// in reports whether a query has a known parameter. It does not allocate.
func (p *Params) in(query string) bool {
	for query != "" {
		pair := query
		if end := strings.IndexByte(query, '&'); end >= 0 {
			pair, query = query[:end], query[end+1:]
		} else {
			query = ""
		}
		if pair == "" || !p.initials[pair[0]] {
			continue
		}
		if name, value, _ := strings.Cut(pair, "="); value != "" && p.knows(name) {
			return true
		}
	}
	return false
}

// of returns the known parameters of a query, those that most sites use first. A parameter that is
// repeated has its first value.
func (p *Params) of(query string) []Param {
	var found []Param
	for pair := range strings.SplitSeq(query, "&") {
		name, escaped, _ := strings.Cut(pair, "=")
		if !p.knows(name) || slices.ContainsFunc(found, func(known Param) bool { return known.Name == name }) {
			continue
		}
		value, err := url.QueryUnescape(escaped)
		if err != nil {
			continue
		}
		if isClickID(name) {
			value = cleanClickID(value)
		} else {
			value = clean(value, maxText)
		}
		if value != "" {
			found = append(found, Param{name, value})
		}
	}
	slices.SortStableFunc(found, func(a, b Param) int { return rankOf(a.Name) - rankOf(b.Name) })
	return found[:min(len(found), maxParams)]
}
