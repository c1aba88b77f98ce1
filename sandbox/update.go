package sandbox

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// updateLead follows https://docs.telecrm.in/sync-api/leads/update: only the supplied fields
// change. A body with other keys is refused, because TeleCRM does not document what it does with
// actions here.
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

// updateProblem returns why the whole update is refused, or "". The documentation of the update
// says that an invalid value, other than an unknown status, refuses the update.
// https://docs.telecrm.in/concepts/field-types says that such values are dropped, as with
// Config.DropInvalid. Unknown names are dropped in either case, as by a create.
//
// TeleCRM does not document what happens to a field that is locked after creation. An update of it
// is refused here, even with the same value, to reveal clients that would overwrite it.
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
