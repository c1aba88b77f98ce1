package caddytelecrm

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

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/page"
)

// pageTimeout is how long the site may take to give its own page.
const pageTimeout = 2 * time.Second

// Why the site's own page is not at hand.
var (
	errUnread    = errors.New("nothing of the form could be read")
	errNoServer  = errors.New("the request did not come through a server of Caddy")
	errPageLoop  = errors.New("this request is itself for the page with the form")
	errNotAPage  = errors.New("the site does not answer with a whole HTML page and status 200")
	errPageLarge = fmt.Errorf("the site's answer: %w", page.ErrTooLarge)
)

// sitePage is the page with the form, as the site serves it.
type sitePage struct {
	url    *url.URL
	header http.Header
	body   []byte
}

type pageRequestKey struct{}

// pageAddresses are where the page with the form may be: where the operator
// says, or else where the visitor came from and, for want of that, where they
// posted to.
func (h *Handler) pageAddresses(r *http.Request, typed *form.Form) []string {
	if h.FormPage != "" {
		return []string{h.FormPage}
	}
	posted := postedURI(r)
	if from := formPage(r, typed); from != "" && from != posted {
		return []string{from, posted}
	}
	return []string{posted}
}

// fetchPage asks the site, inside this process, for the page at address:
// through all of the server's routes, as the visitor's browser did.
func fetchPage(r *http.Request, address string) (*sitePage, error) {
	at, err := url.ParseRequestURI(address)
	if err != nil {
		return nil, errNotAPage
	}
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if server == nil {
		return nil, errNoServer
	}
	// A rewrite may turn any request into a POST.
	if r.Context().Value(pageRequestKey{}) != nil {
		return nil, errPageLoop
	}
	ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), pageRequestKey{}, true), pageTimeout)
	defer cancel()

	answer := &recorder{header: make(http.Header)}
	asked := caddyhttp.PrepareRequest(pageRequest(ctx, r, at), caddy.NewReplacer(), answer, server)
	// The routes alone, because the server itself would write a line into the
	// access log for a page that nobody asked for.
	if err := answer.take(server.Routes.Compile(nothing), asked); err != nil {
		return nil, err
	}
	if ctx.Err() != nil || !answer.isPage() {
		return nil, errNotAPage
	}
	return &sitePage{url: at, header: answer.header, body: answer.body.Bytes()}, nil
}

// nothing is what comes after all routes.
var nothing = caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
	w.WriteHeader(http.StatusNotFound)
	return nil
})

// pageRequest is the visitor's request for the page, made of their POST. It
// is for the whole page, unchanged or not and uncompressed.
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
	asked.Header.Set("Accept-Encoding", "identity")
	return asked
}

// recorder is a ResponseWriter that keeps an answer of bounded size.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	large  bool
}

func (a *recorder) Header() http.Header { return a.header }

// WriteHeader keeps the first status that is final.
func (a *recorder) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
}

func (a *recorder) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.large || a.body.Len()+len(p) > page.MaxSource {
		a.large = true
		return 0, errPageLarge
	}
	return a.body.Write(p)
}

// take lets handler answer. A proxy gives up with a panic when what is behind
// it breaks off; anything else is a bug, which the server reports.
func (a *recorder) take(handler caddyhttp.Handler, r *http.Request) (err error) {
	defer func() {
		switch broken := recover(); broken {
		case nil:
		case http.ErrAbortHandler:
			err = errNotAPage
		default:
			panic(broken)
		}
	}()
	err = handler.ServeHTTP(a, r)
	switch {
	case a.large:
		return errPageLarge
	case err != nil:
		return errNotAPage
	}
	return nil
}

// isPage reports whether the answer is a page that can be shown again.
func (a *recorder) isPage() bool {
	mediaType, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	encoding := a.header.Get("Content-Encoding")
	return err == nil && a.status == http.StatusOK && mediaType == "text/html" && (encoding == "" || strings.EqualFold(encoding, "identity"))
}

// renderPage puts what the visitor typed, and what to correct, into the site's
// own page.
func (h *Handler) renderPage(r *http.Request, s *submission, f failure) (*sitePage, error) {
	if s.typed == nil {
		return nil, errUnread
	}
	var reasons error
	for _, address := range h.pageAddresses(r, s.typed) {
		own, err := h.ownPage(r, s, address)
		if err != nil {
			reasons = errors.Join(reasons, err)
			continue
		}
		shown := *s.pages[address].page
		h.describe(own, f)
		if shown.body, err = own.Render(); err == nil {
			return &shown, nil
		}
		s.secrets = append(s.secrets, page.SecretInputs(own.Source, own.ContentType)...)
		reasons = errors.Join(reasons, err)
	}
	return nil, reasons
}

