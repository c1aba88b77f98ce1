//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// result has the measurements of one load.
type result struct {
	took    []time.Duration // sorted
	elapsed time.Duration
	cpu     time.Duration
}

func (r result) perSecond() float64           { return float64(len(r.took)) / r.elapsed.Seconds() }
func (r result) cpuPerRequest() time.Duration { return r.cpu / time.Duration(len(r.took)) }
func (r result) median() time.Duration        { return r.took[len(r.took)/2] }

// person numbers the posts, so that each is from another person.
var person atomic.Int64

// measure posts forms over the given number of connections for the duration of load.
func (s *server) measure(path string, connections int, load time.Duration) (result, error) {
	before, err := s.cpu()
	if err != nil {
		return result{}, err
	}
	start := time.Now()
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		all  result
		errs []error
	)
	for range connections {
		wg.Go(func() {
			took, err := s.post(path, start.Add(load))
			mu.Lock()
			defer mu.Unlock()
			all.took = append(all.took, took...)
			errs = append(errs, err)
		})
	}
	wg.Wait()
	all.elapsed = time.Since(start)
	after, err := s.cpu()
	if err := errors.Join(append(errs, err)...); err != nil {
		return result{}, err
	}
	all.cpu = after - before
	slices.Sort(all.took)
	return all, nil
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
		body := fmt.Sprintf("name=Load+Tester&phone=%%2B91+8%09d&message=%s", person.Add(1), strings.Repeat("please+call+me+", 10))
		request := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", path, s.addr, len(body), body)
		start := time.Now()
		if _, err := io.WriteString(conn, request); err != nil {
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

// datasync makes the file's content durable, without its timestamps.
func datasync(file *os.File) error {
	return syscall.Fdatasync(int(file.Fd())) //nolint:gosec // a file descriptor
}
