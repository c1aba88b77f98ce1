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

// Errors for responses that cannot be read.
var (
	errNotTeleCRM = errors.New("response is not from TeleCRM; check base_url and proxies")
	errNotHTTP    = errors.New("response is not valid HTTP; check base_url and proxies")
	errTooLong    = errors.New("response is longer than 256 KiB; check base_url and proxies")
)

// progress tracks how far a request got. The transport updates it from its own goroutines.
type progress struct {
	reported atomic.Bool // the transport reports progress
	left     atomic.Bool // the request may be on the wire
	answered atomic.Bool // the first byte of a response arrived
}

// follow returns a context in which the transport updates p.
func (p *progress) follow(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:              func(string) { p.reported.Store(true) },
		WroteHeaderField:     func(string, []string) { p.left.Store(true) },
		GotFirstResponseByte: func() { p.answered.Store(true) },
	})
}

// mayHaveArrived reports whether the request may have reached the server. If the transport does not
// report progress, it may.
func (p *progress) mayHaveArrived() bool {
	return p.left.Load() || !p.reported.Load()
}

// loggable returns err, or a substitute if err may quote what the server sent, which may be an echo
// of the request.
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

// withoutURL removes the URL from a transport error. It adds nothing, and contains the enterprise
// id, which may be a token pasted into the wrong place.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
