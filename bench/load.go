//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// result has the measurements of one load.
type result struct {
	took    []time.Duration // sorted
	elapsed time.Duration   // until the last lead was delivered, if any is
	cpu     time.Duration   // of the server
}

func (r result) perSecond() float64 { return float64(len(r.took)) / r.elapsed.Seconds() }

// cpuPerRequest returns the server's processor time for a request in microseconds.
func (r result) cpuPerRequest() float64 { return micros(r.cpu) / float64(len(r.took)) }

func (r result) median() time.Duration { return r.took[len(r.took)/2] }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

const (
	// longestDelivery is how long the delivery of the last lead may take.
	longestDelivery = time.Minute
	// settled is how long the outbox may take to record the last results.
	settled = 200 * time.Millisecond
)

// measure posts forms over the given number of connections for the duration of load. Then it waits
// until the CRM, unless it is nil, has all leads.
func (s *server) measure(path string, connections int, load time.Duration, into *crm) (result, error) {
	var had int64
	if into != nil {
		had = into.created.Load()
	}
	before, err := s.cpu()
	if err != nil {
		return result{}, err
	}
	start := time.Now()
	all, err := s.postAll(path, connections, start.Add(load))
	if err != nil {
		return result{}, err
	}
	if into != nil {
		for into.created.Load()-had < int64(len(all.took)) {
			if time.Since(start) > load+longestDelivery {
				return result{}, fmt.Errorf("%s: %d of %d leads delivered", path, into.created.Load()-had, len(all.took))
			}
			time.Sleep(time.Millisecond)
		}
	}
	all.elapsed = time.Since(start)
	time.Sleep(settled)
	after, err := s.cpu()
	all.cpu = after - before
	slices.Sort(all.took)
	return all, err
}

// postAll posts forms over all connections.
func (s *server) postAll(path string, connections int, until time.Time) (result, error) {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		all  result
		errs []error
	)
	for range connections {
		wg.Go(func() {
			took, err := s.post(path, until)
			mu.Lock()
			defer mu.Unlock()
			all.took = append(all.took, took...)
			errs = append(errs, err)
		})
	}
	wg.Wait()
	return all, errors.Join(errs...)
}

// person numbers the posts, so that each is from another person.
var person atomic.Int64

// request is a browser's post of a form with eight fields.
const request = "POST %s HTTP/1.1\r\nHost: %s\r\n" +
	"User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-IN,en;q=0.9\r\n" +
	"Origin: http://%[2]s\r\nReferer: http://%[2]s/contact\r\n" +
	"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %[3]d\r\n\r\n%[4]s"

func body() string {
	n := person.Add(1)
	return fmt.Sprintf("name=Load+Tester&phone=%%2B91+8%09d&email=load.tester.%d%%40example.com&company=Example+Traders"+
		"&city=Pune&product=Rooftop+solar&budget=2%%2C50%%2C000&message=%s", n, n, strings.Repeat("please+call+me+", 10))
}

// post posts forms over one connection, one after the other.
func (s *server) post(path string, until time.Time) ([]time.Duration, error) {
	conn, err := net.DialTimeout("tcp", s.addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReader(conn)
	var took []time.Duration
	for time.Now().Before(until) {
		body := body()
		text := fmt.Sprintf(request, path, s.addr, len(body), body)
		start := time.Now()
		if _, err := io.WriteString(conn, text); err != nil {
			return nil, err
		}
		resp, err := http.ReadResponse(reader, nil)
		if err != nil {
			return nil, err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusSeeOther {
			return nil, fmt.Errorf("%s answered %s", path, resp.Status)
		}
		took = append(took, time.Since(start))
	}
	return took, nil
}
