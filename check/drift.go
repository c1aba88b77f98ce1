package check

import (
	"fmt"
	"maps"
	"slices"
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

// snapshot returns the part of the evidence that is kept.
func (e *evidence) snapshot() FormSnapshot {
	kept := FormSnapshot{HTMLForms: e.forms, Inputs: make(map[string]InputSnapshot)}
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
	for _, input := range sortedKeys(s.Inputs, now.Inputs) {
		before, had := s.Inputs[input]
		after, has := now.Inputs[input]
		switch {
		case !had:
			add("input %s is new, at %s", input, after.Place)
			continue
		case !has:
			add("input %s vanished; it was at %s", input, before.Place)
			continue
		case before.Type != after.Type:
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
	return list
}

// sortedKeys returns the keys of both maps.
func sortedKeys[V any](a, b map[string]V) []string {
	all := make(map[string]bool)
	for key := range a {
		all[key] = true
	}
	for key := range b {
		all[key] = true
	}
	return slices.Sorted(maps.Keys(all))
}
