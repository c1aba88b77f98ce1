package telecrm_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

func TestCreateLeadReusesConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &pipeServer{serve: func(c *pipeConn) {
			for c.readRequest() {
				c.write(createdAnswer)
			}
		}}
		client := server.client(t, telecrm.Config{})
		for range 3 {
			if answer := client.CreateLead(t.Context(), invented()); !answer.Confirmed() {
				t.Fatalf("answer is %v", answer)
			}
			synctest.Wait()
		}
		if n := server.dials.Load(); n != 1 {
			t.Errorf("%d connections were opened, want 1", n)
		}
		client.CloseIdleConnections()
		client.CreateLead(t.Context(), invented())
		if n := server.dials.Load(); n != 2 {
			t.Errorf("%d connections were opened after the idle one was closed, want 2", n)
		}
	})
}

// The server closes an idle connection, and the client notices.
func TestCreateLeadAfterIdleConnectionClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &pipeServer{serve: func(c *pipeConn) {
			if c.readRequest() {
				c.write(createdAnswer)
			}
		}}
		client := server.client(t, telecrm.Config{})
		for n := range int32(3) {
			if answer := client.CreateLead(t.Context(), invented()); !answer.Confirmed() {
				t.Fatalf("answer %d is %v", n, answer)
			}
			synctest.Wait()
			if got := server.requests.Load(); got != n+1 {
				t.Fatalf("%d requests arrived, want %d", got, n+1)
			}
		}
	})
}

// The server reads a second request and then closes the connection, as it does when its idle
// timeout passes at that moment. Only the caller may decide to send it again.
func TestCreateLeadOnDyingConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &pipeServer{serve: func(c *pipeConn) {
			if c.readRequest() {
				c.write(createdAnswer)
			}
			if c.dial == 1 {
				c.readRequest()
			}
		}}
		client := server.client(t, telecrm.Config{})
		if answer := client.CreateLead(t.Context(), invented()); !answer.Confirmed() {
			t.Fatalf("answer is %v", answer)
		}
		synctest.Wait()
		checkFault(t, client.CreateLead(t.Context(), invented()), true, nil)
		if n := server.requests.Load(); n != 2 {
			t.Errorf("%d requests arrived, want 2: the client repeated one", n)
		}
	})
}

// The same over TCP, where closing and the next request race: no lead is sent twice, and the caller
// knows about each lost one.
func TestCreateLeadRacesWithClosingServer(t *testing.T) {
	t.Parallel()
	var arrived atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived.Add(1)
		answering(201, typeJSON, `{"lead_id":"64c1"}`)(w, r)
	}))
	t.Cleanup(server.Close)
	client := newClient(t, telecrm.Config{BaseURL: server.URL})
	for n := range 50 {
		before := arrived.Load()
		answer := client.CreateLead(context.Background(), invented())
		came := arrived.Load() - before
		switch {
		case came > 1:
			t.Fatalf("round %d: the lead arrived %d times", n, came)
		case answer.Confirmed() && came == 1:
		case answer.Verdict == telecrm.Retry && (answer.Ambiguous || came == 0):
		default:
			t.Fatalf("round %d: answer is %v, ambiguous %t, after %d arrivals", n, answer, answer.Ambiguous, came)
		}
		server.CloseClientConnections()
	}
}

func TestCreateLeadKeepsPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &pipeServer{serve: func(c *pipeConn) {
			for c.readRequest() {
				c.write(createdAnswer)
			}
		}}
		client := server.client(t, telecrm.Config{
			// shorter than the wait for the pace, which it does not bound
			Timeout: time.Second,
			Pace:    rate.NewLimiter(rate.Every(time.Minute), 2),
		})
		start := time.Now()
		for _, want := range []time.Duration{0, 0, time.Minute, 2 * time.Minute} {
			if answer := client.CreateLead(t.Context(), invented()); !answer.Confirmed() {
				t.Fatalf("answer is %v", answer)
			}
			if got := time.Since(start); got != want {
				t.Errorf("sent after %v, want %v", got, want)
			}
		}
	})
}

func TestCreateLeadPaceRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &pipeServer{serve: func(c *pipeConn) { c.linger() }}
		pace := rate.NewLimiter(rate.Every(time.Hour), 1)
		pace.Allow()
		client := server.client(t, telecrm.Config{Pace: pace})

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		checkFault(t, client.CreateLead(ctx, invented()), false, nil)
		if waited := time.Since(start); waited != 0 {
			t.Errorf("waited %v, want an error at once", waited)
		}

		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		checkFault(t, client.CreateLead(ctx, invented()), false, context.Canceled)
		if n := server.dials.Load(); n != 0 {
			t.Errorf("%d connections were opened", n)
		}
	})
}

// Reading twice is harmless, so Go's transport may retry by itself.
func TestGetLeadOnDyingConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const body = `{"fields":{"name":"x"},"actions":[]}`
		answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		server := &pipeServer{serve: func(c *pipeConn) {
			if c.readRequest() {
				c.write(answer)
			}
			if c.dial == 1 {
				c.readRequest()
			}
		}}
		client := server.client(t, telecrm.Config{})
		for n := range 2 {
			if shown := client.GetLead(t.Context(), leadID); !shown.OK() {
				t.Errorf("read %d: %v", n, shown)
			}
			synctest.Wait()
		}
		if n := server.dials.Load(); n != 2 {
			t.Errorf("%d connections were opened, want 2", n)
		}
	})
}
