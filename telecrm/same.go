package telecrm

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SameAction reports whether a shown action can be the one that was sent: it has the same type,
// with or without the prefix ACTION_, and every value that was sent. Values are compared by
// meaning, because TeleCRM may write them differently: numbers by value, text regardless of case
// and space, phone numbers in any spelling, lists in any order, and a date in milliseconds also as
// text. Additional values are ignored. Two actions with the same values cannot be told apart.
func SameAction(sent Action, shown ShownAction) bool {
	if bareType(sent.Type) != bareType(shown.Type) {
		return false
	}
	fields := sent.Fields
	if sent.Type == ActionPayment {
		fields = maps.Clone(fields)
		delete(fields, "type") // it does not change what is sent
	}
	return SameFields(fields, shown.Fields)
}

// SimilarAction reports whether a shown action can result from the one that was sent: it has the
// same type, and no value that is known to differ. Missing values may have been dropped, and values
// of another JSON type may be written differently, as dates are.
func SimilarAction(sent Action, shown ShownAction) bool {
	if bareType(sent.Type) != bareType(shown.Type) {
		return false
	}
	return SimilarFields(sent.Fields, shown.Fields)
}

// SimilarFields reports whether no shown value is known to differ from the sent one of the same
// name, compared as in [SimilarAction].
func SimilarFields(sent, shown map[string]any) bool {
	text, err := json.Marshal(sent)
	if err != nil {
		return false
	}
	for name, value := range object(text) {
		other, isShown := shown[name]
		if isShown && sameKind(value, other) && !sameValue(value, other) {
			return false
		}
	}
	return true
}

// sameKind reports whether both values are texts or both are numbers.
func sameKind(a, b any) bool {
	_, textA := a.(string)
	_, textB := b.(string)
	return textA && textB || isNumber(a) && isNumber(b)
}

// SameFields reports whether every sent value is shown under its name, compared as in [SameAction].
func SameFields(sent, shown map[string]any) bool {
	text, err := json.Marshal(sent)
	if err != nil {
		return false
	}
	for name, value := range object(text) {
		if !sameValue(value, shown[name]) {
			return false
		}
	}
	return true
}

// sameValue compares two values decoded from JSON.
func sameValue(sent, shown any) bool {
	switch sent := sent.(type) {
	case nil:
		return shown == nil
	case []any:
		shown, ok := shown.([]any)
		return ok && sameList(sent, shown)
	case map[string]any:
		shown, ok := shown.(map[string]any)
		if !ok || len(sent) != len(shown) {
			return false
		}
		for name := range sent {
			if !sameValue(sent[name], shown[name]) {
				return false
			}
		}
		return true
	}
	return sameScalar(sent, shown)
}

// sameList compares two lists regardless of order.
func sameList(sent, shown []any) bool {
	if len(sent) != len(shown) {
		return false
	}
	rest := slices.Clone(shown)
	for _, value := range sent {
		i := slices.IndexFunc(rest, func(other any) bool { return sameValue(value, other) })
		if i < 0 {
			return false
		}
		rest = slices.Delete(rest, i, i+1)
	}
	return true
}

// sameScalar compares values that are neither lists nor objects. A number and a text are the same
// if they are written alike, because the CRM may show one for the other.
func sameScalar(sent, shown any) bool {
	switch shown := shown.(type) {
	case bool:
		return sent == shown
	case string, json.Number:
		a, aOK := scalarText(sent)
		b, bOK := scalarText(shown)
		if !aOK || !bOK {
			return false
		}
		if isNumber(sent) && isNumber(shown) {
			return a == b || sameNumber(a, b)
		}
		return strings.EqualFold(a, b) || trimDecimals(a) == trimDecimals(b) ||
			samePhone(a, b) || isNumber(sent) && sameDate(a, b)
	}
	return false
}

// trimDecimals returns a decimal number without trailing zeros, and any other text unchanged.
func trimDecimals(text string) string {
	whole, fraction, found := strings.Cut(text, ".")
	if !found || whole == "" || digits(whole+fraction) != whole+fraction {
		return text
	}
	return strings.TrimSuffix(whole+"."+strings.TrimRight(fraction, "0"), ".")
}

// samePhone reports whether shown is a spelling of the phone number sent, which consists of digits
// including the country code.
func samePhone(sent, shown string) bool {
	if len(sent) < shortestPhone || sent != digits(sent) || strings.Trim(shown, "+0123456789 -.()") != "" {
		return false
	}
	number := digits(shown)
	return slices.Contains(PhoneIdentifier.Spellings(sent), number)
}

// shortestPhone is fewer digits than any number has, including its country code.
const shortestPhone = 7

// shownDates are the ways in which a workspace may write a date
// (https://docs.telecrm.in/concepts/field-types).
var shownDates = []string{
	"02/01/2006 15:04:05", "02/01/2006", "01/02/2006 15:04:05", "01/02/2006",
	"2006-01-02 15:04:05", time.DateOnly, time.RFC3339,
}

// maxZoneOffset is the largest offset of a time zone from UTC.
const maxZoneOffset = 14 * time.Hour

// sameDate reports whether shown can be the sent time, in some time zone.
func sameDate(sentMillis, shown string) bool {
	sent := epochMillis(sentMillis)
	if sent.IsZero() {
		return false
	}
	return slices.ContainsFunc(shownDates, func(layout string) bool {
		moment, err := time.Parse(layout, shown)
		return err == nil && moment.Sub(sent).Abs() <= maxZoneOffset
	})
}

func isNumber(value any) bool {
	_, ok := value.(json.Number)
	return ok
}

// scalarText returns a text or number with single spaces, and a phone number without its plus.
func scalarText(value any) (string, bool) {
	switch value := value.(type) {
	case string:
		text := strings.Join(strings.Fields(value), " ")
		if number, plus := strings.CutPrefix(text, "+"); plus && number == digits(number) {
			return number, true
		}
		return text, true
	case json.Number:
		return value.String(), true
	}
	return "", false
}

// sameNumber compares whole numbers exactly, and others as a JSON decoder would read them.
func sameNumber(a, b string) bool {
	wholeA, errA := strconv.ParseInt(a, 10, 64)
	wholeB, errB := strconv.ParseInt(b, 10, 64)
	if errA == nil && errB == nil {
		return wholeA == wholeB
	}
	floatA, errA := strconv.ParseFloat(a, 64)
	floatB, errB := strconv.ParseFloat(b, 64)
	return errA == nil && errB == nil && floatA == floatB
}
