package sandbox

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// updateLead follows https://docs.telecrm.in/sync-api/leads/update: only the supplied fields change. A body with anything
// but fields is refused, as what TeleCRM does with actions here is not documented.
func (s *Sandbox) updateLead(id string, body []byte) answer {
	req, err := parseLead(body, "fields")
	if err == nil && len(req.fields) == 0 {
		err = errNoFields
	}
	if err != nil {
		return errorAnswer(http.StatusBadRequest, codeBadRequest, err.Error())
	}
	s.lock()
	defer s.mu.Unlock()
	rec := s.store.byID(id)
	if rec == nil {
		return leadNotFound()
	}
	if _, present := req.fields[s.schema.Identifier]; present {
		return errorAnswer(http.StatusForbidden, codeInvalidLead,
			fmt.Sprintf("The lead identifier %s cannot be updated.", s.schema.Identifier))
	}
	if problem := s.updateProblem(req.fields); problem != "" {
		return errorAnswer(http.StatusBadRequest, codeBadRequest, problem)
	}
	draft := s.newDraft(OpUpdate)
	draft.existing = true
	draft.addFields(req.fields)
	s.store.change(rec, draft)
	ans := jsonAnswer(http.StatusOK, s.showLead(rec.lead))
	ans.leadID = id
	return ans
}

// updateProblem says why an update is refused as a whole, or "". The page of the update says that an invalid value has it
// refused, except for a status that does not exist; https://docs.telecrm.in/concepts/field-types says that such values are
// dropped, which is what Config.DropInvalid is for. Names that do not exist are dropped in either case, as by a create.
//
// What happens to a field that is locked after creation is not documented. It is refused here, even with the value that is
// there, so that a client which would overwrite it shows.
func (s *Sandbox) updateProblem(fields map[string]any) string {
	if s.cfg.DropInvalid {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		field, known := findField(s.schema.Fields, name)
		if !known {
			continue
		}
		if field.LockAfterCreate {
			return fmt.Sprintf("fields.%s: %s", name, lockedField)
		}
		_, isText := fields[name].(string)
		if problem := s.schema.problem(field, fields[name]); problem != "" && (field.Type != TypeStatus || !isText) {
			return fmt.Sprintf("fields.%s: %s", name, problem)
		}
	}
	return ""
}

const lockedField = "Field is locked after the lead was created"
