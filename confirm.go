package caddytelecrm

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// A confirmation travels to the visitor and back with the post that they are
// asked to send again: in a hidden input of the page that they are shown; in a
// cookie, and in a JSON answer's `_confirm` or {telecrm.confirm}, where they
// are not shown one.
const (
	confirmInput  = "_confirm"
	confirmCookie = "telecrm_confirm"

	// confirmCookieTime is for how many seconds a browser keeps the cookie.
	confirmCookieTime = 60 * 60
)

// soonest is how long it takes a person to press a button again.
const soonest = time.Second

// enquiry is what a confirmation of the post is bound to.
func (h *Handler) enquiry(r *http.Request, lead telecrm.Lead) guard.Enquiry {
	return guard.Enquiry{
		Host:       plainHost(r.Host),
		Network:    guard.NetworkOf(httpx.ClientAddress(r)),
		Identifier: fmt.Sprint(lead.Fields[h.mapping.identifier]),
	}
}

// redeem uses the post's confirmation, if it brings one that is genuine, its
// own and unused, and returns the submission that the visitor was asked to
// send again. Where the visitor was not shown a page, the same lead from the
// same network counts as one after a while: not every script knows of
// confirmations.
func (h *Handler) redeem(r *http.Request, s *submission, lead telecrm.Lead, earlier guard.Result) (id string, ok bool) {
	about := h.enquiry(r, lead)
	id, ok = h.readConfirmation(r, s, about)
	if !ok && !h.showsPage(s) && earlier.Asked && earlier.Network == about.Network && s.start.Sub(earlier.At) >= soonest {
		id, ok = earlier.ID, true
	}
	if !ok || !h.guards.redeemed.Redeem(id) {
		return "", false
	}
	return id, true
}

func (h *Handler) readConfirmation(r *http.Request, s *submission, about guard.Enquiry) (id string, ok bool) {
	for _, confirmation := range s.posted.Values(confirmInput) {
		if id, ok := h.guards.confirmations.Read(confirmation, about, s.start); ok {
			return id, true
		}
	}
	for _, cookie := range r.CookiesNamed(confirmCookie) {
		if id, ok := h.guards.confirmations.Read(cookie.Value, about, s.start); ok {
			return id, true
		}
	}
	return "", false
}

// showsPage reports whether an error is shown on a page that we make, in which
// a hidden input carries the confirmation.
func (h *Handler) showsPage(s *submission) bool { return !s.json && h.Errors == errorsPage }

// answerConfirm asks the visitor to send the form once more.
func (h *Handler) answerConfirm(w http.ResponseWriter, r *http.Request, s *submission, confirmation string) error {
	if !h.showsPage(s) {
		http.SetCookie(w, &http.Cookie{ //nolint:gosec // a site without TLS cannot have secure cookies
			Name: confirmCookie, Value: confirmation, Path: cookiePath(r), MaxAge: confirmCookieTime,
			HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode,
		})
	}
	return h.answerFailure(w, r, s, failure{
		status: http.StatusUnprocessableEntity, code: codeConfirm, confirm: confirmation,
	})
}

// cookiePath is the path that the visitor's browser posted to, as it compares
// it with a cookie's.
func cookiePath(r *http.Request) string {
	posted := httpx.OriginalURL(r)
	path := posted.EscapedPath()
	if !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ';' }) {
		return "/"
	}
	return path
}
