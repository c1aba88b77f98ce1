package telecrm

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
)

// SameAction reports whether a shown action can be the one that was sent: of
// the same type, with or without ACTION_ before its code, and with every value
// that was sent. Numbers are compared by value, text without the space around
// it, phone numbers without a plus before them. Values beyond those sent do not
// count. Two actions that were sent with the same values cannot be told apart.
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

// SimilarAction reports whether a shown action can be what became of the one
// that was sent: of the same type, and with no value that is known to be
// another. Values that are not shown may have been dropped, and those of
// another kind may be written another way, as dates are.
func SimilarAction(sent Action, shown ShownAction) bool {
	if bareType(sent.Type) != bareType(shown.Type) {
		return false
	}
	return SimilarFields(sent.Fields, shown.Fields)
}

// SimilarFields reports whether no value that is shown is known to be another
// than was sent under its name, compared as [SimilarAction] does.
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

// sameKind reports whether two values are of one JSON type, texts or numbers.
func sameKind(a, b any) bool {
	_, textA := a.(string)
	_, textB := b.(string)
	return textA && textB || isNumber(a) && isNumber(b)
}

// SameFields reports whether every value that was sent is shown under its
// name, compared as [SameAction] does.
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

// sameValue compares two values as they were decoded from JSON.
func sameValue(sent, shown any) bool {
	switch sent := sent.(type) {
	case nil:
		return shown == nil
	case []any:
		shown, ok := shown.([]any)
		if !ok || len(sent) != len(shown) {
			return false
		}
		for i := range sent {
			if !sameValue(sent[i], shown[i]) {
				return false
			}
		}
		return true
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

// sameScalar compares what is neither a list nor an object. A number and a text
// are alike if they are written alike: the CRM may show either for the other.
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
		return a == b || isNumber(sent) && isNumber(shown) && sameNumber(a, b)
	}
	return false
}

func isNumber(value any) bool {
	_, ok := value.(json.Number)
	return ok
}

// scalarText returns a text or number as it is written, a phone number without
// its plus.
func scalarText(value any) (string, bool) {
	switch value := value.(type) {
	case string:
		text := strings.TrimSpace(value)
		if number, plus := strings.CutPrefix(text, "+"); plus && number == digits(number) {
			return number, true
		}
		return text, true
	case json.Number:
		return value.String(), true
	}
	return "", false
}

// sameNumber compares whole numbers exactly and others as a JSON decoder would
// read them.
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
