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

// UpdateLead sets fields of a lead and leaves the others unchanged
// (https://docs.telecrm.in/sync-api/leads/update). It sends one request. Without an id or without
// fields it sends none and returns [Rejected].
//
// The verdict is [Done], [Missing], [Rejected], [Hold] or [Retry]. The fields must not include the
// lead identifier, even unchanged. One invalid value may reject the whole update, or be dropped. So
// the answer, which shows the updated lead, has a remark for each field that was sent and is not
// shown, and for a status that differs. Repeating an update is harmless.
func (c *Client) UpdateLead(ctx context.Context, leadID string, fields map[string]any) Answer {
	path, err := leadPath(leadID)
	if err != nil {
		return unsent(fmt.Errorf("updating lead: %w", err))
	}
	if len(fields) == 0 {
		return unsent(errors.New("updating lead: no fields"))
	}
	body, err := json.Marshal(map[string]any{"fields": fields})
	if err != nil {
		return unsent(errNotEncodable)
	}
	return readUpdated(c.conn.post(ctx, EndpointUpdate, path, body), leadID, fields).withoutQuotes(Lead{Fields: fields})
}

// leadPath returns the path of a lead. It escapes the id, so that it cannot point elsewhere.
func leadPath(leadID string) (string, error) {
	switch leadID {
	case "":
		return "", errors.New("no lead id")
	case ".", "..":
		return "", errors.New("invalid lead id")
	}
	return "/lead/" + url.PathEscape(leadID), nil
}

// readUpdated returns the answer to an update with the sent fields.
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

// dropped returns remarks for the sent fields that the response, which shows the updated lead,
// lacks. If it shows no fields at all, dropped returns none.
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
			remark.Text = "the answer does not show the field"
			remarks = append(remarks, remark)
		case name == fieldStatus && !sameScalar(sent[name], value):
			// TeleCRM silently drops a label that the pipeline does not have, and always shows a
			// status.
			remark.Text = "the answer shows another status"
			remarks = append(remarks, remark)
		}
	}
	return remarks
}
