package answer

import (
	"net/http"
	"strings"

	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
)

// ConfirmInput is the input with which a page that is sent again brings its confirmation.
const ConfirmInput = "_confirm"

const (
	confirmCookie = "telecrm_confirm"
	// confirmCookieAge is how many seconds a browser keeps the cookie.
	confirmCookieAge = 60 * 60
)

// SetConfirmation gives the browser a confirmation in a cookie. It is for visitors who get an
// answer without a page of ours, in which a hidden input would carry it.
func SetConfirmation(w http.ResponseWriter, r *http.Request, confirmation string) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // a site without TLS cannot have secure cookies
		Name: confirmCookie, Value: confirmation, Path: cookiePath(r), MaxAge: confirmCookieAge,
		HttpOnly: true, Secure: httpx.IsSecure(r), SameSite: http.SameSiteLaxMode,
	})
}

// Confirmations returns the confirmations that a post brings: in an input, or in a cookie.
func Confirmations(r *http.Request, posted *form.Form) []string {
	brought := posted.Values(ConfirmInput)
	for _, cookie := range r.CookiesNamed(confirmCookie) {
		brought = append(brought, cookie.Value)
	}
	return brought
}

// cookiePath returns the path that the visitor's browser posted to, as it compares it with a
// cookie's.
func cookiePath(r *http.Request) string {
	posted := httpx.OriginalURL(r)
	path := posted.EscapedPath()
	if !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ';' }) {
		return "/"
	}
	return path
}
