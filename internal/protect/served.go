package protect

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/page"
)

// servedPage is the answer to a request that may be for a page. It protects the forms of a page on
// the way, and passes anything else through.
//
// Protected pages of one address differ in their stamps alone. So their entity tags are weak,
// whether or not there is a form on the page: caches may go on using a page they have, and nobody
// gets parts of two different ones.
type servedPage struct {
	*caddyhttp.ResponseWriterWrapper

	protector *Protector
	r         *http.Request
	outer     *servedPage // that of an earlier handler, which would get the posts first

	state    pageState
	buffered *bytes.Buffer
	known    *knownPage  // nil until the page, or its beginning, is buffered
	forms    *page.Forms // of a page that is streamed
	trap     string
	written  int64 // bytes of the page so far
	declared int64 // its Content-Length, or -1

	asked      page.PostForm // the last form that isOurs was asked about
	wasAsked   bool
	lastAnswer bool
}

// pageState is the state of the answer.
type pageState int

const (
	notBegun  pageState = iota
	passing             // it is not a page
	buffering           // it is a page, and nothing has been sent
	streaming           // it is a page, and each piece is sent at once
)

type servedPageKey struct{}

// buffers are those of pages that have been sent.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func newServedPage(p *Protector, w http.ResponseWriter, r *http.Request) *servedPage {
	outer, _ := r.Context().Value(servedPageKey{}).(*servedPage)
	return &servedPage{
		ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
		protector:             p,
		r:                     r,
		outer:                 outer,
		declared:              -1,
	}
}

// release returns the page's buffer.
func (p *servedPage) release() {
	if p.buffered != nil {
		p.buffered.Reset()
		buffers.Put(p.buffered)
		p.buffered = nil
	}
}

// request returns the request to hand on. A visitor who wants a page gets a whole and uncompressed
// one: the encode directive, which comes earlier, compresses it anyway. Other requests may be for
// data, or a part of a large file. They are handed on unchanged.
func (p *servedPage) request() *http.Request {
	asked := p.r.WithContext(context.WithValue(p.r.Context(), servedPageKey{}, p))
	if !wantsPage(p.r) {
		return asked
	}
	asked.Header = p.r.Header.Clone()
	for _, name := range []string{"Accept-Encoding", "Range", "If-Range"} {
		asked.Header.Del(name)
	}
	// A page that the browser has with a strong tag is from before pages were protected.
	known := strings.Join(asked.Header.Values("If-None-Match"), ",")
	if asked.Header.Get("Sec-Fetch-Mode") == "navigate" && strings.Contains(known, `"`) && !strings.Contains(known, weak) {
		asked.Header.Del("If-None-Match")
		asked.Header.Del("If-Modified-Since")
	}
	return asked
}

// wantsPage reports whether the request names HTML, or prefetches a page.
func wantsPage(r *http.Request) bool {
	return httpx.NamesHTML(r) ||
		strings.HasPrefix(r.Header.Get("Sec-Purpose"), "prefetch") || r.Header.Get("Purpose") == "prefetch"
}

// weak begins a weak entity tag (RFC 9110, section 8.8.1).
const weak = "W/"

// WriteHeader sends the header, unless the answer is a page.
func (p *servedPage) WriteHeader(status int) {
	isFinal := status >= http.StatusOK || status == http.StatusSwitchingProtocols
	if p.state == buffering || p.state == streaming {
		return
	}
	header := p.Header()
	switch {
	case p.state == passing || !isFinal:
	case status == http.StatusOK && isWholePage(header):
		weaken(header)
		header.Del("Accept-Ranges")
		if p.r.Method == http.MethodHead {
			header.Del("Content-Length")
			break
		}
		p.state = buffering
		p.buffered = buffers.Get().(*bytes.Buffer)
		if length, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil {
			p.declared = length
		}
		return
	case status == http.StatusNotModified:
		if tag := header.Get("ETag"); strings.Contains(strings.Join(p.r.Header.Values("If-None-Match"), ","), weak+tag) {
			weaken(header)
		}
	}
	if isFinal {
		p.state = passing
	}
	p.ResponseWriterWrapper.WriteHeader(status)
}

// isWholePage reports whether an answer with the header, and status 200, is a page that may be
// changed.
func isWholePage(header http.Header) bool {
	return httpx.IsHTML(header) && header.Get("Content-Range") == "" && header.Get("Content-Disposition") == "" &&
		!strings.Contains(strings.ToLower(strings.Join(header.Values("Cache-Control"), ",")), "no-transform")
}

func weaken(header http.Header) {
	if tag := header.Get("ETag"); tag != "" && !strings.HasPrefix(tag, weak) {
		header.Set("ETag", weak+tag)
	}
}

// Write takes a piece of the answer.
func (p *servedPage) Write(piece []byte) (int, error) {
	if p.state == notBegun {
		p.WriteHeader(http.StatusOK)
	}
	if p.state == passing {
		return p.ResponseWriter.Write(piece)
	}
	p.written += int64(len(piece))
	rest := piece
	if p.state == buffering {
		fits := min(len(piece), maxBuffered-p.buffered.Len())
		p.buffered.Write(piece[:fits])
		if rest = piece[fits:]; len(rest) == 0 {
			return len(piece), nil
		}
		if err := p.stream(); err != nil {
			return 0, err
		}
	}
	if err := p.send(rest); err != nil {
		return 0, err
	}
	return len(piece), nil
}

