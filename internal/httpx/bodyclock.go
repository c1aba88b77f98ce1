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
// have arrived: a phone at the edge of its network is faster.
const (
	BodyPatience = 30 * time.Second
	slowestBody  = 4 << 10
)

// ErrSlowBody tells that a body arrived too slowly.
var ErrSlowBody = errors.New("body: too slow; it has 30s, and a second more for every 4 KiB")

// BodyClock is a request's body that ends if it arrives too slowly. Caddy by itself only ends a
// connection that is silent for a minute, unless the operator sets `timeouts` or `read_min_rate`,
// so a byte now and then would hold it for days.
type BodyClock struct {
	io.ReadCloser
	control  *http.ResponseController
	deadline time.Time
	read     int64
}

// StartBodyClock begins to time the request's body, for which it allows patience. It also counts
// for bodies that the handler does not read, because the server reads some of what is left of them.
func StartBodyClock(w http.ResponseWriter, r *http.Request, patience time.Duration) *BodyClock {
	c := &BodyClock{ReadCloser: r.Body, control: http.NewResponseController(w), deadline: time.Now().Add(patience)}
	c.set(c.deadline)
	return c
}

// set changes the deadline. It fails for requests that other handlers make up: they have no
// connection, and cannot be slow.
func (c *BodyClock) set(deadline time.Time) { _ = c.control.SetReadDeadline(deadline) }

// Stop removes the deadline. The server reads from the connection next, and takes a deadline that
// has passed for a client that has left.
func (c *BodyClock) Stop() { c.set(time.Time{}) }

// Read implements [io.Reader]. Its error wraps [ErrSlowBody] if the body is too slow.
func (c *BodyClock) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.read += int64(n)
	switch {
	case err == nil:
		c.set(c.deadline.Add(time.Duration(c.read) * time.Second / slowestBody))
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("%w: %w", ErrSlowBody, os.ErrDeadlineExceeded) // without the addresses that err names
	}
	return n, err //nolint:wrapcheck // readers compare with io.EOF
}

// MaxUnread is how many bytes of a body that its handler has not read net/http reads before it
// sends the answer.
const MaxUnread = 256 << 10

// Drain reads up to [MaxUnread] bytes and reports whether the body ended. It takes less memory than
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

// DiscardRest reads the rest of a body that is larger than maxBody. A connection that is closed
// while the browser sends may take the answer along (RFC 9112, section 9.6), and not every browser
// looks for an answer before it has sent everything. Bodies larger than any file that a visitor may
// have meant to send, and bodies of unknown length, which browsers do not send, are not read. The
// rest must arrive within a minute.
func DiscardRest(w http.ResponseWriter, r *http.Request, maxBody int64) {
	control := http.NewResponseController(w)
	isReasonable := r.ContentLength >= 0 && r.ContentLength <= maxBody+maxDiscard
	if isReasonable && control.SetReadDeadline(time.Now().Add(discardTime)) == nil {
		if _, err := io.CopyN(io.Discard, r.Body, maxDiscard); errors.Is(err, io.EOF) {
			_ = control.SetReadDeadline(time.Time{}) // the connection may be used again
			return
		}
	}
	w.Header().Set("Connection", "close") // or the server would try as well
}
