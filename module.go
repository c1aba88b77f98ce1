// Package caddytelecrm makes leads in TeleCRM of the forms on sites that
// Caddy serves.
//
// It registers the app `telecrm`, which holds the accounts, the handler
// `http.handlers.telecrm`, which takes a form's POST, and the handler
// `http.handlers.telecrm_sandbox`, a stand-in for TeleCRM to try forms with.
package caddytelecrm

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/page"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// The ways to tell a visitor about an error.
const (
	errorsPage     = "page"
	errorsHandle   = "handle"
	errorsRedirect = "redirect"
)

// Defaults of a [Handler].
const (
	deliverNow     = "now"
	deliverLater   = "later"
	defaultBudget  = 3 * time.Second
	defaultMaxBody = 64 << 10
)

// Handler takes the POST of an HTML form, makes a lead of it in TeleCRM and
// sends the visitor to the thank-you page, or shows what to correct. All
// other requests go to the next handler untouched.
//
// The form may come as `application/x-www-form-urlencoded`,
// `multipart/form-data` (files are skipped) or a flat JSON object. Scripts
// that ask for JSON are answered in JSON.
//
// It sets these placeholders on the requests that it handles:
//
// Placeholder | Description
// ------------|------------
// `{telecrm.id}` | the submission's id, the same as in the log
// `{telecrm.form}` | the form's name
// `{telecrm.outcome}` | `created`, `known`, `accepted`, `waiting`, `invalid`, `refused`, `unavailable`, `malformed`, `too_large`, `not_a_form`, `repeat`, `asked`, `unproven`, `aside`, `foreign` or `limited`
// `{telecrm.lead_id}` | the id of the created lead in TeleCRM
// `{telecrm.error.summary}` | what is wrong, in words for the visitor, in the language that their browser asks for
// `{telecrm.error.fields}` | the names of the inputs to correct, comma-separated
// `{telecrm.confirm}` | of a post with the outcome `asked`: what the input `_confirm` must hold for the next one to pass
//
// None of them holds what the visitor typed.
type Handler struct {
	// Which POSTs to take, as in a route's own `match`; default: all. Each
	// set is tried on the request as it is and, if a handler before this one
	// rewrote the URI, on the URI that the visitor asked for: so a form that
	// posts to its own clean URL works beside `try_files {path}.html`.
	MatchRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	// The name of the account, of those in the `telecrm` app, that the leads
	// go to. Default: `default`
	AccountName string `json:"account,omitempty"`

	// An account's settings can be written here instead. `country` and
	// `time_zone` may also accompany `account`, and count for this form only.
	Account

	// The form's name in logs. Default: the path in `match`, or `form`.
	Form string `json:"form,omitempty"`

	// Which inputs become which fields of the lead. One field, or one of
	// `set`, must be the account's identifier; as a field it is always
	// required.
	Fields []Field `json:"fields,omitempty"`

	// Values that do not come from one input alone.
	Set []Setting `json:"set,omitempty"`

	// Entries for the new lead's timeline.
	Actions []Action `json:"actions,omitempty"`

	// The API name of a text field that gets everything else the form sent,
	// one `label: value` a line.
	Unmapped string `json:"unmapped,omitempty"`

	// What to do with the enquiry of a person whom TeleCRM knows already, by
	// the lead identifier: `actions` appends the form's actions to the lead
	// that is there; `update` sets those of its fields that `update_fields`
	// lists, and then does the same; `upsert` hands everything to the Async
	// API, which sets all fields; `ignore` counts it as delivered; `park`
	// keeps it for a person to look at. What cannot be done, because the lead
	// cannot be told for certain, is parked. Default: `actions`, or `upsert`
	// if the account has an `async_token` alone
	OnDuplicate string `json:"on_duplicate,omitempty"`

	// With `"on_duplicate": "update"`, the API names of the fields to set.
	UpdateFields []string `json:"update_fields,omitempty"`

	// When the visitor is thanked: `now`, when TeleCRM has answered or the
	// budget has passed, so that they can correct what it refuses; or `later`,
	// as soon as the lead is in the outbox. Default: `now`
	Deliver string `json:"deliver,omitempty"`

	// With `"deliver": "now"`, how long the visitor waits for TeleCRM at
	// most. Default: `3s`
	Budget caddy.Duration `json:"budget,omitempty"`

	// Where the visitor goes when all is well: a path, or an http(s) URL. It
	// may hold `{telecrm.id}`. Required.
	ThankYou string `json:"thank_you,omitempty"`

	// How to tell the visitor about an error: `page` shows them the page that
	// they were on, with what they typed and what to correct, or a built-in
	// one if that cannot be done; `handle` hands the error to
	// the site's error routes; `redirect` sends them to `errors_redirect`.
	// Default: `page`
	Errors string `json:"errors,omitempty"`

	// The path or URL for `"errors": "redirect"`. It may hold
	// `{telecrm.outcome}`, `{telecrm.error.fields}`, `{telecrm.confirm}` and
	// `{telecrm.id}`.
	ErrorsRedirect string `json:"errors_redirect,omitempty"`

	// The path of the page that the form is on, with a query if it needs one.
	// Default: the one that the Referer names, if it is on the same host.
	FormPage string `json:"form_page,omitempty"`

	// What the visitor can do instead, such as a number to call, for the page
	// that says that a lead cannot be kept safe.
	Fallback string `json:"fallback,omitempty"`

	// The names of inputs that no visitor sees, so that whatever fills them in
	// is no visitor; or `off`. Such a post is answered like any other, and
	// parked. Inputs that are named here are expected in the page: a post that
	// lacks them all is somewhat suspicious. Default: `_gotcha`, `bot-field`,
	// `botcheck`, `_honeypot` and `_honey`, wherever they occur
	Honeypot []string `json:"honeypot,omitempty"`

	// How many posts one client address (of IPv6: one /64) may send within a
	// time, as `<n> <window>`; or `off`. The address is the one that Caddy
	// knows the client by: list proxies in front of Caddy under
	// `trusted_proxies`. Default: `10 1m`
	RateLimit string `json:"rate_limit,omitempty"`

	// The origins of other sites whose pages may post here, such as
	// `https://www.example.com`. Their scripts may read the answers.
	Origins []string `json:"origins,omitempty"`

	// For how long the same lead again is a repeat, such as a double click or
	// a page that was sent again: the same host, and all that would be sent to
	// TeleCRM, apart from times and ids that every request has anew. A
	// duration, or `off`. Default: `10m`
	Dedupe string `json:"dedupe,omitempty"`

	// Whether to put something into the forms that post here, while their
	// pages are served: a trap, which is an input that no person sees, and a
	// signed stamp that says when the page was served. A post that no
	// browser made and that lacks both, or one that fills in the trap, is likely
	// a machine's. Pages stay cacheable, with a weak entity tag; what is shorter
	// than 64 KiB keeps an exact length.
	Protect bool `json:"protect,omitempty"`

	// A folder with message files of your own, `<language>.json` each, such as
	// `hi.json` or `pt-BR.json`. A file changes single texts of the language,
	// or brings another one; what it leaves out stays as it is shipped, or
	// English. The files are read when the config is loaded.
	Messages string `json:"messages,omitempty"`

	// The largest body to read, in bytes, files included. Default: 65536
	MaxBody int64 `json:"max_body,omitempty"`

	// What tells a visitor from a machine before their post is trusted.
	// Default: nothing
	Challenge *Challenge `json:"challenge,omitempty"`

	matchers   caddyhttp.MatcherSets
	app        *App
	account    *account
	mapping    *mapping
	duplicates delivery.OnDuplicate
	catalog    *page.Catalog
	limits     form.Limits
	guards     guards
	traps      []string
	challenge  *challenge    // nil: none
	stamps     *guard.Stamps // nil without Protect
	trapNames  []string      // what a page's trap may be called

	charsetNoted *sync.Once // the operator has been told of an encoding other than UTF-8
	meter        formMeter
	logger       *zap.Logger

	bodyPatience time.Duration
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.telecrm",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision fills in defaults, finds the account and compiles the mapping.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	h.charsetNoted = new(sync.Once)
	h.fillDefaults()

	matchers, err := ctx.LoadModule(h, "MatchRaw")
	if err != nil {
		return fmt.Errorf("loading match: %w", err)
	}
	if err := h.matchers.FromInterface(matchers); err != nil {
		return fmt.Errorf("loading match: %w", err)
	}

	app, err := ctx.App("telecrm")
	if err != nil {
		return fmt.Errorf("loading telecrm app: %w", err)
	}
	h.app = app.(*App)
	h.account, err = h.findAccount()
	if err != nil {
		return fmt.Errorf("form %s: %w", h.Form, err)
	}
	h.mapping, err = newMapping(h.Fields, h.Set, h.Actions, h.Unmapped, h.account)
	if err != nil {
		return fmt.Errorf("form %s: %w", h.Form, err)
	}

	if !h.account.identity.learn(h.mapping.identified) {
		h.logger.Warn("the forms of one account give the lead identifier as different types; give it the type that it has in TeleCRM, or people whom TeleCRM knows may not be found",
			zap.String("form", h.Form), zap.String("field", h.mapping.identifier), zap.String("type", string(h.mapping.identified)))
	}
	if err := h.provisionChallenge(); err != nil {
		return fmt.Errorf("form %s: challenge: %w", h.Form, err)
	}
	if err := h.provisionProtection(); err != nil {
		return fmt.Errorf("form %s: %w", h.Form, err)
	}

	h.app.know(h.Form, h.mapping.remarkLabels())
	h.meter = meters.form(h.Form)

	if h.OnDuplicate == "" {
		h.OnDuplicate = string(delivery.AppendActions)
		if h.account.client == nil {
			h.OnDuplicate = string(delivery.Upsert)
		}
	}
	if err := h.bindDuplicates(); err != nil {
		return fmt.Errorf("form %s: %w", h.Form, err)
	}

	if err := h.provisionGuards(); err != nil {
		return fmt.Errorf("form %s: %w", h.Form, err)
	}

	repl := caddy.NewReplacer()
	h.ThankYou = repl.ReplaceKnown(h.ThankYou, "")
	h.ErrorsRedirect = repl.ReplaceKnown(h.ErrorsRedirect, "")
	h.FormPage = repl.ReplaceKnown(h.FormPage, "")
	h.Fallback = repl.ReplaceKnown(h.Fallback, "")
	h.limits = form.DefaultLimits()
	h.limits.Body = h.MaxBody
	h.catalog, err = h.readMessages(repl)
	if err != nil {
		return fmt.Errorf("form %s: %w", h.Form, err)
	}
	h.bodyPatience = httpx.BodyPatience
	return nil
}

