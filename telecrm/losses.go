package telecrm

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Losses returns the parts of the lead that were not stored, for logs. It hides the lead's values
// in TeleCRM's text, which may quote them, and then shortens the text.
func (a Answer) Losses(lead Lead) []Remark {
	if len(a.Remarks) == 0 && len(a.Actions) == 0 {
		return nil
	}
	values := NewRedactor(slices.Collect(lead.texts())...)
	short := func(text string) string { return clip(values.Redact(text)) }
	var losses []Remark
	for _, r := range a.Remarks {
		losses = append(losses, Remark{Field: short(r.Field), Status: short(r.Status), Text: short(r.Text)})
	}
	for i, result := range a.Actions {
		if !result.Stored() {
			losses = append(losses, Remark{Field: fmt.Sprintf("actions[%d]", i), Status: short(result.Status)})
		}
	}
	return losses
}

// withoutQuotes removes an unknown code that quotes the lead, and an id that is one of the lead's
// values, because both are logged.
func (a Answer) withoutQuotes(lead Lead) Answer {
	if a.Code != "" && !isKnownCode(a.Code) && NewRedactor(slices.Collect(lead.texts())...).Quotes(a.Code) {
		a.Code = ""
	}
	if a.Verdict != Created && a.Verdict != Duplicate {
		return a
	}
	for text := range lead.texts() {
		if strings.EqualFold(text, a.LeadID) {
			a.LeadID = ""
		}
	}
	return a
}

func isKnownCode(code string) bool {
	switch code {
	case CodeInvalidLead, CodeBadRequest, CodeLeadAlreadyExists, CodeNotAuthorized,
		CodeEnterpriseNotFound, CodeLicenseExpired, CodeBuyLicense, CodeLeadNotFound:
		return true
	}
	return false
}

// texts yields the lead's values as texts that may be quoted.
func (l Lead) texts() iter.Seq[string] {
	return func(yield func(string) bool) {
		if !eachText(l.Fields, yield) {
			return
		}
		for _, action := range l.Actions {
			if !eachText(action.Fields, yield) {
				return
			}
		}
	}
}

func eachText(fields map[string]any, yield func(string) bool) (more bool) {
	for _, value := range fields {
		if !textsOf(value, yield) {
			return false
		}
	}
	return true
}

// textsOf yields the ways in which a remark may quote value: as a whole, one line of it, or an email
// address without its domain. It reports whether yield wants more.
func textsOf(value any, yield func(string) bool) (more bool) {
	switch v := value.(type) {
	case string:
		if !yield(v) {
			return false
		}
		if local, _, isEmail := strings.Cut(v, "@"); isEmail && !yield(local) {
			return false
		}
		for line := range strings.SplitSeq(v, "\n") {
			if len(line) < len(v) && !yield(line) {
				return false
			}
		}
	case []string:
		for _, item := range v {
			if !yield(item) {
				return false
			}
		}
	case []any:
		for _, item := range v {
			if !textsOf(item, yield) {
				return false
			}
		}
	case bool, nil:
	default:
		text, err := json.Marshal(value)
		if err != nil {
			return yield(fmt.Sprint(value))
		}
		return yield(string(text))
	}
	return true
}
