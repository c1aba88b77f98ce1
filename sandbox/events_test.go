package sandbox_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// stream is an event stream over a real connection.
type stream struct {
	t    *testing.T
	body *bufio.Scanner
	id   string // of the last event
}

func openStream(t *testing.T, base, after, lastID string) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/events?after="+after, nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		r.Header.Set("Last-Event-Id", lastID)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("content type %q", got)
	}
	scanner := bufio.NewScanner(res.Body)
	scanner.Buffer(nil, 1<<20)
	return &stream{t: t, body: scanner}
}

// next returns the kind and the data of the next event, or "" at the end of the stream.
func (s *stream) next() (kind, data string) {
	s.t.Helper()
	for s.body.Scan() {
		field, value, _ := strings.Cut(s.body.Text(), ": ")
		switch field {
		case "event":
			kind = value
		case "id":
			s.id = value
		case "data":
			data = value
		case "":
			if kind != "" {
				return kind, data
			}
		}
	}
	if err := s.body.Err(); err != nil {
		s.t.Fatal(err)
	}
	return "", ""
}

func (s *stream) wantLead(phone string) {
	s.t.Helper()
	kind, data := s.next()
	var lead struct{ ID, Title, HTML string }
	if err := json.Unmarshal([]byte(data), &lead); kind != "lead" || err != nil {
		s.t.Fatalf("event %q with %q: %v", kind, data, err)
	}
	if lead.Title != phone || !strings.Contains(lead.HTML, `id="lead-`+lead.ID+`"`) {
		s.t.Errorf("event of %q, want %q, rendered as a lead", lead.Title, phone)
	}
}

func (s *stream) wantKind(want string) {
	s.t.Helper()
	if kind, _ := s.next(); kind != want {
		s.t.Fatalf("event %q, want %q", kind, want)
	}
}

func pageCursor(t *testing.T, s *sandbox.Sandbox) string {
	t.Helper()
	match := regexp.MustCompile(`data-cursor="([^"]+)"`).FindStringSubmatch(get(t, s, "/").Body.String())
	if match == nil {
		t.Fatal("the page has no cursor")
	}
	return match[1]
}

func serve(t *testing.T, s *sandbox.Sandbox) string {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Cleanup(s.Close) // first: the server's Close waits for the streams
	return server.URL
}

func TestEventsContinueThePage(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	url := serve(t, s)
	create(t, s, phoneBody(1))
	cursor := pageCursor(t, s)
	create(t, s, phoneBody(2)) // between the page and its stream
	events := openStream(t, url, cursor, "")
	events.wantLead("918123400002")
	create(t, s, phoneBody(3))
	events.wantLead("918123400003")

	create(t, s, phoneBody(4))
	again := openStream(t, url, cursor, events.id) // as a browser reconnects
	again.wantLead("918123400004")
}

// A changed lead is sent again, and a reader that was disconnected between two events misses
// neither.
func TestEventsShowChanges(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, withAsync)
	url := serve(t, s)
	create(t, s, phoneBody(1))
	create(t, s, phoneBody(2))
	cursor := pageCursor(t, s)
	lead := leadPath + "/" + s.Leads()[0].ID
	events := openStream(t, url, cursor, "")
	ask(t, s, lead, token, `{"fields":{"city":"Pune"}}`)
	events.wantLead("918123400001")
	ask(t, s, lead+"/action", token, `{"actions":[{"type":"1043"}]}`)
	events.wantLead("918123400001")
	ask(t, s, asyncPath, asyncToken, phoneBody(2))
	events.wantLead("918123400002")
	if page := get(t, s, "/").Body.String(); !strings.Contains(page, "Pune") || !strings.Contains(page, "Brochure asked") {
		t.Errorf("the page does not show the changes:\n%s", page)
	}

	create(t, s, phoneBody(3))
	ask(t, s, lead, token, `{"fields":{"city":"Nagpur"}}`) // changed after the others, but above them on the page
	cut := openStream(t, url, cursor, "")
	cut.wantLead("918123400001")
	again := openStream(t, url, cursor, cut.id)
	again.wantLead("918123400001")
	again.wantLead("918123400002")
	again.wantLead("918123400003")
	last := openStream(t, url, cursor, again.id)
	create(t, s, phoneBody(4))
	last.wantLead("918123400004")
}

