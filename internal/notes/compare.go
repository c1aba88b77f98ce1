package notes

import (
	"slices"
	"strings"
	"unicode"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/internal/suggest"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/page"
)

// Comparison is a form as its page has it, and as the config expects it.
type Comparison struct {
	Mapping *mapping.Mapping
	// Inputs are those of the form on its page.
	Inputs []page.Input
	// Posted is what was sent. A script may have added inputs that the page does not have.
	Posted *form.Form
	// IsOther reports whether an input that no field takes has another use.
	IsOther func(input string) bool
}

// Compare warns about fields whose input has another name on the page, and about answers that the
// page offers and a field does not take. The warning says what to write in the Caddyfile.
func (n *Notes) Compare(c Comparison) {
	offers := Offers(c.Inputs)
	for _, f := range c.Mapping.AllFields() {
		switch isOnPage := slices.ContainsFunc(c.Inputs, func(in page.Input) bool { return in.Name == f.Input }); {
		case isOnPage:
			n.compareAnswers(f, offers[f.Input])
		case !c.Posted.Has(f.Input):
			n.compareNames(f, c.unused())
		}
	}
}

// Offers returns the values that the page gives, by input.
func Offers(inputs []page.Input) mapping.Offers {
	offers := make(mapping.Offers)
	for _, in := range inputs {
		for _, choice := range in.Choices {
			offers[in.Name] = append(offers[in.Name], mapping.Offer(choice))
		}
	}
	return offers
}

// mostNamed bounds the answers and inputs that a warning names.
const mostNamed = 20

func (n *Notes) compareAnswers(f *mapping.BoundField, offers []mapping.Offer) {
	refused := f.Refused(offers)
	if len(refused) == 0 {
		return
	}
	named := slices.Clone(refused[:min(len(refused), mostNamed)])
	for i, answer := range named {
		named[i] = strings.Join(strings.Fields(answer), " ")
	}
	fields := []zap.Field{zap.String("field", f.Name), zap.String("input", f.Input), zap.Strings("answers", named)}
	if len(f.Options) > 0 {
		n.warn("answers "+f.Name+" "+f.Input, "the form's page offers answers that are not options of the field, so leads go without them; list them, or change the page",
			append(fields, zap.Strings("options", f.Options), zap.String("write", "options "+suggest.Quote(slices.Concat(f.Options, named)...)))...)
		return
	}
	if f.Kind != fieldtype.Text {
		fields = append(fields, zap.String("write", "field "+suggest.Quote(f.Name, f.Input, string(fieldtype.Text))))
	}
	n.warn("answers "+f.Name+" "+f.Input, "the form's page offers answers that the type or the pattern of the field does not allow, so leads go without them; take them as text, or change the values on the page",
		append(fields, zap.String("type", string(f.Kind)))...)
}

func (n *Notes) compareNames(f *mapping.BoundField, unused []page.Input) {
	fields := []zap.Field{zap.String("field", f.Name), zap.String("input", f.Input)}
	if name := similar(f, unused); name != "" {
		words := []string{f.Name, name}
		if f.Type != "" {
			words = append(words, f.Type)
		}
		n.warn("name "+f.Name+" "+f.Input, "the form on the page does not have the input of a field, but one of another name that no field takes; name it in the config, or rename it on the page",
			append(fields, zap.String("page_input", name), zap.String("write", "field "+suggest.Quote(words...)))...)
		return
	}
	if f.Required {
		n.warn("name "+f.Name+" "+f.Input, "the form on the page does not have the input of a required field, so nobody can send it; add the input to the page, or name the one that the field takes",
			append(fields, zap.Strings("page_inputs", namesOf(unused)))...)
	}
}

// unused returns the inputs of the page that visitors fill in for nothing.
func (c Comparison) unused() []page.Input {
	return slices.DeleteFunc(slices.Clone(c.Inputs), func(in page.Input) bool {
		return !in.IsShown || c.Mapping.Takes(in.Name) || c.IsOther(in.Name) || form.IsSecret(in.Name) || form.IsForService(in.Name)
	})
}

func namesOf(inputs []page.Input) []string {
	inputs = inputs[:min(len(inputs), mostNamed)]
	names := make([]string, 0, len(inputs))
	for _, in := range inputs {
		names = append(names, in.Name)
	}
	return form.LoggableNames(names)
}

// synonyms are other names that forms give the inputs of some types, as letters alone.
var synonyms = map[fieldtype.Type][]string{
	fieldtype.Phone: {"phone", "mobile", "tel", "cell", "whatsapp", "contactno", "contactnumber", "callback"},
	fieldtype.Email: {"email", "mail"},
}

// similar returns the name of the input that the field probably means; "" if there is none.
func similar(f *mapping.BoundField, unused []page.Input) string {
	names := make([]string, 0, len(unused))
	for _, in := range unused {
		names = append(names, in.Name)
	}
	find := func(fits func(in page.Input) bool) string {
		if at := slices.IndexFunc(unused, fits); at >= 0 {
			return names[at]
		}
		return ""
	}
	wanted := letters(f.Input)
	name := find(func(in page.Input) bool { return letters(in.Name) == wanted })
	if name == "" {
		name = suggest.Nearest(f.Input, suggest.Words(names...))
	}
	if name == "" {
		name = find(func(in page.Input) bool { return contains(letters(in.Name), wanted) })
	}
	if name == "" {
		name = find(func(in page.Input) bool {
			return f.Kind == fieldtype.Phone && in.Type == "tel" || f.Kind == fieldtype.Email && in.Type == "email"
		})
	}
	if name == "" {
		name = find(func(in page.Input) bool {
			return slices.ContainsFunc(synonyms[f.Kind], func(word string) bool { return strings.Contains(letters(in.Name), word) })
		})
	}
	if name == "" && f.Required && len(names) == 1 {
		name = names[0]
	}
	return name
}

// contains reports whether one of two names is a part of the other, as "name" of "yourname".
func contains(a, b string) bool {
	const shortest = 3
	return len(a) >= shortest && len(b) >= shortest && (strings.Contains(a, b) || strings.Contains(b, a))
}

// letters returns the letters and digits of a name, in lower case.
func letters(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}
