package caddytelecrm

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// losses are what of a created lead TeleCRM did not store, without the lead's
// values.
func losses(answer telecrm.Answer, lead telecrm.Lead) []remark {
	if len(answer.Remarks) == 0 && len(answer.Actions) == 0 {
		return nil
	}
	values := longTexts(lead)
	var list []remark
	for _, r := range answer.Remarks {
		list = append(list, remark{
			field:  withoutValues(r.Field, values),
			status: withoutValues(r.Status, values),
			text:   withoutValues(r.Text, values),
		})
	}
	for i, result := range answer.Actions {
		if !result.Stored() {
			list = append(list, remark{field: fmt.Sprintf("actions[%d]", i), status: withoutValues(result.Status, values)})
		}
	}
	return list
}

// withoutValues blots out the lead's values from TeleCRM's text, which may
// quote them.
func withoutValues(text string, values []string) string {
	for _, value := range values {
		text = replaceFold(text, value, "[value]")
	}
	return text
}

// replaceFold is strings.ReplaceAll without regard to case.
func replaceFold(s, old, replacement string) string {
	var b strings.Builder
	for {
		i := indexFold(s, old)
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		b.WriteString(replacement)
		s = s[i+len(old):]
	}
}

func indexFold(s, old string) int {
	for i := 0; i+len(old) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(old)], old) {
			return i
		}
	}
	return -1
}

// shortestHidden is the length, in bytes, from which a value is blotted out.
// Shorter ones, such as a rating, say nothing about anybody, and blotting
// them out would make remarks unreadable.
const shortestHidden = 3

// longTexts lists the lead's values as text, longest first, so that a value
// that holds another goes as a whole.
func longTexts(lead telecrm.Lead) []string {
	var texts []string
	collect := func(fields map[string]any) {
		for _, value := range fields {
			texts = append(texts, textsOf(value)...)
		}
	}
	collect(lead.Fields)
	for _, action := range lead.Actions {
		collect(action.Fields)
	}
	texts = slices.DeleteFunc(texts, func(s string) bool { return len(s) < shortestHidden })
	slices.SortFunc(texts, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(texts)
}

// textsOf lists the ways in which a remark may quote value.
func textsOf(value any) []string {
	switch v := value.(type) {
	case string:
		return append(strings.Split(v, "\n"), v)
	case []string:
		return v
	case json.Number:
		return []string{v.String()}
	}
	return []string{fmt.Sprint(value)}
}

// longestName and manyNames bound what a submission's own input names may add
// to the log: they come from whoever posts.
const (
	longestName = 40
	manyNames   = 20
)

// namesForLog keeps the names that look like an input's name.
func namesForLog(names []string) []string {
	isOdd := func(r rune) bool {
		return !strings.ContainsRune("_-.[]", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}
	kept := make([]string, 0, min(len(names), manyNames+1))
	odd := 0
	for _, name := range names {
		if len(name) > longestName || strings.ContainsFunc(name, isOdd) || len(kept) == manyNames {
			odd++
			continue
		}
		kept = append(kept, name)
	}
	if odd > 0 {
		kept = append(kept, fmt.Sprintf("(and %d more)", odd))
	}
	return kept
}
