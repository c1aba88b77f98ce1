package telecrm

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Losses returns the parts of the lead that were not stored, for logs. It hides the lead's values
// in TeleCRM's text, which may quote them, and then shortens the text.
func (a Answer) Losses(lead Lead) []Remark {
	if len(a.Remarks) == 0 && len(a.Actions) == 0 {
		return nil
	}
	values := NewRedactor(lead.texts()...)
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
	if a.Code != "" && !isKnownCode(a.Code) && NewRedactor(lead.texts()...).Quotes(a.Code) {
		a.Code = ""
	}
	isNew := a.Verdict == Created || a.Verdict == Duplicate
	if isNew && slices.ContainsFunc(lead.texts(), func(text string) bool { return strings.EqualFold(text, a.LeadID) }) {
		a.LeadID = ""
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

// texts returns the lead's values as texts that may be quoted.
func (l Lead) texts() []string {
	var texts []string
	collect := func(fields map[string]any) {
		for _, value := range fields {
			texts = append(texts, textsOf(value)...)
		}
	}
	collect(l.Fields)
	for _, action := range l.Actions {
		collect(action.Fields)
	}
	return texts
}

// textsOf returns the ways in which a remark may quote value: as a whole, one line of it, or an
// email address without its domain.
func textsOf(value any) []string {
	switch v := value.(type) {
	case string:
		texts := append(strings.Split(v, "\n"), v)
		if local, _, isEmail := strings.Cut(v, "@"); isEmail {
			texts = append(texts, local)
		}
		return texts
	case []string:
		return v
	case []any:
		var texts []string
		for _, item := range v {
			texts = append(texts, textsOf(item)...)
		}
		return texts
	case bool, nil:
		return nil
	}
	text, err := json.Marshal(value)
	if err != nil {
		return []string{fmt.Sprint(value)}
	}
	return []string{string(text)}
}
