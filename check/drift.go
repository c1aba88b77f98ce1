package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Snapshot describes the pages of a config's forms, for comparison with a later check.
type Snapshot struct {
	Forms map[string]FormSnapshot `json:"forms"`
}

// FormSnapshot describes the HTML forms that post to a form of the config.
type FormSnapshot struct {
	// HTMLForms counts the forms that post to it.
	HTMLForms int `json:"html_forms"`
	// Inputs are the inputs that they have.
	Inputs map[string]InputSnapshot `json:"inputs"`
	// Pages maps the paths of the pages with such forms to their inputs, by the index in Sets.
	Pages map[string]int `json:"pages,omitempty"`
	Sets  [][]string     `json:"sets,omitempty"`
}

// InputSnapshot is an input of a form.
type InputSnapshot struct {
	Type string `json:"type,omitempty"`
	// Place is the first one where the input is.
	Place Place `json:"place"`
	// Options are the values that visitors can choose.
	Options []string `json:"options,omitempty"`
}

// Snapshot describes the pages that were read.
func (r *Report) Snapshot() Snapshot { return r.snapshot }

// maxPages bounds the pages whose inputs are kept for each form.
const maxPages = 20_000

// pageInputs are the inputs of the forms of each page. Pages of a site mostly share a form, so sets
// of inputs are kept once.
type pageInputs struct {
	pages map[string]int
	sets  [][]string
	index map[string]int // of a set by its inputs
}

// add adds the inputs of a form of the page.
func (p *pageInputs) add(page string, names map[string]bool) {
	if p.pages == nil {
		p.pages, p.index = make(map[string]int), make(map[string]int)
	}
	set := slices.Sorted(maps.Keys(names))
	if i, has := p.pages[page]; has {
		set = slices.Concat(set, p.sets[i])
		slices.Sort(set)
		set = slices.Compact(set)
	} else if len(p.pages) == maxPages {
		return
	}
	key := strings.Join(set, "\x00")
	i, known := p.index[key]
	if !known {
		i = len(p.sets)
		p.index[key], p.sets = i, append(p.sets, set)
	}
	p.pages[page] = i
}

// snapshot returns the part of the evidence that is kept.
func (e *evidence) snapshot() FormSnapshot {
	kept := FormSnapshot{HTMLForms: e.forms, Inputs: make(map[string]InputSnapshot), Pages: e.pages.pages, Sets: e.pages.sets}
	for input := range e.inputs {
		kept.Inputs[input] = InputSnapshot{Type: e.kinds[input], Place: e.firstAt[input], Options: slices.Sorted(maps.Keys(e.offered[input]))}
	}
	return kept
}

// Changes says in words what is different now.
func (s Snapshot) Changes(now Snapshot) []string {
	var list []string
	for _, name := range sortedKeys(s.Forms, now.Forms) {
		before, had := s.Forms[name]
		after, has := now.Forms[name]
		switch {
		case !had:
			list = append(list, fmt.Sprintf("form %s is new", name))
		case !has:
			list = append(list, fmt.Sprintf("form %s vanished from the config", name))
		case before.HTMLForms > 0 && after.HTMLForms == 0:
			list = append(list, fmt.Sprintf("form %s: no page posts to it any more", name))
		default:
			list = append(list, before.changes(name, after)...)
		}
	}
	return list
}

func (s FormSnapshot) changes(form string, now FormSnapshot) []string {
	var list []string
	add := func(format string, args ...any) {
		list = append(list, "form "+form+": "+fmt.Sprintf(format, args...))
	}
	gone, isNew := s.changesOfPages(now)
	for _, input := range sortedKeys(s.Inputs, now.Inputs) {
		before, had := s.Inputs[input]
		after, has := now.Inputs[input]
		switch {
		case !had:
			add("input %s is new%s, at %s", input, onPages(" on ", isNew[input]), after.Place)
			continue
		case !has:
			add("input %s vanished%s; it was at %s", input, onPages(" from ", gone[input]), before.Place)
			continue
		case len(gone[input]) > 0:
			add("input %s vanished%s", input, onPages(" from ", gone[input]))
		case len(isNew[input]) > 0:
			add("input %s is new%s", input, onPages(" on ", isNew[input]))
		}
		if before.Type != after.Type {
			add("input %s had type=%q and now has type=%q, at %s", input, before.Type, after.Type, after.Place)
		}
		for _, option := range before.Options {
			if !slices.Contains(after.Options, option) {
				add("input %s does not offer %q any more", input, option)
			}
		}
		for _, option := range after.Options {
			if !slices.Contains(before.Options, option) {
				add("input %s now offers %q", input, option)
			}
		}
	}
	if pages := without(s.Pages, now.Pages); len(pages) > 0 {
		add("its HTML form vanished%s", onPages(" from ", pages))
	}
	if pages := without(now.Pages, s.Pages); len(pages) > 0 && len(s.Pages) > 0 {
		add("an HTML form is new%s", onPages(" on ", pages))
	}
	return list
}

// changesOfPages returns the pages on which each input vanished or is new.
func (s FormSnapshot) changesOfPages(now FormSnapshot) (gone, isNew map[string][]string) {
	gone, isNew = make(map[string][]string), make(map[string][]string)
	for _, page := range slices.Sorted(maps.Keys(s.Pages)) {
		if _, has := now.Pages[page]; !has {
			continue
		}
		before, after := s.inputsOn(page), now.inputsOn(page)
		for _, input := range before {
			if !slices.Contains(after, input) {
				gone[input] = append(gone[input], page)
			}
		}
		for _, input := range after {
			if !slices.Contains(before, input) {
				isNew[input] = append(isNew[input], page)
			}
		}
	}
	return gone, isNew
}

func (s FormSnapshot) inputsOn(page string) []string {
	if i := s.Pages[page]; i >= 0 && i < len(s.Sets) {
		return s.Sets[i]
	}
	return nil
}

// without returns the pages that the others do not have.
func without(pages, others map[string]int) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(pages)), func(page string) bool {
		_, has := others[page]
		return has
	})
}

// onPages names pages, or counts them if there are many.
func onPages(word string, pages []string) string {
	const most = 3
	switch {
	case len(pages) == 0:
		return ""
	case len(pages) > most:
		return fmt.Sprintf("%s%d pages, such as %s", word, len(pages), pages[0])
	}
	return word + strings.Join(pages, ", ")
}

// sortedKeys returns the keys of both maps.
func sortedKeys[V any](a, b map[string]V) []string {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	return slices.Compact(keys)
}
