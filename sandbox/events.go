package sandbox

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// heartbeat keeps proxies from closing an idle stream.
	heartbeat = 15 * time.Second
	// streamWrite is the time limit for writing one event. A slower client is disconnected.
	streamWrite = 10 * time.Second
	// streamRetry is the time after which a browser reconnects.
	streamRetry = 2 * time.Second
)

// cursor is a position in the sequence of changes: the reader has seen every change of this era up
// to seq. Each Reset, each Delete and each Sandbox starts a new era.
type cursor struct {
	era string
	seq uint64
}

// String returns the cursor's form in URLs and event ids.
func (c cursor) String() string {
	return fmt.Sprintf("%s-%d", c.era, c.seq)
}

// parseCursor parses the result of String. Any other text gives a cursor of an unknown era.
func parseCursor(text string) cursor {
	era, digits, _ := strings.Cut(text, "-")
	seq, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return cursor{}
	}
	return cursor{era: era, seq: seq}
}

// news has the changes after a cursor.
type news struct {
	cursor  cursor // after all of it
	newEra  bool   // the reader must start over
	records []record
	changed <-chan struct{} // closed at the next change
	due     time.Duration   // time until the next pending upsert; 0 if there is none
}

// newsSince returns the leads that arrived or changed after the cursor, in order of arrival,
// limited to the newest leads that the page shows.
func (s *Sandbox) newsSince(seen cursor) news {
	s.lock()
	defer s.mu.Unlock()
	n := news{
		cursor:  cursor{era: s.store.era, seq: s.store.seq},
		newEra:  seen.era != s.store.era,
		changed: s.store.changed,
		due:     s.store.untilDue(s.cfg.Now()),
	}
	records := s.store.records
	records = records[max(0, len(records)-pageLeads):]
	for _, rec := range records {
		if n.newEra || rec.seq > seen.seq {
			rec.lead = rec.lead.clone()
			n.records = append(n.records, rec)
		}
	}
	return n
}

// place returns the cursor of a reader that has seen the first i+1 records: before the earliest
// change that it has not seen.
func (n news) place(i int) cursor {
	place := n.cursor
	for _, rec := range n.records[i+1:] {
		place.seq = min(place.seq, rec.seq-1)
	}
	return place
}

// serveEvents streams new and changed leads until the client disconnects or falls behind, or the
// sandbox closes. A stream does not have a queue: it continues from its cursor, so a slow client
// costs no memory and does not delay others.
func (s *Sandbox) serveEvents(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no")
	if r.Method == http.MethodHead {
		return
	}
	stream := eventStream{w: w, control: http.NewResponseController(w)}
	if err := stream.send(fmt.Appendf(nil, "retry: %d\n\n", streamRetry.Milliseconds())); err != nil {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	seen := parseCursor(cmp.Or(r.Header.Get("Last-Event-Id"), r.URL.Query().Get("after")))
	for {
		n := s.newsSince(seen)
		if err := stream.send(s.events(n)); err != nil {
			return
		}
		seen = n.cursor
		var due <-chan time.Time
		if n.due > 0 {
			due = time.After(n.due)
		}
		select {
		case <-n.changed:
		case <-due:
		case <-beat.C:
			if err := stream.send([]byte(": still here\n\n")); err != nil {
				return
			}
		case <-r.Context().Done():
			return
		case <-s.closed:
			return
		}
	}
}

// leadEvent is the data of an event.
type leadEvent struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	HTML  string `json:"html"` // from the page's template, which escapes
}

// events writes the news in the format of server-sent events.
func (s *Sandbox) events(n news) []byte {
	var out bytes.Buffer
	if n.newEra {
		fmt.Fprintf(&out, "event: reset\nid: %s\ndata: {}\n\n", cursor{era: n.cursor.era})
	}
	for i, rec := range n.records {
		view := s.viewLead(rec.lead)
		var fragment bytes.Buffer
		if err := pageTemplate.ExecuteTemplate(&fragment, "lead", view); err != nil {
			continue
		}
		data, err := json.Marshal(leadEvent{ID: view.ID, Title: view.Title, HTML: fragment.String()})
		if err != nil {
			continue
		}
		fmt.Fprintf(&out, "event: lead\nid: %s\ndata: %s\n\n", n.place(i), data)
	}
	return out.Bytes()
}

// eventStream writes events to one client.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// send writes and flushes within streamWrite. It removes the deadline afterwards, because HTTP/2
// would end the idle stream. Writers without deadlines do not get one.
func (e eventStream) send(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	_ = e.control.SetWriteDeadline(time.Now().Add(streamWrite))
	if _, err := e.w.Write(data); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	if err := e.control.Flush(); err != nil {
		return fmt.Errorf("flush events: %w", err)
	}
	_ = e.control.SetWriteDeadline(time.Time{})
	return nil
}
