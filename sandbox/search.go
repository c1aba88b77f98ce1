package sandbox

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// See https://docs.telecrm.in/sync-api/overview and https://docs.telecrm.in/sync-api/leads/search.
const (
	defaultLimit = 10
	maxLimit     = 100
)

// The fields that every lead has, and that requests cannot set.
const (
	fieldCreatedOn  = "created_on"
	fieldModifiedOn = "modified_on"
)

// The standard fields that live answers show next to a row's fields, not among them.
const (
	fieldStatus   = "status"
	fieldRating   = "rating"
	fieldAssignee = "assignee"
	fieldEmployee = "employeeid" // the assignee in live answers
)

// searchAnswer is the body of a 200, in the form of live answers, which have more than
// https://docs.telecrm.in/sync-api/leads/search.
type searchAnswer struct {
	Data       []searchRow `json:"data"`
	TotalCount int         `json:"total_count"`
	Skip       int         `json:"skip"`
	Limit      int         `json:"limit"`
}

type searchRow struct {
	ID         string         `json:"id,omitempty"`
	Status     string         `json:"status,omitempty"`
	EmployeeID any            `json:"employeeid,omitempty"`
	Rating     any            `json:"rating,omitempty"`
	CreatedBy  string         `json:"createdBy"`
	IsArchived bool           `json:"isArchived"`
	IsSpam     bool           `json:"isSpam"`
	Fields     map[string]any `json:"fields"`
	Actions    []Action       `json:"actions"` // always empty, even if the lead has actions
}

// page is the requested part of the matching leads.
type page struct {
	skip, limit int
}

func (s *Sandbox) searchLeads(query string, body []byte) answer {
	page, err := parsePage(query)
	if err != nil {
		return errorAnswer(http.StatusBadRequest, codeBadRequest, err.Error())
	}
	filter, err := s.parseSearch(body)
	if err != nil {
		return errorAnswer(http.StatusBadRequest, codeBadRequest, err.Error())
	}
	rows := s.find(filter)
	ans := searchAnswer{Data: rows, TotalCount: len(rows), Skip: page.skip, Limit: page.limit}
	ans.Data = ans.Data[min(page.skip, len(rows)):]
	ans.Data = ans.Data[:min(page.limit, len(ans.Data))]
	return jsonAnswer(http.StatusOK, ans)
}

func parsePage(query string) (page, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return page{}, errors.New("the query is malformed")
	}
	p := page{limit: defaultLimit}
	if values.Has("skip") {
		p.skip, err = strconv.Atoi(values.Get("skip"))
		if err != nil || p.skip < 0 {
			return page{}, errors.New("skip must be a number, at least 0")
		}
	}
	if values.Has("limit") {
		p.limit, err = strconv.Atoi(values.Get("limit"))
		if err != nil || p.limit < 1 || p.limit > maxLimit {
			return page{}, fmt.Errorf("limit must be a number from 1 to %d", maxLimit)
		}
	}
	return p, nil
}

// parseSearch parses a search's body. TeleCRM also documents filters by action, which are not
// supported here.
func (s *Sandbox) parseSearch(body []byte) (leadFilter, error) {
	decoded, err := decodeJSON(body)
	if err != nil {
		return nil, err
	}
	object, ok := decoded.(map[string]any)
	if !ok {
		return nil, errors.New("the body must be a JSON object")
	}
	var filter leadFilter
	for _, key := range slices.Sorted(maps.Keys(object)) {
		values, ok := object[key].(map[string]any)
		switch {
		case key != "fields" && key != "actions":
			return nil, fmt.Errorf("body: unknown key %q", key)
		case !ok:
			return nil, fmt.Errorf("%q has the wrong JSON type", key)
		case key == "actions" && len(values) > 0:
			return nil, errors.New("the sandbox does not support searching by actions")
		case key == "fields":
			if filter, err = s.newFilter(values); err != nil {
				return nil, err
			}
		}
	}
	return filter, nil
}

// find returns the matching leads as rows, newest first. It leaves out leads that are not indexed
// yet.
func (s *Sandbox) find(filter leadFilter) []searchRow {
	s.lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	rows := []searchRow{}
	sought := filter[s.schema.Identifier]
	for i := range slices.Backward(s.store.records) {
		rec := &s.store.records[i]
		// Most searches are by the identifier, which is known without building the shown fields.
		if sought != nil && !sought(s.shownValue(s.schema.Identifier, rec.lead.Fields[s.schema.Identifier])) {
			continue
		}
		fields := s.shownFields(rec.lead)
		if now.Sub(rec.lead.CreatedAt) < s.cfg.Search.IndexDelay || !filter.matches(fields) {
			continue
		}
		if rec.missed < s.cfg.Search.IndexSearches {
			rec.missed++
			continue
		}
		rows = append(rows, s.newRow(rec.lead.ID, fields))
		if s.cfg.Search.Twins {
			rows = append(rows, s.newRow(twinID(rec.lead.ID), fields))
		}
	}
	return rows
}

// twinID returns the id of a lead's twin, which is the same in every search.
func twinID(id string) string {
	digits := []byte(id)
	slices.Reverse(digits)
	return string(digits)
}

// shownFields returns a lead's fields in the form of search results: phone numbers with + and
// calling code, a status even if none was sent, and the times.
func (s *Sandbox) shownFields(lead Lead) map[string]any {
	fields := cloneFields(lead.Fields)
	for name, value := range fields {
		fields[name] = s.shownValue(name, value)
	}
	s.addStatus(fields)
	modified := lead.CreatedAt
	if n := len(lead.Changes); n > 0 {
		modified = lead.Changes[n-1].At
	}
	fields[fieldCreatedOn], fields[fieldModifiedOn] = epochMillis(lead.CreatedAt), epochMillis(modified)
	return fields
}

// shownValue returns a field's value in the form of search results.
func (s *Sandbox) shownValue(name string, value any) any {
	field, _ := findField(s.schema.Fields, name)
	if text, ok := value.(string); ok && field.Type == TypePhone {
		return "+" + s.schema.normalizePhone(text)
	}
	return value
}

// addStatus adds the default status if none was sent.
func (s *Sandbox) addStatus(fields map[string]any) {
	if _, sent := fields[fieldStatus]; !sent && len(s.schema.Statuses) > 0 {
		fields[fieldStatus] = s.schema.Statuses[0].Label
	}
}

func (s *Sandbox) newRow(id string, fields map[string]any) searchRow {
	row := searchRow{ID: id, CreatedBy: "API Integrator", Actions: []Action{}, Fields: maps.Clone(fields)}
	if s.cfg.Search.HideIDs {
		row.ID = ""
	}
	row.Status, _ = fields[fieldStatus].(string)
	row.EmployeeID, row.Rating = fields[fieldAssignee], fields[fieldRating]
	for _, name := range []string{fieldStatus, fieldAssignee, fieldRating} {
		delete(row.Fields, name)
	}
	return row
}
