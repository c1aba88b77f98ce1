package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
)

// fieldAnswer is one field in the answer of
// https://docs.telecrm.in/sync-api/enterprise/custom-fields-list. Whether TeleCRM lists the
// standard fields is not documented; the sandbox does.
type fieldAnswer struct {
	ID              string    `json:"id,omitempty"`
	Type            FieldType `json:"type"`
	APIName         string    `json:"apiName"`
	Description     string    `json:"description,omitempty"`
	LockAfterCreate bool      `json:"lockAfterCreate"`
	IsLeadID        bool      `json:"isLeadid"`
	Options         any       `json:"options,omitempty"` // labels, or with detail []optionAnswer
}

type optionAnswer struct {
	ID    string `json:"id"`
	Label string `json:"label"`
}

func (s *Sandbox) customFields(query string) answer {
	detail, err := parseFlag(query, "detail")
	if err != nil {
		return errorAnswer(http.StatusBadRequest, codeBadRequest, err.Error())
	}
	fields := make([]fieldAnswer, 0, len(s.schema.Fields))
	for _, field := range s.schema.Fields {
		ans := fieldAnswer{
			Type: field.Type, APIName: field.APIName,
			LockAfterCreate: field.LockAfterCreate, IsLeadID: field.APIName == s.schema.Identifier,
		}
		if len(field.Options) > 0 {
			ans.Options = field.Options
		}
		if detail {
			ans.ID, ans.Description = schemaID(field.APIName), "A "+string(field.Type)+" of the sandbox"
			ans.Options = detailedOptions(field)
		}
		fields = append(fields, ans)
	}
	return jsonAnswer(http.StatusOK, map[string]any{"customFields": fields})
}

func detailedOptions(field Field) any {
	if len(field.Options) == 0 {
		return nil
	}
	options := make([]optionAnswer, 0, len(field.Options))
	for _, label := range field.Options {
		options = append(options, optionAnswer{ID: schemaID(field.APIName + "\x00" + label), Label: label})
	}
	return options
}

// schemaID returns a stable id for a part of the schema.
func schemaID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:12])
}
