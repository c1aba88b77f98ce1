package telecrm_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// pipeServer serves in-memory connections. They work in a synctest bubble, and the test controls
// each byte.
type pipeServer struct {
	// serve owns the connection until it returns. It must return when the connection is closed.
	serve func(c *pipeConn)

	dials    atomic.Int32
	requests atomic.Int32 // completely read
}

// pipeConn is the server's end of one connection.
type pipeConn struct {
	net.Conn

	server *pipeServer
	dial   int32 // 1 for the server's first connection
	r      *bufio.Reader
}

func (s *pipeServer) client(tb testing.TB, c telecrm.Config) *telecrm.Client {
	tb.Helper()
	return newClient(tb, s.config(c))
}

// config returns c with a connection to the server.
func (s *pipeServer) config(c telecrm.Config) telecrm.Config {
	c.BaseURL = "http://localhost"
	c.Transport = &http.Transport{DialContext: s.dialContext}
	return c
}

func (s *pipeServer) dialContext(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	conn := &pipeConn{Conn: far, server: s, dial: s.dials.Add(1), r: bufio.NewReader(far)}
	go func() {
		defer far.Close()
		s.serve(conn)
	}()
	return near, nil
}

// readRequest reads one whole request and reports whether there was one.
func (c *pipeConn) readRequest() bool {
	req, err := http.ReadRequest(c.r)
	if err != nil {
		return false
	}
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return false
	}
	c.server.requests.Add(1)
	return true
}

func (c *pipeConn) write(text string) { _, _ = io.WriteString(c, text) }

// linger waits until the client has closed the connection.
func (c *pipeConn) linger() { _, _ = io.Copy(io.Discard, c.r) }

// createdAnswer is a raw HTTP response.
const createdAnswer = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 38\r\n\r\n" +
	`{"lead_id":"64c1f0aa12bb34cc56dd78ee"}`