// ReadFrom takes the rest of the answer from source.
func (p *servedPage) ReadFrom(source io.Reader) (int64, error) {
	if p.state == notBegun {
		p.WriteHeader(http.StatusOK)
	}
	if p.state == passing {
		return p.ResponseWriterWrapper.ReadFrom(source)
	}
	return io.Copy(struct{ io.Writer }{p}, source)
}

// FlushError sends the answer so far, and from then on each piece at once.
func (p *servedPage) FlushError() error {
	if p.state == notBegun {
		p.WriteHeader(http.StatusOK)
	}
	if p.state == buffering {
		if err := p.stream(); err != nil {
			return err
		}
	}
	return http.NewResponseController(p.ResponseWriter).Flush() //nolint:bodyclose // there is none
}

// stream sends what is buffered, and starts to send each piece at once.
func (p *servedPage) stream() error {
	p.state = streaming
	p.begin()
	p.Header().Del("Content-Length")
	dropDigests(p.Header())
	p.ResponseWriter.WriteHeader(http.StatusOK)
	return p.send(p.buffered.Bytes())
}

// begin prepares to look for forms while the page is sent. It gives the trap a name that the buffered
// part of the page does not contain.
func (p *servedPage) begin() {
	beginning := p.buffered.Bytes()
	header := headerOf(p.Header())
	p.known = p.protector.pages.find(beginning, header, false)
	p.forms = header.newForms(func(f page.PostForm) string { return p.insert(f, p.forms.At()) })
	p.trap = freeName(beginning, p.protector.trapNames)
}

// send writes a piece of the page with its insertions.
func (p *servedPage) send(piece []byte) error {
	for len(piece) > 0 {
		n, insert := p.forms.Next(piece)
		if _, err := p.ResponseWriter.Write(piece[:n]); err != nil {
			return err
		}
		if _, err := io.WriteString(p.ResponseWriter, insert); err != nil {
			return err
		}
		piece = piece[n:]
	}
	return nil
}

// dropDigests removes the digests of the page's bytes.
func dropDigests(header http.Header) {
	for _, name := range []string{"Content-Digest", "Content-Md5", "Digest", "Repr-Digest"} {
		header.Del(name)
	}
}

// finish sends what is buffered when the handler has returned. A page that broke off must not look
// whole.
func (p *servedPage) finish(err error) error {
	switch {
	case p.state == buffering && err != nil:
		// The site's error routes answer, as if there had been no page.
		p.Header().Del("Content-Length")
	case p.state == buffering:
		p.sendBuffered()
	case p.state == streaming && p.written < p.declared && err == nil:
		panic(http.ErrAbortHandler)
	}
	return err
}

// sendBuffered sends a page that is buffered as a whole.
func (p *servedPage) sendBuffered() {
	whole := buffers.Get().(*bytes.Buffer)
	defer func() {
		whole.Reset()
		buffers.Put(whole)
	}()
	p.addForms(whole)
	header := p.Header()
	length := int64(whole.Len())
	if length > p.written {
		dropDigests(header)
	}
	// A handler that declared more than it wrote broke off: the length must say so too.
	length += max(p.declared-p.written, 0)
	if header.Get("Trailer") == "" {
		header.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	p.ResponseWriter.WriteHeader(http.StatusOK)
	_, _ = p.ResponseWriter.Write(whole.Bytes()) // it fails if the visitor has left
}

// addForms writes the buffered page with its insertions.
func (p *servedPage) addForms(whole *bytes.Buffer) {
	source := p.buffered.Bytes()
	p.known = p.protector.pages.find(source, headerOf(p.Header()), true)
	forms, trap := p.known.formsIn(source, p.protector.trapNames)
	p.trap = trap
	sent := 0
	for _, f := range forms {
		if f.at == sent { // it has an insertion, for another address that it posts to
			continue
		}
		if insert := p.insert(f.PostForm, f.at); insert != "" {
			whole.Write(source[sent:f.at])
			whole.WriteString(insert)
			sent = f.at
		}
	}
	whole.Write(source[sent:])
}

// insert returns what belongs into the form whose start tag ends there.
func (p *servedPage) insert(f page.PostForm, at int) string {
	if !p.isOurs(f) {
		return ""
	}
	if sign := p.known.scripts(p.buffered.Bytes()).At(at); sign != "" {
		p.protector.noteRebuilt(sign)
		return ""
	}
	return p.protector.html(p.protector.stampFor(p.r, p.trap), p.trap, f)
}

// isOurs reports whether the form posts to this handler. It keeps the last answer for pages with
// many equal forms.
func (p *servedPage) isOurs(f page.PostForm) bool {
	f.Styled = false
	if p.wasAsked && p.asked == f {
		return p.lastAnswer
	}
	p.wasAsked, p.asked = true, f
	p.lastAnswer = (p.outer == nil || !p.outer.isOurs(f)) && p.protector.takes(p.r, f)
	return p.lastAnswer
}

// Interface guards
var (
	_ http.ResponseWriter = (*servedPage)(nil)
	_ io.ReaderFrom       = (*servedPage)(nil)
)
