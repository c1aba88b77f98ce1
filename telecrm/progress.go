package telecrm

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
)

// Errors that stand for answers that cannot be read.
var (
	errBroken  = errors.New("the answer is not one of TeleCRM's; is base_url right, and no proxy in between?")
	errNotHTTP = errors.New("the answer is not proper HTTP; is base_url right, and no proxy in between?")
	errTooLong = errors.New("it is longer than 256 KiB; is base_url right, and no proxy in between?")
)

// progress is how far a request came. The transport reports it from
// goroutines of its own.
type progress struct {
	reported atomic.Bool // the transport reports at all
	left     atomic.Bool // the request may be on the wire
	answered atomic.Bool // the first byte of an answer is here
}

// follow returns a context that has the transport report to p.
func (p *progress) follow(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:              func(string) { p.reported.Store(true) },
		WroteHeaderField:     func(string, []string) { p.left.Store(true) },
		GotFirstResponseByte: func() { p.answered.Store(true) },
	})
}

// out reports whether the request may have reached the server. A transport
// that reports nothing may have sent it.
func (p *progress) out() bool {
	return p.left.Load() || !p.reported.Load()
}

// loggable returns err, or one that stands for it if it may quote what the
// server sent: that could be anything, the request's own words too.
func (p *progress) loggable(err error) error {
	err = withoutURL(err)
	if !p.answered.Load() || quotesNothing(err) {
		return err
	}
	return errNotHTTP
}

func quotesNothing(err error) bool {
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, errTooLong} {
		if errors.Is(err, known) {
			return true
		}
	}
	_, network := errors.AsType[net.Error](err)
	return network
}

// withoutURL takes the URL off a transport error: it adds nothing, and an
// enterprise id that is really a mispasted token stands in it.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
