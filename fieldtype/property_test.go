package fieldtype_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/fieldtype"
)

var (
	phoneShape   = regexp.MustCompile(`^[1-9][0-9]{6,14}$`)
	decimalShape = regexp.MustCompile(`^(0|[1-9][0-9]*)(\.[0-9]*[1-9])?$`)
	earliest     = time.Date(1899, time.December, 31, 0, 0, 0, 0, time.UTC).UnixMilli()
	latest       = time.Date(2200, time.January, 2, 0, 0, 0, 0, time.UTC).UnixMilli()
)

// wellFormed returns what is wrong with a value according to the documentation of the type.
func wellFormed(typ fieldtype.Type, value any) error {
	ok := false
	switch typ {
	case fieldtype.Text, fieldtype.Dropdown, fieldtype.Status, fieldtype.LostReason:
		s, isString := value.(string)
		ok = isString && s != "" && utf8.ValidString(s) && !strings.ContainsAny(s, "\x00\r")
	case fieldtype.Email, fieldtype.Assignee:
		s, isString := value.(string)
		address, err := mail.ParseAddress(s)
		ok = isString && err == nil && address.Address == s && address.Name == "" && len(s) <= 254
	case fieldtype.Phone:
		s, isString := value.(string)
		ok = isString && phoneShape.MatchString(s)
	case fieldtype.Number:
		n, isNumber := value.(json.Number)
		f, err := n.Float64()
		exact, isDecimal := new(big.Rat).SetString(n.String())
		encoded, encodingErr := json.Marshal(n)
		ok = isNumber && err == nil && isDecimal && encodingErr == nil && string(encoded) == n.String() &&
			decimalShape.MatchString(strings.TrimPrefix(n.String(), "-")) && n != "-0" &&
			nearest(exact) == f
	case fieldtype.Money:
		s, isString := value.(string)
		ok = isString && decimalShape.MatchString(s)
	case fieldtype.Rating:
		n, isInteger := value.(int64)
		ok = isInteger && n >= 1 && n <= 5
	case fieldtype.Date:
		n, isInteger := value.(int64)
		ok = isInteger && n >= earliest && n <= latest
	case fieldtype.Website, fieldtype.MediaLink:
		s, isString := value.(string)
		ok = isString && isPublicURL(s)
	case fieldtype.Tags:
		tags, isList := value.([]string)
		ok = isList && len(tags) > 0 && !slices.ContainsFunc(tags, func(tag string) bool { return strings.TrimSpace(tag) == "" })
	}
	if !ok {
		return fmt.Errorf("%s: TeleCRM does not accept %T %v", typ, value, value)
	}
	return nil
}

func nearest(r *big.Rat) float64 {
	f, _ := r.Float64()
	return f
}

func isPublicURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || len(s) > 2048 {
		return false
	}
	for _, r := range s {
		if r <= ' ' || r >= 0x7f {
			return false
		}
	}
	_, err = netip.ParseAddr(u.Hostname())
	return err == nil || strings.Contains(u.Hostname(), ".")
}

// checkConversion converts text and checks what must hold for any type and any text.
func checkConversion(t interface{ Fatalf(string, ...any) }, rules fieldtype.Rules, text string) {
	value, err := rules.Convert([]string{text})
	if err != nil {
		if _, ok := errors.AsType[*fieldtype.Error](err); !ok {
			t.Fatalf("%T is not *fieldtype.Error", err)
		}
		return
	}
	if value.JSON == nil {
		return
	}
	if err := wellFormed(rules.Type, value.JSON); err != nil {
		t.Fatalf("%+q: %v", text, err)
	}
	again, ok := typedAgain(rules.Type, value.JSON)
	if isNumeric := rules.Type == fieldtype.Number || rules.Type == fieldtype.Money; !ok || isNumeric && rules.Country != "IN" {
		return // elsewhere, 1.234 as sent is not 1.234 as typed
	}
	second, err := rules.Convert([]string{again})
	if err != nil || fmt.Sprint(second.JSON) != fmt.Sprint(value.JSON) {
		t.Fatalf("%+q became %+q, which became %+q, %v", text, again, second.JSON, err)
	}
}

// typedAgain returns the value as a visitor could type it, if there is exactly one way.
func typedAgain(typ fieldtype.Type, value any) (text string, ok bool) {
	switch v := value.(type) {
	case string:
		if typ == fieldtype.Phone {
			return "+" + v, true
		}
		return v, true
	case json.Number:
		return v.String(), true
	case []string:
		return strings.Join(v, ","), true
	case int64:
		text = fmt.Sprint(v)
		return text, len(text) == 1 && v > 0 || len(text) == 13 && v > 0
	}
	return "", false
}

func rulesFor(typ fieldtype.Type) fieldtype.Rules {
	return fieldtype.Rules{Type: typ, Country: "IN", Required: true}
}

// visitorText draws anything from arbitrary to nearly valid text.
func visitorText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.String(),
		rapid.StringMatching(`[-+0-9., eE'/:TZW]{0,30}`),
		rapid.StringMatching(`(\+|00|0)?(91|1|44)?[ -]?[0-9]{5}[ -]?[0-9]{4,6}( ext [0-9]{1,3})?`),
		rapid.StringMatching(`[0-9]{1,4}[-/. ]([0-9]{1,2}|Nov|May)[-/. ][0-9]{1,4}`),
		rapid.StringMatching(`(https?://)?[a-zé0-9-]{1,5}\.[a-zé0-9.-]{1,5}(:[0-9]{1,5})?(/[ -~é]{0,9})?`),
		rapid.StringMatching(`[A-Za-z.+]{1,8}@[a-zé0-9.-]{1,8}\.[a-z]{1,3}`),
		rapid.StringMatching(`(₹|Rs\.?|USD|\$)? ?[0-9]{1,3}(,[0-9]{2,3}){0,3}(\.[0-9]{0,5})?(/-)?`),
	)
}

