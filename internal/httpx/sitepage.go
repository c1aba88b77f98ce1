package httpx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/page"
)

// pageTimeout bounds how long the site may take to answer with its own page.
const pageTimeout = 2 * time.Second

// Errors of [FetchPage].
var (
	// ErrNotAPage says that the site's answer is not a page that can be shown again.
	ErrNotAPage = errors.New("the site's answer: must be a whole HTML page with status 200")

	errNoServer  = errors.New("the request did not come through a Caddy server")
	errPageLoop  = errors.New("this request is itself for the page with the form")
	errPageLarge = fmt.Errorf("the site's answer: %w", page.ErrTooLarge)
)

// SitePage is a page as the site serves it.
type SitePage struct {
	URL    *url.URL
	Header http.Header
	Body   []byte
}

type pageRequestKey struct{}

// IsPageRequest reports whether [FetchPage] made the request.
func IsPageRequest(r *http.Request) bool { return r.Context().Value(pageRequestKey{}) != nil }

// FetchPage requests the page at a path and query from the site, inside this process. The request
// passes through all of the server's routes, as the visitor's own did. The site has two seconds to
// answer.
func FetchPage(r *http.Request, address string) (*SitePage, error) {
	at, err := url.ParseRequestURI(address)
	if err != nil {
		return nil, ErrNotAPage
	}
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if server == nil {
		return nil, errNoServer
	}
	// A rewrite may turn any request into a POST.
	if IsPageRequest(r) {
		return nil, errPageLoop
	}
	ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), pageRequestKey{}, true), pageTimeout)
	defer cancel()

	answer := NewRecorder()
	asked := caddyhttp.PrepareRequest(pageRequest(ctx, r, at), caddy.NewReplacer(), answer, server)
	// Only the routes: the server itself would write the request to the access log.
	if err := answer.record(server.Routes.Compile(notFound), asked); err != nil {
		return nil, err
	}
	if ctx.Err() != nil || !answer.isPage() {
		return nil, ErrNotAPage
	}
	return &SitePage{URL: at, Header: answer.header, Body: answer.body.Bytes()}, nil
}

// notFound answers requests that no route answers.
var notFound = caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
	w.WriteHeader(http.StatusNotFound)
	return nil
})

// pageRequest makes a request for the page out of the visitor's POST. It asks for the whole page,
// uncompressed, whether or not it has changed.
func pageRequest(ctx context.Context, r *http.Request, at *url.URL) *http.Request {
	asked := r.Clone(ctx)
	asked.Method = http.MethodGet
	asked.URL = &url.URL{Path: at.Path, RawPath: at.RawPath, RawQuery: at.RawQuery}
	asked.RequestURI = at.RequestURI()
	asked.Body, asked.GetBody, asked.ContentLength = http.NoBody, nil, 0
	asked.TransferEncoding, asked.Trailer, asked.Form, asked.PostForm, asked.MultipartForm = nil, nil, nil, nil, nil
	for _, name := range []string{
		"Content-Encoding", "Content-Length", "Content-Type", "Expect", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range",
		"If-Unmodified-Since", "Origin", "Range", "Referer", "Transfer-Encoding", "Trailer",
	} {
		asked.Header.Del(name)
	}
	dropLibraryHeaders(asked.Header)
	asked.Header.Set("Accept-Encoding", "identity")
	return asked
}

// Recorder is a ResponseWriter that records an answer of bounded size.
type Recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	large  bool
}

// NewRecorder returns an empty Recorder.
func NewRecorder() *Recorder { return &Recorder{header: make(http.Header)} }

// Header implements [http.ResponseWriter].
func (a *Recorder) Header() http.Header { return a.header }

// WriteHeader keeps the first final status.
func (a *Recorder) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
}

// Write returns an error once the answer is larger than [page.MaxSource].
func (a *Recorder) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.large || a.body.Len()+len(p) > page.MaxSource {
		a.large = true
		return 0, errPageLarge
	}
	return a.body.Write(p)
}

// record calls the handler. A proxy panics with [http.ErrAbortHandler] when its upstream breaks
// off. Any other panic is a bug, and the server reports it.
func (a *Recorder) record(handler caddyhttp.Handler, r *http.Request) (err error) {
	defer func() {
		broken := recover()
		if broken != nil && broken != http.ErrAbortHandler { //nolint:errorlint // it is a panic's value
			panic(broken)
		}
		switch {
		case a.large:
			err = errPageLarge
		case err != nil, broken != nil:
			err = ErrNotAPage
		}
	}()
	return handler.ServeHTTP(a, r)
}

// isPage reports whether the answer is a page that can be shown again.
func (a *Recorder) isPage() bool {
	return a.status == http.StatusOK && IsHTML(a.header)
}

// IsHTML reports whether the header is that of an HTML page without a content coding.
func IsHTML(header http.Header) bool {
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	encoding := header.Get("Content-Encoding")
	return err == nil && mediaType == "text/html" && (encoding == "" || strings.EqualFold(encoding, "identity"))
}

// Interface guard
var _ http.ResponseWriter = (*Recorder)(nil)
