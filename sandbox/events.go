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
	// heartbeat keeps proxies from taking a quiet stream for a dead one.
	heartbeat = 15 * time.Second
	// streamWrite is how long a client may take to accept one event before its stream is dropped.
	streamWrite = 10 * time.Second
	// streamRetry is how long a browser waits before it opens a stream anew.
	streamRetry = 2 * time.Second
)

// cursor is a place in the order of changes: every lead as it was at the change seq of this era has been seen. Each Reset,
// each Delete and each Sandbox starts an era.
type cursor struct {
	era string
	seq uint64
}

// String is the form of the cursor in URLs and event ids.
func (c cursor) String() string {
	return fmt.Sprintf("%s-%d", c.era, c.seq)
}

// parseCursor reads what String wrote. Anything else is a cursor of no era.
func parseCursor(text string) cursor {
	era, digits, _ := strings.Cut(text, "-")
	seq, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return cursor{}
	}
	return cursor{era: era, seq: seq}
}

// news is what happened after a cursor.
type news struct {
	cursor  cursor // after all of it
	newEra  bool   // forget what was seen before
	records []record
	changed <-chan struct{} // closed when there is more
	due     time.Duration   // there is more by then at the latest; 0 if that is not known
}

// newsSince returns those of the newest leads, of as many as the page shows, that came or changed after the cursor, in
// order of arrival.
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

// place returns where a reader is who has seen the first i+1 records: before the earliest change that is still to come.
func (n news) place(i int) cursor {
	place := n.cursor
	for _, rec := range n.records[i+1:] {
		place.seq = min(place.seq, rec.seq-1)
	}
	return place
}

// serveEvents streams new and changed leads until the client goes, falls behind or the sandbox closes. A stream holds no queue: it
// remembers its place and reads on from there, so a slow client costs no memory and holds nobody up.
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
	HTML  string `json:"html"` // made by the page's own template, which escapes
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

// eventStream writes to one client.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// send writes and flushes within streamWrite. The deadline is lifted afterwards because HTTP/2 would end the idle stream
// at it; writers that know no deadlines do without.
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
