package admin

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/leadwire/caddy-telecrm/fieldtype"
)

// spellings returns the forms in which an outbox may keep the identifier: lower-cased, the digits of
// a phone number, and the number as a form reads it, in one of the countries if it is typed without
// a country code. It returns an error if text is blank or could be several people.
func spellings(text string, countries []string) ([]string, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == "" {
		return nil, refuse(http.StatusBadRequest, "identifier: is missing; give a phone number or another lead identifier")
	}
	list := []string{text}
	if !strings.ContainsFunc(text, isNotPhone) {
		list = append(list, strings.Map(onlyDigits, text))
	}
	countryOf := make(map[string]string)
	for _, country := range append([]string{""}, countries...) {
		number, err := fieldtype.Rules{Type: fieldtype.Phone, Country: country}.Convert([]string{text})
		if full, ok := number.JSON.(string); err == nil && ok {
			countryOf[full] = country
		}
	}
	if len(countryOf) > 1 {
		// The number itself must not get into the log.
		return nil, refuse(http.StatusBadRequest, "identifier: could be a number of %s; write it with the country code",
			strings.Join(slices.Sorted(maps.Values(countryOf)), " or "))
	}
	list = slices.AppendSeq(list, maps.Keys(countryOf))
	list = slices.DeleteFunc(list, func(spelling string) bool { return spelling == "" })
	slices.Sort(list)
	return slices.Compact(list), nil
}

func isNotPhone(r rune) bool {
	return onlyDigits(r) < 0 && !unicode.IsSpace(r) && !strings.ContainsRune("+-‐‑–().,/", r)
}

// onlyDigits makes [strings.Map] drop everything but digits.
func onlyDigits(r rune) rune {
	if r >= '0' && r <= '9' {
		return r
	}
	return -1
}
