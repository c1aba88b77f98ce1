package attributionhandler

import (
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// touched is the answer to a touch. It sets the cookie and becomes private, unless it turns out not
// to be a page. An answer that the site's error routes make is not one either.
type touched struct {
	*caddyhttp.ResponseWriterWrapper

	cookie string
	begun  bool
}

// WriteHeader adds the cookie to the final header.
func (t *touched) WriteHeader(status int) {
	if !t.begun && status >= http.StatusOK {
		t.begun = true
		if mayBePage(t.Header()) {
			t.Header().Add("Set-Cookie", t.cookie)
			makePrivate(t.Header())
		}
	}
	t.ResponseWriterWrapper.WriteHeader(status)
}

// Write writes a piece of the answer.
func (t *touched) Write(piece []byte) (int, error) {
	t.begin()
	return t.ResponseWriterWrapper.Write(piece)
}

// ReadFrom takes the rest of the answer from source.
func (t *touched) ReadFrom(source io.Reader) (int64, error) {
	t.begin()
	return t.ResponseWriterWrapper.ReadFrom(source)
}

// FlushError sends the answer so far.
func (t *touched) FlushError() error {
	t.begin()
	return http.NewResponseController(t.ResponseWriter).Flush() //nolint:bodyclose // there is none
}

func (t *touched) begin() {
	if !t.begun {
		t.WriteHeader(http.StatusOK)
	}
}

// mayBePage reports whether an answer is a page, or a redirect to one.
func mayBePage(header http.Header) bool {
	contentType := header.Get("Content-Type")
	if contentType == "" {
		return true
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && (mediaType == "text/html" || mediaType == "application/xhtml+xml")
}

// makePrivate keeps shared caches from storing the answer. The browser may keep it as long as
// before.
func makePrivate(header http.Header) {
	directives := []string{"private"}
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		if !slices.Contains([]string{"", "public", "private", "s-maxage", "proxy-revalidate"}, name) {
			directives = append(directives, strings.TrimSpace(directive))
		}
	}
	header.Set("Cache-Control", strings.Join(directives, ", "))
	for name := range header {
		// These come before Cache-Control in the shared caches that know them (RFC 9213).
		if strings.HasSuffix(name, "Cdn-Cache-Control") || name == "Surrogate-Control" || name == "X-Accel-Expires" || name == "Edge-Control" {
			header.Del(name)
		}
	}
}

// Interface guard
var _ http.ResponseWriter = (*touched)(nil)
