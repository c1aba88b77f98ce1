package sandbox

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// getLead follows https://docs.telecrm.in/sync-api/leads/get. Actions are in the order in which
// they were stored, which is not documented, with their times, which only live answers have.
func (s *Sandbox) getLead(id, query string) answer {
	page, err := parsePage(query)
	if err != nil {
		return errorAnswer(http.StatusBadRequest, codeBadRequest, err.Error())
	}
	withActions, err := parseFlag(query, "includeActions")
	if err != nil {
		return errorAnswer(http.StatusBadRequest, codeBadRequest, err.Error())
	}
	s.lock()
	defer s.mu.Unlock()
	rec := s.store.byID(id)
	if rec == nil {
		return leadNotFound()
	}
	shown := s.showLead(rec.lead)
	if withActions {
		actions := rec.lead.Actions
		actions = actions[min(page.skip, len(actions)):]
		actions = actions[:min(page.limit, len(actions))]
		entries := make([]map[string]any, 0, len(actions))
		for _, action := range actions {
			entries = append(entries, s.showAction(action))
		}
		shown["actions"], shown["actions_skip"], shown["actions_limit"] = entries, page.skip, page.limit
	}
	return jsonAnswer(http.StatusOK, shown)
}

// parseFlag parses a query parameter that is true or false. The default is false.
func parseFlag(query, name string) (bool, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return false, errors.New("the query is malformed")
	}
	switch values.Get(name) {
	case "true":
		return true, nil
	case "false", "":
		return false, nil
	}
	return false, errors.New(name + " must be true or false")
}

// showLead returns a lead in the form that reading and updating it return.
func (s *Sandbox) showLead(lead Lead) map[string]any {
	fields := cloneFields(lead.Fields)
	s.addStatus(fields)
	shown := map[string]any{"fields": fields}
	if !s.cfg.LiveShapes {
		return shown
	}
	for name, live := range map[string]string{fieldStatus: fieldStatus, fieldRating: fieldRating, fieldAssignee: fieldEmployee} {
		if value, ok := fields[name]; ok {
			shown[live] = value
			delete(fields, name)
		}
	}
	return shown
}

// showAction returns an entry of the timeline. A payment's values are next to its type, as in a
// request.
func (s *Sandbox) showAction(action Action) map[string]any {
	entry := map[string]any{"type": action.Type, "creationTimestamp": epochMillis(action.CreatedAt)}
	if action.Type == typePayment {
		maps.Copy(entry, action.Fields)
		return entry
	}
	if s.cfg.LiveShapes {
		entry["type"] = actionPrefix + action.Type
	}
	entry["fields"] = cloneFields(action.Fields)
	return entry
}

func epochMillis(at time.Time) json.Number {
	return json.Number(strconv.FormatInt(at.UnixMilli(), 10))
}
