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

// searchLimit is how many leads a search asks for. An identifier has one lead, or a few if
// something went wrong. The API allows 100 (https://docs.telecrm.in/sync-api/leads/search).
const searchLimit = 10

// Found is the result of a search.
type Found struct {
	// Leads are the matching leads, newest first, at most 10. A caller that looks for one lead must
	// still compare each with [IdentifierKind.Same].
	Leads []FoundLead

	// More means that other leads match too, or may. No lead in Leads is then certain to be the
	// only one.
	More bool

	// ServerTime is TeleCRM's time, to the second; zero if it was not sent. It makes a lead's
	// CreatedOn comparable with a clock that differs from TeleCRM's.
	ServerTime time.Time

	// Failure is the reason for having no result; nil if there is one, even an empty one. Its
	// verdict is [Retry], [Hold] or [Rejected], which is about the search and not about a lead. It
	// is never Ambiguous, because searching twice is harmless.
	Failure *Answer
}

// FoundLead is one lead of a search result.
type FoundLead struct {
	// ID is the id for later calls. It may be empty: the documentation contradicts itself on
	// whether results contain it (https://docs.telecrm.in/sync-api/leads/get).
	ID string

	// Identifier is the value of the search field, in TeleCRM's spelling; empty if not shown. It is
	// personal data.
	Identifier string

	// CreatedOn is when the lead was created, by TeleCRM's clock, to the millisecond; zero if not
	// shown in epoch milliseconds.
	CreatedOn time.Time

	// Fields are the shown values, as in [Shown]. They are personal data.
	Fields map[string]any
}

// OK reports whether the search succeeded.
func (f Found) OK() bool { return f.Failure == nil }

// Reason describes the result for logs, as [Answer.Reason] does. It never contains values.
func (f Found) Reason() string {
	if !f.OK() {
		return f.Failure.Reason()
	}
	if f.More {
		return fmt.Sprintf("leads found: at least %d", len(f.Leads))
	}
	return fmt.Sprintf("leads found: %d", len(f.Leads))
}

// Format writes [Found.Reason] for every verb, because the leads are personal data.
func (f Found) Format(s fmt.State, _ rune) {
	_, _ = s.Write([]byte(f.Reason()))
}

// Format writes the lead's id for every verb, because the rest is personal data.
func (l FoundLead) Format(s fmt.State, _ rune) {
	_, _ = s.Write([]byte("lead " + l.ID))
}

// FindLeads searches for leads whose field equals one of the spellings, such as those of
// [IdentifierKind.Spellings] (https://docs.telecrm.in/sync-api/leads/search). It sends one request,
// with the same pace and timeout as [Client.CreateLead]. Without a field or a spelling that is not
// blank, it sends none and fails as [Rejected], because an empty search matches every lead.
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
		return nil, errors.New("searching leads: no field; use the lead identifier")
	}
	wanted := make([]string, 0, len(spellings))
	for _, s := range spellings {
		if strings.TrimSpace(s) != "" {
			wanted = append(wanted, s)
		}
	}
	if len(wanted) == 0 {
		return nil, errors.New("searching leads: the lead identifier is blank")
	}
	body, err := json.Marshal(map[string]any{"fields": map[string]any{field: wanted}})
	if err != nil {
		return nil, fmt.Errorf("encoding search: %w", err)
	}
	return body, nil
}

// readFound returns the result of a search by field.
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

// searchRows returns the rows of a successful answer. A response without a list is an error: read
// as an empty list, it would tell the caller that a lead does not exist.
func searchRows(r reply, doc *document) ([]json.RawMessage, error) {
	if err := r.unreadable(doc); err != nil {
		return nil, err
	}
	if doc == nil {
		return nil, errNotTeleCRM
	}
	var rows []json.RawMessage
	if json.Unmarshal(doc.Data, &rows) != nil || rows == nil {
		return nil, errNotTeleCRM
	}
	return rows, nil
}

// foundLeads parses the rows. more means that other leads may match.
func foundLeads(rows []json.RawMessage, totalCount json.RawMessage, field string) (leads []FoundLead, more bool) {
	for _, row := range rows[:min(len(rows), searchLimit)] {
		if lead, ok := foundLead(row, field); ok {
			leads = append(leads, lead)
		}
	}
	total, err := strconv.Atoi(text(totalCount))
	if err != nil {
		// Without a total, a full page may not be the last one.
		return leads, len(leads) < len(rows) || len(rows) >= searchLimit
	}
	return leads, len(leads) < max(total, len(rows))
}

// foundLead parses one row. Values that are documented inside fields were seen beside it, and vice
// versa, so it looks in both places.
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

// The range of epoch milliseconds: from 2001 to 9999. A smaller number is in seconds and a larger
// one in microseconds. Reading either as milliseconds would give a wrong date.
const (
	firstMillis = 1_000_000_000_000
	lastMillis  = 253_402_300_799_999
)

// epochMillis parses a time in epoch milliseconds, in any notation of a JSON number. It returns
// zero for anything else.
func epochMillis(s string) time.Time {
	millis, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(millis >= firstMillis && millis <= lastMillis) { // also false for NaN
		return time.Time{}
	}
	return time.UnixMilli(int64(millis)).UTC()
}
