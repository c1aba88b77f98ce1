package caddytelecrm

import (
	"bytes"
	"context"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/page"
)

// mayBeForPage reports whether the answer to the request may be a page that a
// visitor sees, and not one of the many other things that a site is made of.
func mayBeForPage(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "", "document", "embed", "empty", "frame", "iframe", "object":
	default:
		return false
	}
	return httpx.AcceptsHTML(r) && !isOtherFile(r.URL.Path)
}

// isOtherFile reports whether the path is, by its name, that of something
// other than a page.
func isOtherFile(name string) bool {
	mediaType, _, _ := mime.ParseMediaType(mime.TypeByExtension(path.Ext(name)))
	kind, _, _ := strings.Cut(mediaType, "/")
	switch kind {
	case "audio", "font", "image", "video":
		return true
	}
	switch mediaType {
	case "application/javascript", "application/json", "application/pdf", "application/wasm", "application/zip",
		"text/css", "text/javascript", "text/plain", "text/xml":
		return true
	}
	return false
}

// maxHeld is the size up to which a page is held back, in bytes, so that its
// length can be told.
const maxHeld = 64 << 10

// servedPage is the answer to a request that may be for a page. A page has its
// forms protected on the way; anything else goes through as it is.
//
// Protected pages of one address are the same but for their stamps. So their
// entity tags are weak, which says just that, whether or not there is a form
// on them: a cache that has one may go on using it, and nobody gets a part of
// one and a part of another.
type servedPage struct {
	*caddyhttp.ResponseWriterWrapper

	handler *Handler
	r       *http.Request
	outer   *servedPage // that of a handler before this one, which would get the posts first

	state    pageState
	held     *bytes.Buffer
	forms    *page.Forms
	trap     string
	written  int64 // bytes of the page so far
	declared int64 // bytes that it is to have, or -1

	asked      page.PostForm // what isOurs was asked last
	wasAsked   bool
	lastAnswer bool
}

// pageState is how far the answer is.
type pageState int

const (
	notBegun  pageState = iota
	passing             // it is no page
	holding             // it is a page, of which nothing has been sent
	streaming           // it is a page, of which all is sent at once
)

type servedPageKey struct{}

// heldPages holds buffers of pages that are done.
var heldPages = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func newServedPage(h *Handler, w http.ResponseWriter, r *http.Request) *servedPage {
	outer, _ := r.Context().Value(servedPageKey{}).(*servedPage)
	return &servedPage{
		ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
		handler:               h,
		r:                     r,
		outer:                 outer,
		declared:              -1,
	}
}

// release gives back what the page has borrowed.
func (p *servedPage) release() {
	if p.held != nil {
		p.held.Reset()
		heldPages.Put(p.held)
		p.held = nil
	}
}

// request is the request to hand on: for somebody who wants a page, one for a
// page that is whole and not compressed, which the encode directive, coming
// before this one, does anyway. Others may be after data, or a part of a large
// file, and get a page protected if it comes like that.
func (p *servedPage) request() *http.Request {
	asked := p.r.WithContext(context.WithValue(p.r.Context(), servedPageKey{}, p))
	if !wantsPage(p.r) {
		return asked
	}
	asked.Header = p.r.Header.Clone()
	for _, name := range []string{"Accept-Encoding", "Range", "If-Range"} {
		asked.Header.Del(name)
	}
	// What a browser has of a page under a strong tag is from before it was
	// protected.
	known := strings.Join(asked.Header.Values("If-None-Match"), ",")
	if asked.Header.Get("Sec-Fetch-Mode") == "navigate" && strings.Contains(known, `"`) && !strings.Contains(known, weak) {
		asked.Header.Del("If-None-Match")
		asked.Header.Del("If-Modified-Since")
	}
	return asked
}

// wantsPage reports whether the request names HTML among what it is for, or
// fetches ahead what a visitor may go to.
func wantsPage(r *http.Request) bool {
	return httpx.NamesHTML(r) ||
		strings.HasPrefix(r.Header.Get("Sec-Purpose"), "prefetch") || r.Header.Get("Purpose") == "prefetch"
}

// weak begins an entity tag that stands for what is equivalent (RFC 9110,
// section 8.8.1).
const weak = "W/"

