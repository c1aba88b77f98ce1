package sandbox

import (
	"fmt"
	"net/http"
)

// appendActions follows https://docs.telecrm.in/sync-api/actions/create: the whole request is
// refused if an action's type cannot be written, and an invalid action is ignored. A field of a
// custom action with an invalid value is omitted and the rest stored, as in a create.
func (s *Sandbox) appendActions(id string, body []byte) answer {
	req, err := parseLead(body, "actions")
	if err == nil && len(req.actions) == 0 {
		err = errNoActions
	}
	if err != nil {
		return errorAnswer(http.StatusBadRequest, codeBadRequest, err.Error())
	}
	draft := s.newDraft(OpAppend)
	for i, entry := range req.actions {
		if !draft.writable(entry) {
			return errorAnswer(http.StatusBadRequest, codeBadRequest, fmt.Sprintf("actions[%d].type cannot be written.", i))
		}
	}
	draft.addActions(req.actions)
	s.lock()
	defer s.mu.Unlock()
	rec := s.store.byID(id)
	if rec == nil {
		return leadNotFound()
	}
	s.store.change(rec, draft)
	ans := jsonAnswer(http.StatusOK, createAnswer{LeadID: id, Actions: draft.answers, Remarks: draft.remarks})
	ans.leadID = id
	return ans
}

// writable reports whether the entry's type can be written: a payment or a custom action.
func (d *draft) writable(entry any) bool {
	object, _ := entry.(map[string]any)
	kind, _ := object["type"].(string)
	_, custom := d.definition(kind)
	return custom || kind == typePayment
}
