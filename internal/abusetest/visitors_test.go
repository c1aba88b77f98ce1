//go:build linux

package abusetest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The rates of honest visitors.
const (
	readersPerSecond = 40
	postersPerSecond = 15
)

// visitors open the page or post the form, each from a different address and over a new connection.
type visitors struct {
	site   string
	client *http.Client

	mu     sync.Mutex
	came   int
	reads  []time.Duration
	posts  []time.Duration
	thanks []string // names of thanked visitors
	failed []string // errors of the others
}

func newVisitors(site string) *visitors {
	return &visitors{site: site, client: &http.Client{
		Timeout:       time.Minute,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// come sends visitors for the duration d, and waits for the last of them.
func (v *visitors) come(ctx context.Context, d time.Duration) {
	var visits sync.WaitGroup
	defer visits.Wait()
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	visits.Go(func() { every(ctx, readersPerSecond, func() { visits.Go(v.read) }) })
	visits.Go(func() { every(ctx, postersPerSecond, func() { visits.Go(v.post) }) })
	<-ctx.Done()
}

// every calls f at the given rate per second until ctx ends.
func every(ctx context.Context, rate int, f func()) {
	start := time.Now()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(start.Add(time.Duration(n) * time.Second / time.Duration(rate)))):
			f()
		}
	}
}

// next returns the number and the address of the next visitor.
func (v *visitors) next() (n int, address string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.came++
	return v.came, fmt.Sprintf("11.%d.%d.1", v.came>>8&0xff, v.came&0xff)
}

func (v *visitors) read() {
	_, address := v.next()
	took, status, err := v.send(http.MethodGet, "/contact", address, nil)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.reads = append(v.reads, took)
	if err != nil || status != http.StatusOK {
		v.failed = append(v.failed, fmt.Sprintf("the page: status %d, %v", status, err))
	}
}

func (v *visitors) post() {
	n, address := v.next()
	name := fmt.Sprintf("Honest %06d", n)
	took, status, err := v.send(http.MethodPost, "/contact", address, url.Values{
		"name": {name}, "phone": {fmt.Sprintf("+9180%08d", n)}, "message": {"A question of " + name},
	})
	v.mu.Lock()
	defer v.mu.Unlock()
	v.posts = append(v.posts, took)
	if err != nil || status != http.StatusSeeOther {
		v.failed = append(v.failed, fmt.Sprintf("the form: status %d, %v", status, err))
		return
	}
	v.thanks = append(v.thanks, name)
}

func (v *visitors) send(method, path, address string, values url.Values) (took time.Duration, status int, err error) {
	begun := time.Now()
	// The test's own context ends before the last visitors are served.
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+v.site+path, strings.NewReader(values.Encode()))
	if err != nil {
		return 0, 0, err
	}
	req.Header.Set("X-Forwarded-For", address)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		req.Header.Set("Origin", "http://"+v.site)
		req.Header.Set("Referer", "http://"+v.site+path)
	}
	resp, err := v.client.Do(req)
	if err != nil {
		return time.Since(begun), 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return time.Since(begun), resp.StatusCode, err
}

// check fails the test if a visitor was not served.
func (v *visitors) check(t *testing.T) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.failed) > 0 {
		t.Errorf("FAILED VISITORS: %d of %d; the first: %s", len(v.failed), v.came, v.failed[0])
	}
}

// waits describes how long visitors waited.
func waits(list []time.Duration) string {
	if len(list) == 0 {
		return "nobody came"
	}
	slices.Sort(list)
	at := func(share float64) string {
		return fmt.Sprintf("%.1f", float64(list[int(share*float64(len(list)-1))].Microseconds())/1000)
	}
	return at(0.5) + " / " + at(0.99)
}
