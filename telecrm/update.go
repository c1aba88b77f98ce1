package telecrm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
)

// UpdateLead sets fields of a lead and leaves the others as they are
// (https://docs.telecrm.in/sync-api/leads/update). It sends one request; none,
// and answers [Rejected], without an id and at least one field.
//
// The verdict is [Done], [Missing], [Rejected], [Hold] or [Retry]. The fields
// must not hold the lead identifier, even unchanged. One value that its field
// does not take can have the whole update refused, or be dropped: a field that
// was sent and that the answer, which shows the lead as it is, does not show is
// a remark; so is a status when the answer shows another one. Repeating an
// update does no harm.
func (c *Client) UpdateLead(ctx context.Context, leadID string, fields map[string]any) Answer {
	path, err := leadPath(leadID)
	if err != nil {
		return unsent(fmt.Errorf("updating lead: %w", err))
	}
	if len(fields) == 0 {
		return unsent(errors.New("updating lead: no field to set"))
	}
	body, err := json.Marshal(map[string]any{"fields": fields})
	if err != nil {
		return unsent(errNoJSON)
	}
	return readUpdated(c.conn.post(ctx, EndpointUpdate, path, body), leadID, fields).withoutQuotes(Lead{Fields: fields})
}

// leadPath returns where a lead is. An id cannot lead to another place.
func leadPath(leadID string) (string, error) {
	switch leadID {
	case "":
		return "", errors.New("no lead id")
	case ".", "..":
		return "", errors.New("no lead can have that id")
	}
	return "/lead/" + url.PathEscape(leadID), nil
}

// readUpdated makes an answer of what came back of an update with those
// fields.
func readUpdated(r reply, leadID string, sent map[string]any) Answer {
	showsFields := func(_ Answer, doc *document) bool { return present(doc.Fields) }
	answer, doc := readStored(r, showsFields)
	answer = answer.changingLead(leadID).settled(r)
	if answer.Verdict == Done && doc != nil {
		for _, remark := range dropped(r.body, sent) {
			if !answer.remarks(remark.Field) {
				answer.Remarks = append(answer.Remarks, remark)
			}
		}
	}
	return answer
}

func (a Answer) remarks(field string) bool {
	return slices.ContainsFunc(a.Remarks, func(r Remark) bool { return r.Field == field })
}

// dropped remarks the fields that were sent and that the answer's body, which
// shows the lead as it is, does not show. A body that shows no fields says
// nothing about any.
func dropped(body []byte, sent map[string]any) []Remark {
	shown, _ := shownFields(body)
	if len(shown) == 0 {
		return nil
	}
	var remarks []Remark
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		value, ok := shown[name]
		remark := Remark{Field: "fields." + name, Status: statusIgnored}
		switch {
		case sent[name] == nil:
		case !ok:
			remark.Text = "The answer does not show the field"
			remarks = append(remarks, remark)
		case name == fieldStatus && !sameScalar(sent[name], value):
			// A label that the pipeline does not have is dropped without a
			// word, and every lead has a status to show.
			remark.Text = "The answer shows another status"
			remarks = append(remarks, remark)
		}
	}
	return remarks
}
