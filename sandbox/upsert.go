package sandbox

import (
	"net/http"
	"time"
)

// upsert is a lead that the Async API has taken.
type upsert struct {
	due time.Time
	req leadRequest
}

// upsertLead takes a lead as https://docs.telecrm.in/async-api/create-or-update-lead says. Whatever is wrong with it is not
// told. Only a body that is not in the documented shape at all is refused, which is a guess.
func (s *Sandbox) upsertLead(body []byte) answer {
	req, err := parseLead(body, "fields", "actions")
	if err == nil && req.fields == nil {
		err = errNoFields
	}
	if err != nil {
		return errorAnswer(http.StatusBadRequest, codeBadRequest, err.Error())
	}
	s.lock()
	s.store.pending = append(s.store.pending, upsert{due: s.cfg.Now().Add(s.cfg.AsyncDelay), req: req})
	s.applyDue()
	if len(s.store.pending) > 0 {
		s.store.announce() // whoever waits for news learns when there will be some
	}
	s.mu.Unlock()
	if s.cfg.AsyncPlainOK {
		return answer{status: http.StatusOK, contentType: "text/plain; charset=utf-8", body: []byte("OK")}
	}
	return jsonAnswer(http.StatusOK, map[string]string{"status": "QUEUED"})
}

// lock locks the store with everything in it that is due.
func (s *Sandbox) lock() {
	s.mu.Lock()
	s.applyDue()
}

// applyDue does the pending upserts that are due, in the order in which they were taken. Sandbox.mu is held.
func (s *Sandbox) applyDue() {
	for len(s.store.pending) > 0 && !s.cfg.Now().Before(s.store.pending[0].due) {
		s.apply(s.store.pending[0])
		s.store.pending = s.store.pending[1:]
	}
}

// apply updates the lead that has the identifier, or else creates it. Without a usable identifier the whole lead is
// dropped. See https://docs.telecrm.in/async-api/pitfalls.
func (s *Sandbox) apply(taken upsert) {
	req := taken.req
	identifier, err := s.schema.identifierOf(req.fields)
	if err != nil {
		return
	}
	draft := s.newDraft(OpUpsert)
	draft.at = taken.due
	rec := s.store.byIdentifier(identifier)
	if rec == nil {
		draft.addFields(req.fields)
		draft.addActions(req.actions)
		s.store.add(draft.newLead(), identifier)
		return
	}
	draft.existing = true
	fields := cloneFields(req.fields)
	delete(fields, s.schema.Identifier) // it is what the lead was found by, and cannot change
	draft.addFields(fields)
	draft.addActions(req.actions)
	s.store.change(rec, draft)
}
