package caddytelecrm

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/page"
)

// provisionProtection prepares what pages get with `protect`.
func (h *Handler) provisionProtection() error {
	if !h.Protect {
		return nil
	}
	keys, err := h.keys("stamps")
	if err != nil {
		return err
	}
	h.stamps = guard.NewStamps(keys, h.Form)
	h.trapNames = slices.DeleteFunc(guard.Traps(), func(name string) bool { return h.mapping.taken[name] })
	if len(h.trapNames) == 0 {
		return errors.New("protect: every name that a trap could have is an input of the form; call one of them by another name")
	}
	return nil
}

// passOn hands the request on; what comes back is protected if it is a page.
func (h *Handler) passOn(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if h.stamps == nil || !mayBeForPage(r) {
		return next.ServeHTTP(w, r)
	}
	p := newServedPage(h, w, r)
	defer p.release()
	return p.finish(next.ServeHTTP(p, p.request()))
}

// sealed puts the stamp and the trap into a form.
func (h *Handler) sealed(stamp, trap string, f page.PostForm) string {
	words := h.catalog.For(f.Lang)
	return page.Trap{
		Name:     trap,
		Label:    words.Text(page.TrapLabel),
		Language: words.Tag(),
		Styled:   f.Styled,
		Hidden:   page.Pair{Name: guard.StampInput, Value: stamp},
	}.HTML()
}

// stampFor is the stamp for a page that answers r. One that is shown again
// after an error has been read before, so its stamp is old.
func (h *Handler) stampFor(r *http.Request, trap string) string {
	now := time.Now()
	if r.Context().Value(pageRequestKey{}) != nil {
		now = now.Add(-timeSinceRead)
	}
	return h.stamps.Stamp(now, trap)
}

// timeSinceRead is how old the stamp is of a page that is shown again.
const timeSinceRead = time.Hour

// hiddenSeal is what a page has as hidden inputs that we make ourselves, or
// could not protect, when it is shown again.
func (h *Handler) hiddenSeal() []page.Pair {
	if h.stamps == nil {
		return nil
	}
	trap := h.trapNames[0]
	return []page.Pair{
		{Name: guard.StampInput, Value: h.stamps.Stamp(time.Now().Add(-timeSinceRead), trap)},
		{Name: trap},
	}
}

// takeSeal takes the stamp and the trap out of what was posted: they are no
// part of the lead.
func (h *Handler) takeSeal(r *http.Request, posted *form.Form) guard.Seal {
	if h.stamps == nil {
		return guard.Seal{}
	}
	seal := guard.Seal{Stamps: posted.Values(guard.StampInput), ByScript: httpx.WantsJSON(r), Sender: guard.SenderOf(r)}
	traps := h.stamps.TrapsOf(seal.Stamps, time.Now())
	posted.Entries = slices.DeleteFunc(posted.Entries, func(entry form.Entry) bool {
		if !slices.Contains(h.trapNames, entry.Name) || !slices.Contains(traps, entry.Name) {
			return entry.Name == guard.StampInput
		}
		seal.TrapSent = true
		seal.TrapFilled = seal.TrapFilled || !isBlank(entry.Value)
		return true
	})
	return seal
}

// wouldTake reports whether this handler would take what the form posts, on a
// page that answers r.
func (h *Handler) wouldTake(r *http.Request, f page.PostForm) bool {
	shown := httpx.OriginalURL(r) // as the visitor's browser has it
	target, ok := targetOf(f, &url.URL{Scheme: "http", Host: r.Host, Path: shown.Path, RawPath: shown.RawPath, RawQuery: shown.RawQuery})
	if !ok {
		return false
	}
	if len(h.matchers) == 0 || h.matchesPost(r, target) {
		return true
	}
	// Handlers before this one would rewrite the post as they did with r.
	if target.Path == shown.Path {
		return r.URL.Path != shown.Path && h.matchesPost(r, r.URL)
	}
	stripped, wasStripped := strings.CutSuffix(shown.Path, r.URL.Path)
	path, isBelow := strings.CutPrefix(target.Path, stripped)
	return wasStripped && stripped != "" && isBelow && h.matchesPost(r, &url.URL{Path: path, RawQuery: target.RawQuery})
}

// targetOf is where a form posts to that is on the page at. It reports false
// if that is another host.
func targetOf(f page.PostForm, at *url.URL) (*url.URL, bool) {
	if f.Action == "" {
		return at, true
	}
	base, err := url.Parse(f.Base)
	if err != nil {
		return nil, false
	}
	action, err := url.Parse(f.Action)
	if err != nil {
		return nil, false
	}
	target := at.ResolveReference(base).ResolveReference(action)
	if target.Scheme != "http" && target.Scheme != "https" || plainHost(target.Host) != plainHost(at.Host) {
		return nil, false
	}
	if target.Path == "" {
		target.Path = "/"
	}
	return target, true
}

// plainHost is the host without a port that goes without saying.
func plainHost(host string) string {
	host = strings.ToLower(host)
	return strings.TrimSuffix(strings.TrimSuffix(host, ":80"), ":443")
}

// matchesPost reports whether the handler's matchers match a post to target
// by the visitor who asked for r. What matchers note down is noted elsewhere.
func (h *Handler) matchesPost(r *http.Request, target *url.URL) bool {
	post := r.WithContext(r.Context())
	post.Method = http.MethodPost
	post.URL = &url.URL{Path: target.Path, RawPath: target.RawPath, RawQuery: target.RawQuery}
	post.RequestURI = post.URL.RequestURI()
	post.Header = r.Header.Clone()
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	post = caddyhttp.PrepareRequest(post, caddy.NewReplacer(), &recorder{header: make(http.Header)}, server)
	if vars, ok := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any); ok {
		for name, value := range vars {
			caddyhttp.SetVar(post.Context(), name, value)
		}
	}
	matched, err := h.matchers.AnyMatchWithError(post)
	return matched && err == nil
}
