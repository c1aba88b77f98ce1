package route

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"unicode"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
)

const (
	// mostMissed bounds the paths that are logged. Programs try many.
	mostMissed = 64
	// mostSegments bounds a logged path, longestSegment each part of it between slashes, in characters,
	// and mostDigits the digits in one.
	mostSegments, longestSegment, mostDigits = 6, 64, 4
)

// Missed logs posts that no form takes and no other handler either. The forms of a config share it,
// so that each path is logged once. A nil Missed logs nothing.
type Missed struct {
	mu    sync.Mutex
	paths map[string]bool
}

// NewMissed returns an empty Missed.
func NewMissed() *Missed { return &Missed{paths: make(map[string]bool)} }

// Note logs the post if err is what file_server returns for a POST: 405, or 404 if there is no such
// file. Programs cause many of the latter, so they count only if a page of this site posts.
func (m *Missed) Note(logger *zap.Logger, r *http.Request, form string, err error) {
	if m == nil || err == nil || r.Method != http.MethodPost {
		return
	}
	refused, ok := errors.AsType[caddyhttp.HandlerError](err)
	if !ok {
		return
	}
	isFromPage := refused.StatusCode == http.StatusNotFound && guard.SenderOf(r).NamesPage
	if refused.StatusCode != http.StatusMethodNotAllowed && !isFromPage {
		return
	}
	path := loggablePath(httpx.OriginalURL(r).Path)
	m.mu.Lock()
	isNew := !m.paths[path] && len(m.paths) < mostMissed
	if isNew {
		m.paths[path] = true
	}
	m.mu.Unlock()
	if isNew {
		logger.Warn("no form takes a POST to this path, and no other handler does; compare the action of the HTML form with the matcher of telecrm",
			zap.String("path", path), zap.Int("status", refused.StatusCode), zap.String("form", form))
	}
}

// omitted stands for what is not logged.
const omitted = "…"

// loggablePath returns a path as far as it may be that of a form. Anything else may be about a person,
// such as an address or a number, or be a secret of another program.
func loggablePath(path string) string {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if len(segments) > mostSegments {
		segments = append(segments[:mostSegments], omitted)
	}
	for i, segment := range segments {
		if !isLoggable(segment) {
			segments[i] = omitted
		}
	}
	return "/" + strings.Join(segments, "/")
}

func isLoggable(segment string) bool {
	length, digits := 0, 0
	for _, r := range segment {
		length++
		switch {
		case unicode.IsDigit(r):
			digits++
		case !unicode.IsLetter(r) && !unicode.IsMark(r) && !strings.ContainsRune("-_.~", r):
			return false
		}
	}
	return length <= longestSegment && digits <= mostDigits
}