func TestConvertHoldsForAnyText(t *testing.T) {
	t.Parallel()
	for _, typ := range fieldtype.Types() {
		t.Run(string(typ), func(t *testing.T) {
			t.Parallel()
			text := visitorText()
			rapid.Check(t, func(t *rapid.T) { checkConversion(t, rulesFor(typ), text.Draw(t, "text")) })
		})
	}
}

// steering draws text with characters that hide or reorder other text.
func steering() *rapid.Generator[string] {
	return rapid.StringOf(rapid.OneOf(
		rapid.RuneFrom([]rune("aé \r\n\tس\u0d28\u0d4d👩🔧\u200c\u200d\u200e\u200f")),
		rapid.RuneFrom([]rune("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u2060\ufeff\u2028\x00\x1b")),
	))
}

// No value reorders the text around it or breaks a single line, and every word keeps its spelling.
func TestConvertLeavesNothingThatSteers(t *testing.T) {
	t.Parallel()
	const turning, hidden, joiners = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", "\u200b\u2060\ufeff", "\u200c\u200d"
	for _, typ := range fieldtype.Types() {
		t.Run(string(typ), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				typed := "x" + steering().Draw(t, "text") + "x"
				rules := rulesFor(typ)
				value, err := rules.Convert([]string{typed})
				if text := fmt.Sprint(value.JSON); err == nil && strings.ContainsAny(text, turning+"\x00\x1b\r") {
					t.Fatalf("%+q became %+q", typed, text)
				}
				if typ != fieldtype.Text {
					return
				}
				rules.OneLine = true
				value, err = rules.Convert([]string{typed})
				text, _ := value.JSON.(string)
				if err != nil || strings.ContainsAny(text, turning+hidden+"\n\t\u2028") {
					t.Fatalf("%+q became %+q, %v", typed, text, err)
				}
				for _, joiner := range joiners {
					if strings.Count(text, string(joiner)) != strings.Count(typed, string(joiner)) {
						t.Fatalf("%+q lost a joiner: %+q", typed, text)
					}
				}
			})
		})
	}
}

func TestErrorsAndNotesDoNotQuote(t *testing.T) {
	t.Parallel()
	secrets := []string{
		"Xyzzy", "Xyzzy@", "7654321987654321", "http://Xyzzy", "76543/21/1987", "Xyzzy\x00\xff", "$7654321", "987654",
		"+91 8123456789 ext 7654321",
	}
	for _, typ := range fieldtype.Types() {
		for _, secret := range secrets {
			for _, rules := range []fieldtype.Rules{
				{Type: typ, Country: "IN"},
				{Type: typ, Country: "IN", Options: []string{"a"}},
				{Type: typ, Country: "IN", Pattern: regexp.MustCompile(`-`), Max: new(float64(1))},
				{Type: typ, Country: "IN", Max: new(float64(1))},
			} {
				value, err := rules.Convert([]string{"Xyzzy", secret})
				said := fmt.Sprintf("%s %v %+v %#v", value.Note, err, err, err)
				for _, typed := range []string{"xyzzy", "7654", "8123"} {
					if strings.Contains(strings.ToLower(said), typed) {
						t.Errorf("%s %q: %s", typ, secret, said)
					}
				}
			}
		}
	}
}

func FuzzConvert(f *testing.F) {
	for i, typ := range fieldtype.Types() {
		for _, text := range []string{
			"", "a, b", "asha@bücher.example", "+91 (0) 81234-56789 ext 1", "-1,23,456.70", "1e-3", "₹ 500/-", "22nd Nov 2026",
			"2026-11-22T10:30:05.123+05:30", "2026-W47", "www.example.org:80/é?q=%20#x", "http://[::1]/", string(typ),
		} {
			f.Add(uint8(i), text)
		}
	}
	types := fieldtype.Types()
	for i := range 5 * len(types) {
		for _, text := range []string{
			"€ 1.500,-", "1’500.50", "05/12/2026 10:30", "Wed Mar 31 2027 10:30:45 GMT+0530 (India Standard Time)", "2027年3月5日", "__/__/____",
			"-None-", "Select…", "+91+91 81234\ufe0d56789", "0091 0091 8123456789", "+1-242, 365 1234", "1\ufe0f\u20e3 \u200b",
		} {
			f.Add(uint8(i), text)
		}
	}
	f.Fuzz(func(t *testing.T, index uint8, text string) {
		rules := rulesFor(types[int(index)%len(types)])
		// The index also chooses the country and the order of dates.
		variation := int(index) / len(types)
		rules.Country = []string{"IN", "DE", "CH", "", "FR"}[variation%5]
		if rules.Type == fieldtype.Date {
			rules.DateOrder = []fieldtype.DateOrder{"", fieldtype.DayFirst, fieldtype.MonthFirst, fieldtype.YearFirst}[variation%4]
		}
		checkConversion(t, rules, text)
	})
}