// fetchedPage is what the site answered when it was asked for a page.
type fetchedPage struct {
	page *sitePage
	err  error
}

// pageAt returns the page at address. It asks the site once for a submission.
func (s *submission) pageAt(r *http.Request, address string) (*sitePage, error) {
	fetched, known := s.pages[address]
	if !known {
		fetched.page, fetched.err = fetchPage(r, address)
		if s.pages == nil {
			s.pages = make(map[string]fetchedPage)
		}
		s.pages[address] = fetched
	}
	return fetched.page, fetched.err
}

// ownPage returns the page at address with the values that were posted.
func (h *Handler) ownPage(r *http.Request, s *submission, address string) (*page.Own, error) {
	found, err := s.pageAt(r, address)
	if err != nil {
		return nil, err
	}
	posted, err := url.ParseRequestURI(postedURI(r))
	if err != nil {
		return nil, errNotAPage
	}
	own := &page.Own{
		Source:      found.body,
		ContentType: found.header.Get("Content-Type"),
		Policies:    found.header.Values("Content-Security-Policy"),
		URL:         found.url,
		Posted:      posted,
		Named:       h.FormPage != "",
		Catalog:     h.catalog,
		Partial:     s.typed.Cut,
	}
	for _, entry := range s.typed.Entries {
		if !h.countsOnce(entry.Name) && (h.mapping.taken[entry.Name] || !form.IsSecret(entry.Name)) {
			own.Values = append(own.Values, page.Pair{Name: entry.Name, Value: entry.Value})
		}
	}
	return own, nil
}

// describe adds what to tell the visitor, and what the form is to send along next time.
func (h *Handler) describe(own *page.Own, f failure) {
	own.Code, own.Note = f.code, f.note
	for _, p := range f.problems {
		own.Problems = append(own.Problems, p.onPage())
	}
	if h.FormPage == "" && own.URL.Path != own.Posted.Path {
		own.Hidden = append(own.Hidden, page.Pair{Name: formPageInput, Value: own.URL.RequestURI()})
	}
	if f.confirm != "" {
		own.Hidden = append(own.Hidden, page.Pair{Name: confirmInput, Value: f.confirm})
	}
	if !bytes.Contains(own.Source, []byte(`name="`+guard.StampInput+`"`)) {
		own.Hidden = append(own.Hidden, h.hiddenSeal()...)
	}
}

// writeOwnPage shows the visitor the page they were on.
func writeOwnPage(w http.ResponseWriter, status int, own *sitePage) error {
	for name, values := range own.header {
		switch name {
		case "Accept-Ranges", "Age", "Cache-Control", "Connection", "Content-Disposition", "Content-Encoding", "Content-Length", "Content-Range",
			"Content-Type", "Date", "Etag", "Expires", "Last-Modified", "Pragma", "Refresh", "Trailer", "Transfer-Encoding":
		case "Set-Cookie", "Vary":
			w.Header()[name] = append(w.Header()[name], values...)
		default:
			w.Header()[name] = values
		}
	}
	return write(w, status, "text/html; charset=utf-8", bytes.NewBuffer(own.body))
}

// charsetOfPage is the encoding that the page with the form declares; empty if
// there is no page at hand that declares one.
func (h *Handler) charsetOfPage(r *http.Request, s *submission, posted *form.Form) string {
	for _, address := range h.pageAddresses(r, posted) {
		found, err := s.pageAt(r, address)
		if err != nil {
			continue
		}
		if declared := page.Charset(found.body, found.header.Get("Content-Type")); declared != "" {
			return declared
		}
	}
	return ""
}

// noteCharset tells the operator, once, that a page's forms are not in UTF-8.
func (h *Handler) noteCharset(posted *form.Form) {
	if posted.Charset == "" {
		return
	}
	h.charsetNoted.Do(func() {
		h.logger.Warn("the form is not sent in UTF-8; serve its page as UTF-8, or some characters may be lost",
			zap.String("form", h.Form), zap.String("charset", posted.Charset))
	})
}

// Interface guard
var _ http.ResponseWriter = (*recorder)(nil)
