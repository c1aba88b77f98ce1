package httpx

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// BodyPatience is how long a body may take to arrive. It gets one second more for every 4 KiB that
// have arrived; even a phone at the edge of its network is faster.
const (
	BodyPatience = 30 * time.Second
	slowestBody  = 4 << 10
)

// ErrSlowBody says that a body arrived too slowly.
var ErrSlowBody = errors.New("body: too slow; it must arrive within 30s plus 1s for every 4 KiB")

// BodyClock is a request's body that fails if it arrives too slowly. By default Caddy only closes
// connections that are silent for a minute, so a client that sends a byte now and then could keep
// one open for days. Operators can set `timeouts` or `read_min_rate`.
type BodyClock struct {
	io.ReadCloser
	control  *http.ResponseController // nil if there is no connection
	deadline time.Time
	read     int64
	length   int64 // that the body must have; 0 if it is unknown, or the server checks it
}

// StartBodyClock starts the clock on the request's body, which may take as long as patience. The
// limit also applies to bodies that the handler does not read, because the server reads part of the
// rest.
func StartBodyClock(w http.ResponseWriter, r *http.Request, patience time.Duration) *BodyClock {
	c := &BodyClock{ReadCloser: r.Body, control: http.NewResponseController(w), deadline: time.Now().Add(patience)}
	if r.ProtoMajor == 3 { // its server does not compare them
		c.length = r.ContentLength
	}
	c.set(c.deadline)
	return c
}

// set changes the deadline. It fails for requests made by other handlers: they do not have a
// connection and cannot be slow.
func (c *BodyClock) set(deadline time.Time) {
	if c.control != nil && c.control.SetReadDeadline(deadline) != nil {
		c.control = nil
	}
}

// Stop removes the deadline. The server reads from the connection next, and would treat a deadline
// that has passed as a client that has left.
func (c *BodyClock) Stop() { c.set(time.Time{}) }

// CloseConnection makes the server close the connection of HTTP/1 after the answer. Later versions
// stop the one stream by themselves: over HTTP/2 the header ends the other streams too, and over
// HTTP/3 clients refuse an answer that has it.
func CloseConnection(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
}

// Read implements [io.Reader]. Its error wraps [ErrSlowBody] if the body is too slow.
func (c *BodyClock) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.read += int64(n)
	switch {
	case errors.Is(err, io.EOF) && c.read < c.length:
		err = io.ErrUnexpectedEOF
	case err == nil:
		c.set(c.deadline.Add(time.Duration(c.read) * time.Second / slowestBody))
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("%w: %w", ErrSlowBody, os.ErrDeadlineExceeded) // err contains addresses
	}
	return n, err //nolint:wrapcheck // readers compare with io.EOF
}

// MaxUnread is how many bytes of an unread body net/http reads before it sends the answer.
const MaxUnread = 256 << 10

// Drain reads up to [MaxUnread] bytes and reports whether the body ended. It uses less memory than
// [io.Copy].
func (c *BodyClock) Drain() (ended bool, err error) {
	buf := make([]byte, 512)
	for read := 0; read < MaxUnread; {
		n, err := c.Read(buf)
		if errors.Is(err, io.EOF) {
			return true, nil
		} else if err != nil {
			return false, err
		}
		read += n
	}
	return false, nil
}

// Bounds of what [DiscardRest] reads.
const (
	maxDiscard  = 32 << 20
	discardTime = time.Minute
)

// DiscardRest reads and discards the rest of a body that is larger than maxBody. Closing the
// connection while the browser is sending can lose the answer (RFC 9112, section 9.6), and not
// every browser reads an answer before it has sent everything. DiscardRest does not read bodies
// larger than any file that a visitor may mean to send, or of unknown length; browsers always send
// one. The rest must arrive within a minute.
func DiscardRest(w http.ResponseWriter, r *http.Request, maxBody int64) {
	control := http.NewResponseController(w)
	isReasonable := r.ContentLength >= 0 && r.ContentLength <= maxBody+maxDiscard
	if isReasonable && control.SetReadDeadline(time.Now().Add(discardTime)) == nil {
		if _, err := io.CopyN(io.Discard, r.Body, maxDiscard); errors.Is(err, io.EOF) {
			_ = control.SetReadDeadline(time.Time{}) // the connection can be reused
			return
		}
	}
	CloseConnection(w, r) // otherwise the server would read it too
}
