package pgtest

import (
	"bytes"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy forwards connections to a server, and loses answers. It can cut them, refuse them and stall.
type Proxy struct {
	listener net.Listener
	to       string
	work     sync.WaitGroup
	lose     atomic.Pointer[lose]
	lost     atomic.Int64
	requests atomic.Int64
	refusing atomic.Bool

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	flows chan struct{} // closed when the proxy goes on; nil unless it is stalled
}

// lose says which answer to lose.
type lose struct {
	request    []byte // a part of it
	thenRefuse bool
}

// NewProxy starts a proxy to the address. The test ends it.
func NewProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: listener, to: to, conns: make(map[net.Conn]struct{})}
	p.work.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.Stall(false)
		p.Cut()
		p.work.Wait()
	})
	return p
}

// Address returns the address on which the proxy listens.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// LoseAnswer makes the proxy pass on the next request that contains the text, wait for the server's
// answer, and then cut the connection without passing the answer on. If thenRefuse is true, it
// refuses everything from then on.
func (p *Proxy) LoseAnswer(text string, thenRefuse bool) {
	p.lose.Store(&lose{[]byte(text), thenRefuse})
}

// Lost returns the number of answers that were lost.
func (p *Proxy) Lost() int { return int(p.lost.Load()) }

// Requests returns the number of requests that were passed on, each of which waits for an answer.
func (p *Proxy) Requests() int { return int(p.requests.Load()) }

// Refuse makes the proxy cut all connections and refuse new ones, until it is called with false.
func (p *Proxy) Refuse(refuse bool) {
	p.refusing.Store(refuse)
	if refuse {
		p.Cut()
	}
}

// Stall makes the proxy keep what it receives and its connections, like a network that loses all
// packets, until it is called with false.
func (p *Proxy) Stall(stall bool) {
	var flows chan struct{}
	if stall {
		flows = make(chan struct{})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flows != nil {
		close(p.flows)
	}
	p.flows = flows
}

// awaitFlow waits while the proxy is stalled.
func (p *Proxy) awaitFlow() {
	p.mu.Lock()
	flows := p.flows
	p.mu.Unlock()
	if flows != nil {
		<-flows
	}
}

// Cut ends all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		if p.refusing.Load() {
			_ = client.Close()
			continue
		}
		server, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = struct{}{}, struct{}{}
		p.mu.Unlock()
		p.work.Go(func() { p.forward(client, server) })
	}
}

// forward forwards both directions until one of them ends.
func (p *Proxy) forward(client, server net.Conn) {
	var losing atomic.Pointer[lose]
	end := func() {
		_, _ = client.Close(), server.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, client)
		delete(p.conns, server)
	}
	defer end()
	var requests sync.WaitGroup
	requests.Go(func() {
		defer end()
		_ = pass(server, client, func(request []byte) bool {
			p.awaitFlow()
			p.requests.Add(1)
			if l := p.lose.Load(); l != nil && bytes.Contains(request, l.request) && p.lose.CompareAndSwap(l, nil) {
				losing.Store(l)
			}
			return true
		})
	})
	_ = pass(client, server, func([]byte) bool {
		p.awaitFlow()
		l := losing.Load()
		if l == nil {
			return true
		}
		if l.thenRefuse {
			p.refusing.Store(true)
		}
		p.lost.Add(1)
		return false
	})
	end()
	requests.Wait()
}

// pass copies what it reads as long as may allows it.
func pass(to io.Writer, from io.Reader, may func([]byte) bool) error {
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if n > 0 {
			if !may(b[:n]) {
				return nil
			}
			if _, err := to.Write(b[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}
