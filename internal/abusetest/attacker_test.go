//go:build linux

package abusetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// mostAtOnce bounds the requests in flight of one attacker.
const mostAtOnce = 256

// attacker attacks the site until its context ends.
type attacker struct {
	site string

	mu       sync.Mutex
	shots    int
	statuses map[int]int // answers by status; 0: no answer
}

func newAttacker(site string) *attacker {
	return &attacker{site: site, statuses: make(map[int]int)}
}

// fire calls shoot at the given rate until ctx ends, and waits for the last answer. It skips a call
// while mostAtOnce are running.
func (a *attacker) fire(ctx context.Context, rate int, shoot func(n int) int) {
	var shots sync.WaitGroup
	defer shots.Wait()
	places := make(chan struct{}, mostAtOnce)
	fired := 0
	every(ctx, rate, func() {
		select {
		case places <- struct{}{}:
		default:
			return
		}
		fired++
		n := fired
		shots.Go(func() {
			defer func() { <-places }()
			a.note(shoot(n))
		})
	})
}

func (a *attacker) note(status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.shots++
	a.statuses[status]++
}

// answers lists the number of answers by status.
func (a *attacker) answers() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]string, 0, len(a.statuses))
	for _, status := range slices.Sorted(maps.Keys(a.statuses)) {
		name := fmt.Sprint(status)
		if status == 0 {
			name = "cut off"
		}
		list = append(list, fmt.Sprintf("%s: %d", name, a.statuses[status]))
	}
	return strings.Join(list, ", ")
}

// request is an attacker's request.
type request struct {
	method  string // POST unless set
	address string // the attacker's
	headers []string
	length  int64 // declared length of the body; below 0: chunked
	body    io.Reader
}

const (
	urlEncoded = "Content-Type: application/x-www-form-urlencoded"
	multipart  = "Content-Type: multipart/form-data; boundary=b"
	inJSON     = "Content-Type: application/json"
	acceptJSON = "Accept: application/json"
)

// head returns the request line and the headers.
func (a *attacker) head(r request) string {
	lines := append([]string{
		r.method + " /contact HTTP/1.1", "Host: " + a.site, "X-Forwarded-For: " + r.address, "Referer: http://" + a.site + "/contact",
	}, r.headers...)
	switch {
	case r.length < 0:
		lines = append(lines, "Transfer-Encoding: chunked")
	case r.method == http.MethodPost:
		lines = append(lines, fmt.Sprintf("Content-Length: %d", r.length))
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

func (a *attacker) dial(ctx context.Context) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", a.site)
}

// send sends a request over a new connection, and returns the status of the answer, or 0 without an
// answer.
func (a *attacker) send(ctx context.Context, r request) (status int) {
	if r.method == "" {
		r.method = http.MethodPost
	}
	conn, err := a.dial(context.WithoutCancel(ctx))
	if err != nil {
		return 0
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if _, err := io.WriteString(conn, a.head(r)); err == nil && r.body != nil {
			_, _ = io.Copy(conn, r.body)
		}
	}()
	defer func() { <-sent }()
	defer func() { _ = conn.Close() }() // ends the sending
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

// sendText sends a post with the given body.
func (a *attacker) sendText(ctx context.Context, address, body string, headers ...string) int {
	return a.send(ctx, request{address: address, headers: headers, length: int64(len(body)), body: strings.NewReader(body)})
}

// network returns an address in the nth of many IPv6 /64 networks.
func network(n int) string { return fmt.Sprintf("2001:db8:%x:%x::1", n>>16&0xffff, n&0xffff) }

// dripSteps is the number of steps per second of dripping. It spreads the work evenly.
const dripSteps = 100

// drip opens senders posts, evenly during opening, and sends one byte per second of each until ctx
// ends. Half of them come from a page of another site.
func (a *attacker) drip(ctx context.Context, t *testing.T, senders int, opening time.Duration) {
	t.Helper()
	conns := make([]net.Conn, 0, senders)
	defer func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}()
	opens, opened := context.WithCancel(ctx)
	defer opened()
	every(opens, int(float64(senders)/opening.Seconds()), func() {
		conn, err := a.dial(opens)
		if err != nil {
			return // the time is up
		}
		r := request{method: http.MethodPost, address: network(len(conns)), headers: []string{urlEncoded}, length: 60_000}
		if len(conns)%2 == 1 {
			r.headers = append(r.headers, "Sec-Fetch-Site: cross-site")
		}
		_, _ = io.WriteString(conn, a.head(r)+"m")
		if conns = append(conns, conn); len(conns) == senders {
			opened()
		}
	})
	step := 0
	every(ctx, dripSteps, func() {
		step = (step + 1) % dripSteps
		for _, conn := range conns[step*len(conns)/dripSteps : (step+1)*len(conns)/dripSteps] {
			_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = io.WriteString(conn, "m")
		}
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	a.shots = len(conns)
}
