package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// TestFaults checks that every fault does what its name says: the status, whether a lead is stored,
// and the lead_id in the answer.
func TestFaults(t *testing.T) {
	t.Parallel()
	stored := map[string]bool{
		sandbox.FaultNullLists: true, sandbox.FaultNoLists: true, sandbox.FaultRemarks: true, sandbox.FaultStatus200: true,
		sandbox.FaultNoLeadID: true, sandbox.FaultEmptyBody: true, sandbox.FaultHTML2xx: true,
		sandbox.FaultTruncatedJSON: true, sandbox.FaultServerErrorAfterStore: true,
	}
	for name, fault := range sandbox.Faults() {
		if fault.Drop || fault.Delay > 0 {
			continue // tested separately
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			s.Inject(fault)
			w := create(t, s, phoneBody(1))
			if want, err := strconv.Atoi(name[:3]); err != nil || w.Code != want {
				t.Errorf("status %d", w.Code)
			}
			leads := s.Leads()
			if (len(leads) == 1) != stored[name] {
				t.Fatalf("%d leads stored, want stored %v", len(leads), stored[name])
			}
			var body struct {
				LeadID string `json:"lead_id"`
			}
			if json.Unmarshal(w.Body.Bytes(), &body) == nil && body.LeadID != "" && body.LeadID != leads[0].ID {
				t.Errorf("answered lead_id %q, stored %q", body.LeadID, leads[0].ID)
			}
			isHTML := strings.HasPrefix(w.Header().Get("Content-Type"), "text/html")
			if isHTML != strings.Contains(name, "HTML") || isHTML != bytes.Contains(w.Body.Bytes(), []byte("<html")) {
				t.Errorf("content type %q with %q", w.Header().Get("Content-Type"), w.Body)
			}
			if hasRetry := w.Header().Get("Retry-After") != ""; hasRetry != strings.Contains(name, "with Retry-After") {
				t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
			}
			want := http.StatusCreated
			if stored[name] {
				want = http.StatusConflict
			}
			if w := create(t, s, phoneBody(1)); w.Code != want {
				t.Errorf("the request after the fault: status %d, want %d", w.Code, want)
			}
		})
	}
}

func TestInjectOrderAndCount(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	faults := sandbox.Faults()
	s.Inject(faults[sandbox.FaultServerError], faults[sandbox.FaultRateLimited])
	s.Inject(sandbox.Fault{}, sandbox.Fault{Status: 42})
	page := httptest.NewRecorder()
	s.ServeHTTP(page, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	got := []int{page.Code}
	for n := range 5 {
		got = append(got, create(t, s, phoneBody(n)).Code)
	}
	if diff := cmp.Diff([]int{200, 500, 429, 201, 500, 201}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if s.Requests() != 5 {
		t.Errorf("%d requests, want 5: the page does not count", s.Requests())
	}
}

// TestFaultsOfOneOperation checks that a request takes the first matching fault and leaves the
// others in order.
func TestFaultsOfOneOperation(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	status := func(n int) sandbox.Fault { return sandbox.Fault{Status: n} }
	s.Inject(status(501).On(sandbox.OpSearch), status(502).On(sandbox.OpCreate), status(503), status(504).On(sandbox.OpSearch))
	got := []int{
		create(t, s, phoneBody(1)).Code, create(t, s, phoneBody(1)).Code, create(t, s, phoneBody(1)).Code,
		search(t, s, `{}`).Code, search(t, s, `{}`).Code, search(t, s, `{}`).Code,
	}
	if diff := cmp.Diff([]int{502, 503, 201, 501, 504, 200}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	s.Inject(status(505).On(sandbox.OpCreate), status(506))
	r := newRequest(t, phoneBody(1))
	r.Method = http.MethodGet
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != 506 {
		t.Errorf("a request for an unknown path got %d, want 506", w.Code)
	}
	if s.Requests() != 7 || s.Creates() != 3 || s.Searches() != 3 {
		t.Errorf("%d requests, %d creates, %d searches, want 7, 3 and 3", s.Requests(), s.Creates(), s.Searches())
	}
}

func TestDrop(t *testing.T) {
	t.Parallel()
	for name, leads := range map[string]int{sandbox.FaultDropped: 0, sandbox.FaultDroppedAfterStore: 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			server := httptest.NewServer(s)
			defer server.Close()
			s.Inject(sandbox.Faults()[name])
			res, err := post(t.Context(), server.URL, phoneBody(1))
			if err == nil {
				_ = res.Body.Close()
				t.Fatalf("answered with %s, want no answer", res.Status)
			}
			if !errors.Is(err, io.EOF) {
				t.Errorf("error %v, want the connection cut", err)
			}
			if len(s.Leads()) != leads {
				t.Errorf("%d leads, want %d", len(s.Leads()), leads)
			}
			if s.Requests() != 1 {
				t.Errorf("%d requests, want 1", s.Requests())
			}
		})
	}
}

func post(ctx context.Context, base, body string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+leadPath, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	return http.DefaultClient.Do(r)
}

func TestDelayPassesBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		latency time.Duration
		fault   sandbox.Fault
	}{
		"fault":   {fault: sandbox.Fault{Delay: time.Minute}},
		"latency": {latency: time.Minute},
		"both":    {latency: time.Second, fault: sandbox.Fault{Delay: 59 * time.Second, Status: 500}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSandbox(t, func(c *sandbox.Config) { c.Latency = tt.latency })
				s.Inject(tt.fault)
				start := time.Now()
				create(t, s, phoneBody(1))
				if took := time.Since(start); took != time.Minute {
					t.Errorf("answered after %v, want a minute", took)
				}
			})
		})
	}
}

func TestCloseEndsDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSandbox(t, func(c *sandbox.Config) { c.Latency = time.Hour })
		s.Inject(sandbox.Faults()[sandbox.FaultSlow])
		start := time.Now()
		status := make(chan int, 1)
		r := newRequest(t, phoneBody(1))
		go func() {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			status <- w.Code
		}()
		synctest.Wait()
		s.Close()
		s.Close()
		if got := <-status; got != http.StatusCreated {
			t.Errorf("status %d, want 201", got)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("answered %v after Close, want at once", took)
		}
	})
}

// TestClientGoesDuringDelay checks that only Store and Latency store a lead if the client
// disconnects during the delay.
func TestClientGoesDuringDelay(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		latency time.Duration
		fault   sandbox.Fault
		leads   int
	}{
		"slow":             {0, sandbox.Faults()[sandbox.FaultSlow], 0},
		"slow after store": {0, sandbox.Faults()[sandbox.FaultSlowAfterStore], 1},
		"latency":          {time.Minute, sandbox.Fault{}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSandbox(t, func(c *sandbox.Config) { c.Latency = tt.latency })
				s.Inject(tt.fault)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				w := httptest.NewRecorder()
				func() {
					defer func() {
						if err := recover(); err != http.ErrAbortHandler {
							t.Errorf("handler ended with %v, want http.ErrAbortHandler", err)
						}
					}()
					s.ServeHTTP(w, newRequest(t, phoneBody(1)).WithContext(ctx))
				}()
				if w.Body.Len() > 0 {
					t.Errorf("answered %q to a disconnected client", w.Body)
				}
				if len(s.Leads()) != tt.leads {
					t.Errorf("%d leads, want %d", len(s.Leads()), tt.leads)
				}
			})
		})
	}
}

func TestFailShare(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		share float64
		want  []int
	}{
		{0, []int{201, 201, 201, 201, 201, 201, 201, 201}},
		{0.25, []int{201, 201, 201, 401, 201, 201, 201, 401}},
		{0.5, []int{201, 401, 201, 401, 201, 401, 201, 401}},
		{1, []int{401, 401, 401, 401, 401, 401, 401, 401}},
	} {
		s := newSandbox(t, func(c *sandbox.Config) { c.FailStatus, c.FailShare = http.StatusUnauthorized, tt.share })
		var got []int
		for n := range tt.want {
			w := create(t, s, phoneBody(n))
			got = append(got, w.Code)
			if w.Code == http.StatusUnauthorized && errorCode(t, w) != "NOT_AUTHORIZED" {
				t.Errorf("body %s", w.Body)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("share %v: statuses (-want +got):\n%s", tt.share, diff)
		}
	}
}