// readMessages reads the words for visitors.
func (h *Handler) readMessages(repl *caddy.Replacer) (*page.Catalog, error) {
	if h.Messages == "" {
		return page.Shipped(), nil
	}
	folder := repl.ReplaceKnown(h.Messages, "")
	if folder == "" {
		return nil, fmt.Errorf("messages %s: the placeholder is empty; it must give a folder", h.Messages)
	}
	catalog, err := page.Shipped().With(os.DirFS(folder))
	if err != nil {
		return nil, fmt.Errorf("messages %s: %w", folder, err)
	}
	return catalog, nil
}

func (h *Handler) fillDefaults() {
	if h.Form == "" {
		h.Form = h.matchedPath()
	}
	if h.Deliver == "" {
		h.Deliver = deliverNow
	}
	if h.Budget == 0 {
		h.Budget = caddy.Duration(defaultBudget)
	}
	if h.Errors == "" {
		h.Errors = errorsPage
	}
	if h.RateLimit == "" {
		h.RateLimit = defaultRateLimit
	}
	if h.Dedupe == "" {
		h.Dedupe = defaultDedupe
	}
	if h.MaxBody == 0 {
		h.MaxBody = defaultMaxBody
	}
}

// matchedPath is the form's name for want of another: the configured path,
// because the requested one is the visitor's and would let anyone make up
// names.
func (h *Handler) matchedPath() string {
	for _, set := range h.MatchRaw {
		var paths []string
		if raw, ok := set["path"]; ok && json.Unmarshal(raw, &paths) == nil && len(paths) > 0 {
			return paths[0]
		}
	}
	return "form"
}

