package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// mostOfLong is how much of an unmapped value is forwarded if the value exceeds the form's limit, in
// characters.
const mostOfLong = form.MostCharacters

// addRest adds the unmapped inputs. Of a value that is too long it adds the beginning, with a
// remark: nobody knows whether the visitor typed it.
func (m *Mapping) addRest(d *Draft, posted *form.Form) {
	whole := &form.Form{Entries: posted.Entries}
	for _, entry := range posted.Skipped {
		if !m.isUnmapped(entry.Name) || form.IsSecret(entry.Name) {
			continue
		}
		if value := []rune(entry.Value); len(value) > mostOfLong && len(entry.Name) < mostOfLong {
			entry.Value = string(value[:mostOfLong])
			whole.Entries = append(slices.Clip(whole.Entries), entry)
		}
	}
	text := m.rest(whole)
	if text == "" {
		return
	}
	d.Lead.Fields[m.unmapped] = text
	if len(whole.Entries) > len(posted.Entries) {
		d.Remarks = append(d.Remarks, telecrm.Remark{Field: "fields." + m.unmapped, Status: remarkChanged, Text: fmt.Sprintf("an unmapped value was cut to %d characters", mostOfLong)})
	}
}

// rest returns the unmapped inputs, one "label: value" per line, without passwords and other
// secrets.
func (m *Mapping) rest(posted *form.Form) string {
	var lines []string
	for _, input := range m.unmappedInputs(posted) {
		if form.IsSecret(input) {
			continue
		}
		values := slices.DeleteFunc(slices.Clone(posted.Values(input)), isBlank)
		if len(values) > 0 {
			lines = append(lines, labelOf(input)+": "+strings.Join(values, ", "))
		}
	}
	value, err := fieldtype.Rules{Type: fieldtype.Text}.Convert([]string{strings.Join(lines, "\n")})
	if err != nil || value.JSON == nil {
		return ""
	}
	return value.JSON.(string)
}

// Dropped lists the inputs whose values do not become part of the lead.
func (m *Mapping) Dropped(posted *form.Form) []string {
	return slices.DeleteFunc(m.unmappedInputs(posted), func(input string) bool {
		return m.unmapped != "" && !form.IsSecret(input) || !slices.ContainsFunc(posted.Values(input), func(v string) bool { return !isBlank(v) })
	})
}

// Withheld lists the inputs that "unmapped" would forward if their names did not say that they are
// secret.
func (m *Mapping) Withheld(posted *form.Form) []string {
	if m.unmapped == "" {
		return nil
	}
	return slices.DeleteFunc(m.Dropped(posted), func(input string) bool { return !form.IsSecret(input) })
}

// unmappedInputs lists the inputs that no field or setting uses, each once, in the order sent.
func (m *Mapping) unmappedInputs(posted *form.Form) []string {
	var inputs []string
	seen := make(map[string]bool)
	for _, entry := range posted.Entries {
		if !seen[entry.Name] && m.isUnmapped(entry.Name) {
			inputs = append(inputs, entry.Name)
		}
		seen[entry.Name] = true
	}
	return inputs
}

// isUnmapped reports whether an input is for the people who read the lead, and no field or setting
// uses it.
func (m *Mapping) isUnmapped(input string) bool {
	return !m.mapped[input] && !slices.Contains(m.ignored, input) && !form.IsForService(input)
}
