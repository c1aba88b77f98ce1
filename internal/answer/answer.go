// Package answer answers a visitor's post: it sends them to the thank-you page, or shows what to
// correct, as JSON, on the site's own page or on a built-in one.
package answer

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/page"
)

// Vary lists the request headers that choose the form of an answer.
const Vary = "Accept, X-Requested-With, HX-Request, X-Up-Validate, Precognition"

// The ways to tell a visitor about an error.
const (
	Page     = "page"
	Plain    = "plain"
	Handle   = "handle"
	Redirect = "redirect"
)

// The placeholders that a redirect's target may hold.
const (
	PlaceholderID          = "{telecrm.id}"
	PlaceholderOutcome     = "{telecrm.outcome}"
	PlaceholderErrorFields = "{telecrm.error.fields}"
	PlaceholderConfirm     = "{telecrm.confirm}"
)

// Responder answers the posts of one form.
type Responder struct {
	// ThankYou is the target of visitors whose post was accepted.
	ThankYou string
	// Errors is the way to tell about errors: [Page], [Plain], which always shows the built-in
	// page, [Handle] or [Redirect], which sends visitors to ErrorsRedirect.
	Errors         string
	ErrorsRedirect string
	// FormPage is the path and query of the page with the form; empty if the Referer tells.
	FormPage string
	// IsSameSite reports whether the site that a request is for also has another host.
	IsSameSite func(r *http.Request, host string) bool
	Catalog    *page.Catalog
	Mapping    *mapping.Mapping
	// Traps are not shown again.
	Traps []string
	// Seal returns hidden inputs for a page that is shown again.
	Seal func() []page.Pair
	// NoteRebuilt is told what shows that a script rebuilds the form's page in the browser. Visitors
	// of such a page get the built-in page.
	NoteRebuilt func(sign string)
	Logger      *zap.Logger
}

// Post is a visitor's post, as far as answers need it.
type Post struct {
	ID      string
	JSON    bool // answer in JSON
	IsDraft bool // it is only to be checked; see [Responder.Checked]
	// Typed is what to show again. It is nil if nothing could be read.
	Typed *form.Form
	Repl  *caddy.Replacer

	secrets []string           // inputs that the page says are for passwords and the like
	pages   map[string]fetched // by address
}

// Failure is what an error answer says.
type Failure struct {
	Status int
	// Outcome names the failure in redirects.
	Outcome string
	// Code is for the form as a whole; empty if the problems say it all.
	Code string
	// Detail is more about the form as a whole.
	Detail page.Detail
	// Note is the operator's own text after the message of the code; it may be empty.
	Note     string
	Problems []*mapping.Problem
	// Confirm lets the post pass when it is sent again.
	Confirm string
}

// CheckTarget returns an error unless target can be redirected to: a path on this site or an
// absolute URL, with no placeholders but the allowed ones.
func CheckTarget(target string, allowed ...string) error {
	for _, placeholder := range allowed {
		target = strings.ReplaceAll(target, placeholder, "x")
	}
	if strings.ContainsAny(target, "{}") {
		return fmt.Errorf("it may contain no other placeholder of a request than %s", strings.Join(allowed, ", "))
	}
	u, err := url.Parse(target)
	switch {
	case err != nil || strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }):
		return fmt.Errorf("it must be a path or a URL, got %q", target)
	case u.Scheme == "" && u.Host == "" && strings.HasPrefix(target, "/"):
		return nil
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
		return nil
	}
	return fmt.Errorf("it must be a path that begins with / or a URL that begins with https://, got %q", target)
}

// Thanks sends the visitor to the thank-you page. Known and new people get the same answer, so
// nobody can find out if a person is a customer.
func (a *Responder) Thanks(w http.ResponseWriter, r *http.Request, p *Post, id string) error {
	target := strings.ReplaceAll(a.ThankYou, PlaceholderID, id)
	if !p.JSON {
		return redirect(w, r, target)
	}
	w.Header().Add("Vary", "Accept-Language")
	return JSON(w, http.StatusOK, successBody{
		OK: true, Success: true, Code: http.StatusOK, Status: "success",
		Message: a.wordsFor(r).Thanks(), Next: target, Redirect: target, RedirectURL: target, ID: id,
	})
}

// Fail gives an error answer: in JSON if the request asks for that, or else in the configured way.
// It sets the placeholders of errors.
func (a *Responder) Fail(w http.ResponseWriter, r *http.Request, p *Post, f Failure) error {
	words := a.wordsFor(r)
	inputs := strings.Join(f.inputs(), ",")
	p.Repl.Set("telecrm.error.summary", f.summary(words))
	p.Repl.Set("telecrm.error.fields", inputs)
	p.Repl.Set("telecrm.confirm", f.Confirm)
	if p.JSON {
		w.Header().Add("Vary", "Accept-Language")
		return JSON(w, f.Status, f.body(words))
	}
	switch a.Errors {
	case Handle:
		w.Header().Add("Vary", "Accept-Language")
		return caddyhttp.Error(f.Status, errors.New(f.reason()))
	case Redirect:
		target := strings.NewReplacer(
			PlaceholderID, p.ID,
			PlaceholderOutcome, f.Outcome,
			PlaceholderErrorFields, url.QueryEscape(inputs),
			PlaceholderConfirm, url.QueryEscape(f.Confirm),
		).Replace(a.ErrorsRedirect)
		return redirect(w, r, target)
	case Plain:
		a.noteSecrets(r, p)
		w.Header().Add("Vary", "Accept-Language")
		return a.writeBuiltin(w, r, p, f, words)
	}
	own, err := a.renderOwnPage(r, p, f)
	if err != nil {
		a.Logger.Debug("showing the built-in page", zap.String("id", p.ID), zap.Error(err))
		w.Header().Add("Vary", "Accept-Language")
		return a.writeBuiltin(w, r, p, f, words)
	}
	return writeOwnPage(w, r, f.Status, own)
}

// redirect sends the visitor to a target that the operator configured.
func redirect(w http.ResponseWriter, r *http.Request, target string) error {
	if httpx.LibraryOf(r) == httpx.HTMX {
		return redirectHTMX(w, target)
	}
	http.Redirect(w, r, target, http.StatusSeeOther) //nolint:gosec // the operator says where to; ids are ours and names of inputs are escaped
	return nil
}

// ShowsPage reports whether a failure is shown on a page that we make, in which a hidden input can
// carry a confirmation.
func (a *Responder) ShowsPage(p *Post) bool {
	return !p.JSON && (a.Errors == Page || a.Errors == Plain)
}

// wordsFor returns the words for an answer that is not a page of the site: in the language that the
// visitor's browser asks for. The site's own page has a language of its own.
func (a *Responder) wordsFor(r *http.Request) *page.Words {
	return a.Catalog.For(httpx.PreferredLanguages(r)...)
}

// write sends a whole answer. It ignores that the visitor may have left.
func write(w http.ResponseWriter, status int, contentType string, body *bytes.Buffer) error {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = body.WriteTo(w)
	return nil
}