// WriteHeader sends the header, unless it is that of a page.
func (p *servedPage) WriteHeader(status int) {
	isFinal := status >= http.StatusOK || status == http.StatusSwitchingProtocols
	if p.state == holding || p.state == streaming {
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
		p.state = holding
		p.held = heldPages.Get().(*bytes.Buffer)
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

// isWholePage reports whether an answer with the header, and status 200, is a
// page that may be changed.
func isWholePage(header http.Header) bool {
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	encoding := header.Get("Content-Encoding")
	return err == nil && mediaType == "text/html" && (encoding == "" || strings.EqualFold(encoding, "identity")) &&
		header.Get("Content-Range") == "" && header.Get("Content-Disposition") == "" &&
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
	if p.state == holding {
		if p.held.Len()+len(piece) <= maxHeld {
			return p.held.Write(piece)
		}
		if err := p.stream(); err != nil {
			return 0, err
		}
	}
	if err := p.send(piece); err != nil {
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

// FlushError sends what there is of the answer, and from then on each piece as
// it comes.
func (p *servedPage) FlushError() error {
	if p.state == notBegun {
		p.WriteHeader(http.StatusOK)
	}
	if p.state == holding {
		if err := p.stream(); err != nil {
			return err
		}
	}
	return http.NewResponseController(p.ResponseWriter).Flush() //nolint:bodyclose // there is none
}

// stream sends what is held, and has everything else sent at once.
func (p *servedPage) stream() error {
	p.state = streaming
	p.begin()
	p.Header().Del("Content-Length")
	dropDigests(p.Header())
	p.ResponseWriter.WriteHeader(http.StatusOK)
	return p.send(p.held.Bytes())
}

// begin prepares to look for forms. The trap has a name that is not on the
// page, as far as that is known.
func (p *servedPage) begin() {
	header := p.Header()
	policies := slices.Concat(header.Values("Content-Security-Policy"), header.Values("Content-Security-Policy-Report-Only"))
	p.forms = page.NewForms(header.Get("Content-Type"), policies, p.insert)
	p.trap = p.handler.trapNames[0]
	for _, name := range p.handler.trapNames {
		if !bytes.Contains(p.held.Bytes(), []byte(name)) {
			p.trap = name
			break
		}
	}
}

// send writes a piece of the page with what belongs into it.
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

// dropDigests takes out what the page's bytes are held against.
func dropDigests(header http.Header) {
	for _, name := range []string{"Content-Digest", "Content-Md5", "Digest", "Repr-Digest"} {
		header.Del(name)
	}
}

// finish sends what is held, once the handler is done. A page that broke off
// must not look whole.
func (p *servedPage) finish(err error) error {
	switch {
	case p.state == holding && err != nil:
		// The site's error routes answer, as if there had been no page.
		p.Header().Del("Content-Length")
	case p.state == holding:
		p.sendHeld()
	case p.state == streaming && p.written < p.declared && err == nil:
		panic(http.ErrAbortHandler)
	}
	return err
}

// sendHeld sends a page that is held as a whole.
func (p *servedPage) sendHeld() {
	p.begin()
	whole := heldPages.Get().(*bytes.Buffer)
	defer func() {
		whole.Reset()
		heldPages.Put(whole)
	}()
	for piece := p.held.Bytes(); len(piece) > 0; {
		n, insert := p.forms.Next(piece)
		whole.Write(piece[:n])
		whole.WriteString(insert)
		piece = piece[n:]
	}
	header := p.Header()
	length := int64(whole.Len())
	if length > p.written {
		dropDigests(header)
	}
	// If the handler has promised more than it wrote, so do we.
	length += max(p.declared-p.written, 0)
	if header.Get("Trailer") == "" {
		header.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	p.ResponseWriter.WriteHeader(http.StatusOK)
	_, _ = p.ResponseWriter.Write(whole.Bytes()) // it fails if the visitor has left
}

// insert is what belongs into the form.
func (p *servedPage) insert(f page.PostForm) string {
	if !p.isOurs(f) {
		return ""
	}
	return p.handler.sealed(p.handler.stampFor(p.r, p.trap), p.trap, f)
}

// isOurs reports whether the form posts to this handler. It keeps the last
// answer, for pages with many forms of a kind.
func (p *servedPage) isOurs(f page.PostForm) bool {
	f.Styled = false
	if p.wasAsked && p.asked == f {
		return p.lastAnswer
	}
	p.wasAsked, p.asked = true, f
	p.lastAnswer = (p.outer == nil || !p.outer.isOurs(f)) && p.handler.wouldTake(p.r, f)
	return p.lastAnswer
}

// Interface guards
var (
	_ http.ResponseWriter = (*servedPage)(nil)
	_ io.ReaderFrom       = (*servedPage)(nil)
)
