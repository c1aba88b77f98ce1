package fieldtype

import (
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/currency"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

// writing says what a comma and a dot mean in the numbers of a country.
type writing struct{ comma, dot separator }

// separator says what one character does in numbers: it separates groups of digits, or stands for
// the decimal point. It may do both, in different languages of a country.
type separator struct{ groups, points bool }

// writingOf returns how a country writes numbers, according to CLDR. Nothing is known about an
// unknown country.
func writingOf(country string) writing { return localeOf(country).writing }

// ownSigns returns what CLDR writes for the currency of a country, in upper case and without a dot
// at the end.
func ownSigns(country string) []string { return localeOf(country).signs }

type locale struct {
	writing
	signs []string
}

// locales holds the locale of each country that the configuration uses.
var locales sync.Map

func localeOf(country string) locale {
	if known, ok := locales.Load(country); ok {
		return known.(locale)
	}
	var l locale
	if region, err := language.ParseRegion(country); err == nil && region.IsCountry() {
		for _, tag := range languagesOf(region) {
			l.add(tag)
		}
		if unit, ok := currency.FromRegion(region); ok {
			printer := message.NewPrinter(mainLanguage(region))
			for _, sign := range []any{currency.Symbol(unit), currency.NarrowSymbol(unit)} {
				l.signs = append(l.signs, strings.ToUpper(strings.TrimSuffix(printer.Sprint(sign), ".")))
			}
		}
	}
	locales.Store(country, l)
	return l
}

// add adds how the language of tag writes numbers in the digits 0 to 9.
func (l *locale) add(tag language.Tag) {
	if latin, err := tag.SetTypeForKey("nu", "latn"); err == nil {
		tag = latin
	}
	sample := plainNumberText(message.NewPrinter(tag).Sprint(number.Decimal(1234567.5)))
	for char, separator := range map[string]*separator{",": &l.comma, ".": &l.dot} {
		points := strings.HasSuffix(sample, char+"5")
		separator.points = separator.points || points
		separator.groups = separator.groups || !points && strings.Contains(sample, char)
	}
}

// languagesOf returns the main language of a country, and English and French where they are
// languages of the country too: Canada and Switzerland write numbers in more than one way. If CLDR
// does not have the main language, languagesOf returns all the languages that it has.
func languagesOf(region language.Region) []language.Tag {
	bases := []language.Base{language.MustParseBase("en"), language.MustParseBase("fr")}
	main := mainLanguage(region)
	if _, known := language.CompactIndex(withoutRegion(main)); !known {
		bases = language.Supported.BaseLanguages()
	}
	tags := []language.Tag{main}
	for _, base := range bases {
		tag, err := language.Raw.Compose(base, region)
		if _, known := language.CompactIndex(tag); err == nil && known {
			tags = append(tags, tag)
		}
	}
	return slices.DeleteFunc(tags, func(tag language.Tag) bool {
		_, known := language.CompactIndex(withoutRegion(tag))
		return !known
	})
}

func mainLanguage(region language.Region) language.Tag {
	anyLanguage, err := language.Raw.Compose(language.Und, region)
	if err != nil {
		return language.Und
	}
	base, _ := anyLanguage.Base()
	tag, err := language.Raw.Compose(base, region)
	if err != nil {
		return language.Und
	}
	return tag
}

func withoutRegion(tag language.Tag) language.Tag {
	base, _ := tag.Base()
	return language.Raw.Make(base.String())
}
