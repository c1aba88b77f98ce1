package telecrm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// searchLimit is how many leads a search asks for. One identifier has one
// lead, and few when something went wrong; the API allows 100
// (https://docs.telecrm.in/sync-api/leads/search).
const searchLimit = 10

// Found is what a search found.
type Found struct {
	// Leads are the leads that match, newest first, of at most 10. A caller
	// that looks for one lead must still compare each with
	// [IdentifierKind.Same].
	Leads []FoundLead

	// More tells that other leads match too, or may: no lead in Leads can
	// then be taken for the only one.
	More bool

	// ServerTime is what TeleCRM's clock showed when it answered, to the
	// second; zero if it did not tell. With it a lead's CreatedOn can be held
	// against a clock that goes differently.
	ServerTime time.Time

	// Failure says why there is no result; nil if there is one, which may be
	// that no lead matches. Its verdict is [Retry], [Hold] or [Rejected], the
	// latter about this search, not about a lead. It is never Ambiguous:
	// searching twice does no harm.
	Failure *Answer
}

// FoundLead is one lead of a search's result.
type FoundLead struct {
	// ID is usable in later calls. It may be empty: the documents disagree on
	// whether results hold it (https://docs.telecrm.in/sync-api/leads/get).
	ID string

	// Identifier is the value of the field searched by, in TeleCRM's
	// spelling; empty if it was not shown. It is personal data.
	Identifier string

	// CreatedOn is when the lead was created, by TeleCRM's clock, to the
	// millisecond; zero if that was not shown or not in epoch milliseconds.
	CreatedOn time.Time

	// Fields are the values that the search showed, as in [Shown]. They are
	// personal data.
	Fields map[string]any
}

// OK reports whether the search was carried out.
func (f Found) OK() bool { return f.Failure == nil }

// Reason describes the result in a few words fit for logs, as
// [Answer.Reason] does: never a value.
func (f Found) Reason() string {
	if !f.OK() {
		return f.Failure.Reason()
	}
	if f.More {
		return fmt.Sprintf("leads found: %d and more", len(f.Leads))
	}
	return fmt.Sprintf("leads found: %d", len(f.Leads))
}

// Format writes [Found.Reason], for every verb, because the leads hold
// personal data.
func (f Found) Format(s fmt.State, _ rune) {
	_, _ = s.Write([]byte(f.Reason()))
}

// Format writes the lead's id, for every verb, because the rest is
// personal data.
func (l FoundLead) Format(s fmt.State, _ rune) {
	_, _ = s.Write([]byte("lead " + l.ID))
}

// FindLeads searches for the leads whose field equals one of the spellings,
// such as [IdentifierKind.Spellings] gives
// (https://docs.telecrm.in/sync-api/leads/search). It sends one request, under
// the same pace and timeout as [Client.CreateLead]. Without a field and at
// least one spelling that is not blank it sends none and fails as [Rejected],
// because an empty search matches every lead.
func (c *Client) FindLeads(ctx context.Context, field string, spellings []string) Found {
	body, err := searchBody(field, spellings)
	if err != nil {
		answer := unsent(err)
		return Found{Failure: &answer}
	}
	path := fmt.Sprintf("/lead/search?skip=0&limit=%d", searchLimit)
	found := readFound(c.conn.post(ctx, EndpointSearch, path, body), field)
	if found.Failure != nil {
		failure := found.Failure.withoutQuotes(Lead{Fields: map[string]any{field: spellings}})
		found.Failure = &failure
	}
	return found
}

func searchBody(field string, spellings []string) ([]byte, error) {
	if field == "" {
		return nil, errors.New("searching leads: no field to search by; name the lead identifier")
	}
	wanted := make([]string, 0, len(spellings))
	for _, s := range spellings {
		if strings.TrimSpace(s) != "" {
			wanted = append(wanted, s)
		}
	}
	if len(wanted) == 0 {
		return nil, errors.New("searching leads: no value to search for; the lead identifier is blank")
	}
	body, err := json.Marshal(map[string]any{"fields": map[string]any{field: wanted}})
	if err != nil {
		return nil, fmt.Errorf("encoding search: %w", err)
	}
	return body, nil
}

// readFound makes a result of what came back of a search by field.
func readFound(r reply, field string) Found {
	found := Found{ServerTime: r.date}
	answer, doc := read(r)
	if answer.Verdict == Created {
		rows, err := searchRows(r, doc)
		if err == nil {
			found.Leads, found.More = foundLeads(rows, doc.TotalCount, field)
			return found
		}
		answer.Verdict = Retry
		answer.Err = fmt.Errorf("reading search result: %w", err)
	}
	found.Failure = failedRead(answer)
	return found
}

// searchRows returns the rows of a successful answer. One without a list is no
// result: reading it as an empty one could make a caller believe that a lead
// does not exist.
func searchRows(r reply, doc *document) ([]json.RawMessage, error) {
	if err := r.unreadable(doc); err != nil {
		return nil, err
	}
	if doc == nil {
		return nil, errBroken
	}
	var rows []json.RawMessage
	if json.Unmarshal(doc.Data, &rows) != nil || rows == nil {
		return nil, errBroken
	}
	return rows, nil
}

// foundLeads reads the rows. More tells that the leads are not known to be all
// that match.
func foundLeads(rows []json.RawMessage, totalCount json.RawMessage, field string) (leads []FoundLead, more bool) {
	for _, row := range rows[:min(len(rows), searchLimit)] {
		if lead, ok := foundLead(row, field); ok {
			leads = append(leads, lead)
		}
	}
	total, err := strconv.Atoi(text(totalCount))
	if err != nil {
		// Untold, so a full page may not be the last one.
		return leads, len(leads) < len(rows) || len(rows) >= searchLimit
	}
	return leads, len(leads) < max(total, len(rows))
}

// foundLead reads one row. Values that the documents show among the fields
// were seen beside them and the other way round, so it looks in both places.
func foundLead(row json.RawMessage, field string) (FoundLead, bool) {
	var top, fields map[string]json.RawMessage
	if json.Unmarshal(row, &top) != nil || top == nil {
		return FoundLead{}, false
	}
	_ = json.Unmarshal(top["fields"], &fields)
	shown, _ := shownFields(row)
	return FoundLead{
		Fields:     shown,
		ID:         rowID(top),
		Identifier: firstText(fields[field], top[field]),
		CreatedOn:  epochMillis(firstText(fields["created_on"], top["created_on"])),
	}, true
}

func rowID(row map[string]json.RawMessage) string {
	for _, key := range []string{"id", "_id", "lead_id", "leadId"} {
		if id := id(row[key]); id != "" {
			return id
		}
	}
	return ""
}

func firstText(values ...json.RawMessage) string {
	for _, raw := range values {
		if s := text(raw); s != "" {
			return s
		}
	}
	return ""
}

// The moments that are taken for epoch milliseconds: from 2001 to 9999. A
// smaller number is in seconds and a larger one in microseconds; believing
// either would date a lead wrongly.
const (
	firstMillis = 1_000_000_000_000
	lastMillis  = 253_402_300_799_999
)

// epochMillis reads a moment, in whatever way a JSON encoder writes a number;
// zero if it is not in epoch milliseconds.
func epochMillis(s string) time.Time {
	millis, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(millis >= firstMillis && millis <= lastMillis) { // NaN too
		return time.Time{}
	}
	return time.UnixMilli(int64(millis)).UTC()
}