func TestEventsAfterDelete(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	url := serve(t, s)
	create(t, s, phoneBody(1))
	create(t, s, phoneBody(2))
	events := openStream(t, url, pageCursor(t, s), "")
	s.Delete(s.Leads()[0].ID)
	events.wantKind("reset")
	events.wantLead("918123400002")
}

func TestEventsOfAnotherEraStartOver(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	url := serve(t, s)
	create(t, s, phoneBody(1))
	for _, cursor := range []string{"", "nonsense", "another-99", pageCursor(t, newSandbox(t))} {
		events := openStream(t, url, cursor, "")
		events.wantKind("reset")
		events.wantLead("918123400001")
	}
	events := openStream(t, url, pageCursor(t, s), "")
	s.Reset()
	events.wantKind("reset")
	create(t, s, phoneBody(2))
	events.wantLead("918123400002")
}

func TestEventsEscape(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	url := serve(t, s)
	events := openStream(t, url, pageCursor(t, s), "")
	create(t, s, hostileLead)
	_, data := events.next()
	var lead struct{ HTML string }
	if err := json.Unmarshal([]byte(data), &lead); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(lead.HTML, "<script>") || !strings.Contains(lead.HTML, "&lt;script&gt;") {
		t.Errorf("fragment %q", lead.HTML)
	}
}

func TestCloseEndsStreams(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	url := serve(t, s)
	create(t, s, phoneBody(1))
	var streams []*stream
	for range 3 {
		events := openStream(t, url, "", "")
		events.wantKind("reset")
		events.wantLead("918123400001")
		streams = append(streams, events)
	}
	s.Close()
	for _, events := range streams {
		events.wantKind("")
	}
}

// recorder is an in-memory client, so that its stream can run in a synctest bubble.
type recorder struct {
	header http.Header
	mu     sync.Mutex
	body   bytes.Buffer
	fail   bool
	// deadlines lists the set deadlines.
	deadlines []time.Time
}

func (w *recorder) Header() http.Header { return w.header }
func (w *recorder) WriteHeader(int)     {}
func (w *recorder) Flush()              {}

func (w *recorder) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail {
		return 0, errors.New("connection lost")
	}
	return w.body.Write(p)
}

func (w *recorder) SetWriteDeadline(at time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadlines = append(w.deadlines, at)
	return nil
}

func (w *recorder) count(text string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.body.String(), text)
}

func TestHeartbeatAndEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *sandbox.Sandbox, w *recorder, leave context.CancelFunc){
		"client leaves": func(_ *sandbox.Sandbox, _ *recorder, leave context.CancelFunc) { leave() },
		"close":         func(s *sandbox.Sandbox, _ *recorder, _ context.CancelFunc) { s.Close() },
		"write fails": func(_ *sandbox.Sandbox, w *recorder, _ context.CancelFunc) {
			w.mu.Lock()
			w.fail = true
			w.mu.Unlock()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSandbox(t)
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				w := &recorder{header: http.Header{}}
				done := make(chan struct{})
				go func() {
					defer close(done)
					s.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/events", nil))
				}()
				<-time.After(61 * time.Second) // by the bubble's clock
				if beats := w.count(": still here"); beats != 4 {
					t.Errorf("%d heartbeats in a minute, want 4", beats)
				}
				end(s, w, leave)
				<-done // a stream that does not end deadlocks the bubble, which fails the test
			})
		})
	}
}

// Each write has a deadline, which drops slow clients and is removed between writes.
func TestSlowClientsAreDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSandbox(t)
		w := &recorder{header: http.Header{}}
		start := time.Now()
		go s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/events", nil))
		synctest.Wait()
		create(t, s, phoneBody(1))
		synctest.Wait()
		s.Close()
		synctest.Wait()
		// The greeting, the reset and the lead.
		soon := start.Add(10 * time.Second)
		want := []time.Time{soon, {}, soon, {}, soon, {}}
		if diff := cmp.Diff(want, w.deadlines); diff != "" {
			t.Errorf("deadlines (-want +got):\n%s", diff)
		}
	})
}

func TestStreamNeedsFlush(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	// A writer without Flush cannot stream, so the handler returns.
	s.ServeHTTP(struct{ http.ResponseWriter }{httptest.NewRecorder()},
		httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/events", nil))
}