// Cleanup lets go of what the form holds beyond its config.
func (h *Handler) Cleanup() error {
	var err error
	if h.challenge != nil && h.challenge.release != nil {
		err = h.challenge.release()
	}
	return errors.Join(err, h.releaseGuards())
}

// findAccount returns the account that the form names or describes.
func (h *Handler) findAccount() (*account, error) {
	if h.connects() {
		if h.AccountName != "" {
			return nil, errors.New("name an account or write its settings here, not both; only country and time_zone may accompany a name")
		}
		return h.app.inlineAccount(h.Account, h.Form)
	}
	name := h.AccountName
	if name == "" {
		name = defaultAccount
	}
	acct, err := h.app.account(name)
	if err != nil {
		return nil, err
	}
	repl := caddy.NewReplacer()
	return acct.meaning(repl.ReplaceAll(h.Country, ""), repl.ReplaceAll(h.TimeZone, ""))
}

// Validate reports settings that cannot work.
func (h *Handler) Validate() error {
	if err := h.validate(); err != nil {
		return fmt.Errorf("form %s: %w", h.Form, err)
	}
	return nil
}

func (h *Handler) validate() error {
	switch {
	case h.Deliver != deliverNow && h.Deliver != deliverLater:
		return fmt.Errorf("deliver %q is unknown; known ways are: now, later", h.Deliver)
	case h.Deliver == deliverLater && !h.app.keepsLeads():
		return errors.New("deliver later needs the outbox, which is off")
	case h.Budget < 0:
		return errors.New("the budget of deliver now is negative")
	case h.MaxBody < 0:
		return errors.New("max_body is negative")
	case h.ThankYou == "":
		return errors.New("thank_you is required: the path or URL of the page to show when all is well")
	}
	if err := checkTarget(h.ThankYou, placeholderID); err != nil {
		return fmt.Errorf("thank_you: %w", err)
	}
	if u, err := url.ParseRequestURI(h.FormPage); h.FormPage != "" && (err != nil || u.Host != "" || u.Scheme != "" || strings.HasPrefix(h.FormPage, "//")) {
		return errors.New("form_page must be a path that begins with /")
	}
	switch h.Errors {
	case errorsPage, errorsHandle:
		if h.ErrorsRedirect != "" {
			return fmt.Errorf("errors_redirect is set although errors is %s", h.Errors)
		}
	case errorsRedirect:
		if err := checkTarget(h.ErrorsRedirect, placeholderID, placeholderOutcome, placeholderErrorFields, placeholderConfirm); err != nil {
			return fmt.Errorf("errors redirect: %w", err)
		}
	default:
		return fmt.Errorf("errors %q is unknown; known ways are: page, handle, redirect", h.Errors)
	}
	return nil
}

// checkTarget reports whether target can be redirected to: a path on this
// site or an absolute URL, with none but the allowed placeholders.
func checkTarget(target string, allowed ...string) error {
	for _, placeholder := range allowed {
		target = strings.ReplaceAll(target, placeholder, "x")
	}
	if strings.ContainsAny(target, "{}") {
		return fmt.Errorf("of the placeholders that are known per request it may only hold %s", strings.Join(allowed, ", "))
	}
	u, err := url.Parse(target)
	switch {
	case err != nil || strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }):
		return errors.New("it is not a path or a URL")
	case u.Scheme == "" && u.Host == "" && strings.HasPrefix(target, "/"):
		return nil
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
		return nil
	}
	return errors.New("it must be a path that begins with / or a URL that begins with https://")
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
