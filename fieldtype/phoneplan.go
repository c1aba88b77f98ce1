package fieldtype

import (
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// plan is a region's numbering plan in libphonenumber's metadata, as far as it decides about most
// numbers. libphonenumber itself finds out several times over what this needs to match once.
type plan struct {
	code string // the country's calling code
	// abroad and trunk match the prefixes of numbers as they are dialled: the international one, and
	// the national one. A zero is the only national prefix of most countries.
	abroad, trunk *regexp.Regexp
	isTrunkZero   bool
	general       *regexp.Regexp
	usual         []*numberRange
}

// numberRange matches national numbers of one kind.
type numberRange struct {
	lengths []int32 // nil for those of the general description
	pattern *regexp.Regexp
}

func (n *numberRange) has(national string) bool {
	for _, length := range n.lengths {
		if int(length) == len(national) {
			return n.pattern.MatchString(national)
		}
	}
	return len(n.lengths) == 0 && n.pattern.MatchString(national)
}

// usualDigits returns a dialled number in E.164 without the plus, if it is a mobile or fixed-line
// number with or without the country code, and with no other prefix than a zero. For such a number
// libphonenumber has nothing to guess: it takes a beginning that equals the country code or a prefix
// for one only if the number is not valid with it. usualDigits reports false for all other numbers,
// which may be valid too.
func usualDigits(dialled, country string) (digits string, ok bool) {
	national, hasPlus := strings.CutPrefix(dialled, "+")
	if hasPlus {
		code := firstCode(national)
		national, country = national[len(code):], regionOf(code)
	}
	p := planOf(country)
	if p == nil || !hasPlus && p.abroad.MatchString(national) {
		return "", false
	}
	if p.isTrunkZero && !p.general.MatchString(national) {
		national = strings.TrimPrefix(national, "0")
	} else if p.trunk.MatchString(national) {
		return "", false
	}
	if strings.HasPrefix(national, "0") || national == countedUp || !p.has(national) {
		return "", false
	}
	digits = p.code + national
	return digits, len(digits) >= shortestPhone && len(digits) <= longestPhone
}

func (p *plan) has(national string) bool {
	if !p.general.MatchString(national) {
		return false
	}
	for _, kind := range p.usual {
		if kind.has(national) {
			return true
		}
	}
	return false
}

var plans sync.Map // *plan by region; nil if the region needs libphonenumber

// planOf returns the plan of a region, or nil unless it is the main region of its calling code: the
// plans of others share numbers.
func planOf(region string) *plan {
	if known, ok := plans.Load(region); ok {
		return known.(*plan)
	}
	metadata := metadataByRegion()[region]
	if metadata == nil {
		return nil // do not remember what visitors or tests invent
	}
	p := newPlan(metadata)
	plans.Store(region, p)
	return p
}

func newPlan(m *phonenumbers.PhoneMetadata) *plan {
	isMain := phonenumbers.GetRegionCodeForCountryCode(int(m.GetCountryCode())) == m.GetId()
	if !isMain || m.GetLeadingDigits() != "" || m.GetInternationalPrefix() == "" {
		return nil
	}
	trunk := m.GetNationalPrefixForParsing()
	p := &plan{
		code:        strconv.Itoa(int(m.GetCountryCode())),
		abroad:      regexp.MustCompile("^(?:" + m.GetInternationalPrefix() + ")"),
		trunk:       regexp.MustCompile("^(?:" + trunk + ")"),
		isTrunkZero: trunk == "0" && m.GetNationalPrefixTransformRule() == "",
		general:     wholeNumber(m.GetGeneralDesc()),
		usual:       []*numberRange{rangeOf(m.GetMobile()), rangeOf(m.GetFixedLine())},
	}
	if trunk == "" {
		p.trunk = nothing
	}
	return p
}

// nothing does not match.
var nothing = regexp.MustCompile(`[^\s\S]`)

func rangeOf(desc *phonenumbers.PhoneNumberDesc) *numberRange {
	return &numberRange{lengths: desc.GetPossibleLength(), pattern: wholeNumber(desc)}
}

func wholeNumber(desc *phonenumbers.PhoneNumberDesc) *regexp.Regexp {
	return regexp.MustCompile("^(?:" + desc.GetNationalNumberPattern() + ")$")
}

// metadataByRegion returns libphonenumber's metadata of all countries.
var metadataByRegion = sync.OnceValue(func() map[string]*phonenumbers.PhoneMetadata {
	regions := make(map[string]*phonenumbers.PhoneMetadata)
	for _, m := range allMetadata() {
		if m.GetId() != phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY {
			regions[m.GetId()] = m
		}
	}
	return regions
})

// allMetadata returns libphonenumber's metadata, which is compiled in.
func allMetadata() []*phonenumbers.PhoneMetadata {
	collection, err := phonenumbers.MetadataCollection()
	if err != nil {
		return nil
	}
	return collection.GetMetadata()
}
