package sandbox

import (
	"net/http"
	"time"
)

// upsert is a lead that the Async API has accepted.
type upsert struct {
	due time.Time
	req leadRequest
}

// upsertLead follows https://docs.telecrm.in/async-api/create-or-update-lead. It does not report
// invalid parts. It only refuses a body that does not have the documented shape, which is a guess.
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
		s.store.announce() // event streams then know when the upsert is due
	}
	s.mu.Unlock()
	if s.cfg.AsyncPlainOK {
		return answer{status: http.StatusOK, contentType: "text/plain; charset=utf-8", body: []byte("OK")}
	}
	return jsonAnswer(http.StatusOK, map[string]string{"status": "QUEUED"})
}

// lock locks the store and applies all upserts that are due.
func (s *Sandbox) lock() {
	s.mu.Lock()
	s.applyDue()
}

// applyDue applies the pending upserts that are due, in order. The caller holds Sandbox.mu.
func (s *Sandbox) applyDue() {
	for len(s.store.pending) > 0 && !s.cfg.Now().Before(s.store.pending[0].due) {
		s.apply(s.store.pending[0])
		s.store.pending = s.store.pending[1:]
	}
}

// apply updates the lead with the identifier, or creates it. Without a valid identifier it drops
// the whole lead. See https://docs.telecrm.in/async-api/pitfalls.
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
	delete(fields, s.schema.Identifier) // the identifier cannot change
	draft.addFields(fields)
	draft.addActions(req.actions)
	s.store.change(rec, draft)
}
