package caddytelecrm

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// A body has this long to arrive, and a second more for so many bytes of it
// that have: a phone at the edge of its network sends faster than that.
const (
	defaultBodyPatience = 30 * time.Second
	slowestBody         = 4 << 10
)

// errSlowBody says that a body did not keep up.
var errSlowBody = errors.New("the body came too slowly: it has 30s, and a second more for every 4 KiB")

// bodyClock cuts off whoever sends a body so slowly that it would never end.
// By itself Caddy only cuts off who sends nothing for a minute, unless the
// operator sets `timeouts` or `read_min_rate`, so that a byte now and then
// would hold a connection for days.
type bodyClock struct {
	io.ReadCloser
	control  *http.ResponseController
	deadline time.Time
	read     int64
}

// startBodyClock begins to time the request's body. It counts for bodies that
// the handler does not want, too: before the server answers, it reads some of
// what is left of them.
func (h *Handler) startBodyClock(w http.ResponseWriter, r *http.Request, s *submission) {
	s.clock = &bodyClock{ReadCloser: r.Body, control: http.NewResponseController(w), deadline: time.Now().Add(h.bodyPatience)}
	s.clock.set(s.clock.deadline)
}

// set changes the deadline. Where there is no connection to set it on, as
// with requests that other handlers make up, nobody can be slow.
func (c *bodyClock) set(deadline time.Time) { _ = c.control.SetReadDeadline(deadline) }

// stop lets the connection be: what reads from it next is the server, which
// takes a deadline that has passed for a visitor who has left.
func (c *bodyClock) stop() { c.set(time.Time{}) }

func (c *bodyClock) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.read += int64(n)
	switch {
	case err == nil:
		c.set(c.deadline.Add(time.Duration(c.read) * time.Second / slowestBody))
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("%w: %w", errSlowBody, os.ErrDeadlineExceeded) // without the addresses that err names
	}
	return n, err //nolint:wrapcheck // readers compare with io.EOF
}

// How much is read of a body that is too large, and for how long.
const (
	maxDiscard  = 32 << 20
	discardTime = time.Minute
)

// discardRest reads what is left of the body, because a connection that is
// closed while the browser sends may take the answer along (RFC 9112, section
// 9.6), and not every browser looks for one before it has sent all. A body
// that is larger than any file that a visitor may have meant to send is not
// read, nor one that does not say how large it is, as browsers do; and one that
// goes on for too long is read no further.
func (h *Handler) discardRest(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	isBearable := r.ContentLength >= 0 && r.ContentLength <= h.MaxBody+maxDiscard
	if isBearable && control.SetReadDeadline(time.Now().Add(discardTime)) == nil {
		if _, err := io.CopyN(io.Discard, r.Body, maxDiscard); errors.Is(err, io.EOF) {
			_ = control.SetReadDeadline(time.Time{}) // it was one for the connection, which may be used again
			return
		}
	}
	w.Header().Set("Connection", "close") // or the server would try in its turn
}

// maxUnwanted is how much net/http reads of a body that its handler has not
// read, before it sends the answer.
const maxUnwanted = 256 << 10

// turnAway answers a post whose body nobody wants. As the server would, it
// first reads what is left of a body that is not too long: so the answer is
// made for those who have sent theirs, and does not lie in memory once for each
// of many who take their time. Who was cut off gets the status alone.
func (h *Handler) turnAway(w http.ResponseWriter, r *http.Request, s *submission, f failure) error {
	if r.ContentLength > maxUnwanted {
		return h.answerFailure(w, r, s, f)
	}
	ended, err := forget(s.clock, maxUnwanted)
	if err != nil {
		s.reason = cmp.Or(s.reason, fmt.Sprintf("reading what nobody wants: %v", err))
		w.Header().Set("Connection", "close")
		w.WriteHeader(f.status)
		return nil
	}
	if ended { // or the server reads on before it answers, and is timed
		s.clock.stop()
	}
	return h.answerFailure(w, r, s, f)
}

// forget reads at most so many bytes of r, with less room than io.Copy takes,
// and reports whether r ended.
func forget(r io.Reader, most int) (ended bool, err error) {
	buf := make([]byte, 512)
	for read := 0; read < most; {
		n, err := r.Read(buf)
		if errors.Is(err, io.EOF) {
			return true, nil
		} else if err != nil {
			return false, err //nolint:wrapcheck // the caller says what it read
		}
		read += n
	}
	return false, nil
}
