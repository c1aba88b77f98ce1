package fieldtype

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/leadwire/caddy-telecrm/internal/suggest"
)

// Check reports rules that can never work, so that they are found when the configuration is read
// and not when a visitor submits. It returns all findings, joined with [errors.Join], or nil.
func (r Rules) Check() error {
	if !r.Type.known() {
		return unknownType(string(r.Type))
	}
	return errors.Join(r.checkCountry(), r.checkDateOrder(), r.checkPattern(), r.checkBounds(), errors.Join(r.checkOptions()...), r.checkBlank(), r.checkDefault())
}

func (r Rules) checkCountry() error {
	switch {
	case r.Country == "" && r.Type == Phone:
		return errors.New("a phone field needs a country for numbers typed without a country code: " +
			`set one, such as "country IN"`)
	case r.Country == "":
		return nil
	}
	return CheckCountry(r.Country)
}

// CheckCountry returns an error if code, in either case, is not the ISO 3166 alpha-2 code of a
// country or territory with phone numbers. The error for a country's name suggests its code.
func CheckCountry(code string) error {
	if phonenumbers.GetSupportedRegions()[strings.ToUpper(code)] {
		return nil
	}
	return fmt.Errorf("unknown country %q; %suse a two-letter ISO 3166 code, such as IN", code, suggest.Question(code, countryNames()))
}

// countryNames maps the English names and three-letter codes of countries to their codes.
func countryNames() map[string]string {
	names := map[string]string{"UK": "GB", "UAE": "AE", "England": "GB", "Bharat": "IN", "America": "US"}
	english := display.English.Regions()
	for code := range phonenumbers.GetSupportedRegions() {
		if region, err := language.ParseRegion(code); err == nil {
			names[english.Name(region)] = code
			names[region.ISO3()] = code
		}
	}
	return names
}

func (r Rules) checkDateOrder() error {
	if r.DateOrder == "" {
		return nil
	}
	if r.Type != Date {
		return fmt.Errorf("date_order: only a date field can have it, not a %s field", r.Type)
	}
	_, err := ParseDateOrder(string(r.DateOrder))
	return err
}

func (r Rules) checkPattern() error {
	if r.Pattern == nil || r.Type == Tags || r.Type.isString() {
		return nil
	}
	return fmt.Errorf("pattern: not allowed on a %s field, which is sent converted and not as typed", r.Type)
}

func (r Rules) checkBounds() error {
	for _, bound := range []*float64{r.Min, r.Max} {
		if bound == nil {
			continue
		}
		if err := r.checkBound(*bound); err != nil {
			return err
		}
	}
	if r.Min != nil && r.Max != nil && *r.Min > *r.Max {
		return fmt.Errorf("min %v is greater than max %v; swap them", *r.Min, *r.Max)
	}
	return r.checkReachable()
}

func (r Rules) checkBound(bound float64) error {
	switch {
	case r.Type != Number && r.Type != Money && r.Type != Tags && !r.Type.isString():
		return fmt.Errorf("a %s field cannot have min or max; only number, money, text and tags can", r.Type)
	case math.IsNaN(bound) || math.IsInf(bound, 0):
		return fmt.Errorf("min and max must be finite numbers, got %v", bound)
	case r.Type != Number && bound < 0:
		return fmt.Errorf("min and max of a %s field must not be negative, got %v", r.Type, bound)
	case r.Type != Number && r.Type != Money && bound != math.Trunc(bound):
		return fmt.Errorf("min and max of a %s field must be whole numbers, got %v", r.Type, bound)
	default:
		return nil
	}
}

// checkReachable finds bounds on a count that no value can satisfy.
func (r Rules) checkReachable() error {
	if r.Type == Number || r.Type == Money {
		return nil
	}
	if r.Max != nil && *r.Max == 0 {
		return errors.New("max 0 refuses every value; remove the field instead")
	}
	if r.Type == Tags && len(r.Options) > 0 && r.Min != nil && *r.Min > float64(len(r.Options)) {
		return fmt.Errorf("min %v requires more tags than the %d options", *r.Min, len(r.Options))
	}
	return nil
}

func (r Rules) checkOptions() []error {
	var findings []error
	seen := make(map[string]bool, len(r.Options))
	for _, option := range r.Options {
		key := foldKey(option)
		switch {
		case key == "":
			findings = append(findings, errors.New("option is blank; remove it, optional fields may be empty anyway"))
			continue
		case seen[key]:
			findings = append(findings, fmt.Errorf("option %q is listed twice; options must differ in more than case and spacing",
				option))
			continue
		}
		seen[key] = true
		if err := r.checkOption(option); err != nil {
			findings = append(findings, err)
		}
	}
	return findings
}

// checkOption converts the option like free text. Bounds on the number of tags do not apply to a
// single tag.
func (r Rules) checkOption(option string) error {
	alone := r
	alone.Options = nil
	if r.Type == Tags {
		alone.Type, alone.Min, alone.Max = Text, nil, nil
	}
	cleaned, _ := alone.clean(option)
	if _, failure := alone.convert([]string{cleaned}); failure != nil {
		return fmt.Errorf("option %q can never be sent: %w", option, failure)
	}
	return nil
}

func (r Rules) checkBlank() error {
	for _, value := range r.Blank {
		key := foldKey(value)
		switch {
		case key == "":
			return errors.New("blank: an empty value always counts as left empty; remove it")
		case slices.ContainsFunc(r.Options, func(option string) bool { return foldKey(option) == key }):
			return fmt.Errorf("blank %q is among the options; remove it from one of them", value)
		}
	}
	return nil
}

func (r Rules) checkDefault() error {
	if r.Default == "" {
		return nil
	}
	if values, _ := r.present([]string{r.Default}); len(values) == 0 {
		return errors.New("default is blank; remove it")
	}
	if _, err := r.Convert([]string{r.Default}); err != nil {
		return fmt.Errorf("default %q cannot be sent: %w", r.Default, err)
	}
	return nil
}
