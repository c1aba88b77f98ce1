// Package caddytelecrm turns forms on sites served by Caddy into leads in TeleCRM.
//
// It registers the app `telecrm`, which manages the accounts and the outbox, the handler
// `http.handlers.telecrm`, which handles a form's POST, the handler
// `http.handlers.telecrm_attribution`, which notes where visitors came from, and the handler
// `http.handlers.telecrm_sandbox`, a stand-in for TeleCRM for trying out forms.
package caddytelecrm

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/account"
	"github.com/leadwire/caddy-telecrm/internal/answer"
	"github.com/leadwire/caddy-telecrm/internal/challenges"
	"github.com/leadwire/caddy-telecrm/internal/grammar"
	"github.com/leadwire/caddy-telecrm/internal/metrics"
	"github.com/leadwire/caddy-telecrm/internal/notes"
	"github.com/leadwire/caddy-telecrm/internal/placeholder"
	"github.com/leadwire/caddy-telecrm/internal/protect"
	"github.com/leadwire/caddy-telecrm/internal/route"
	"github.com/leadwire/caddy-telecrm/internal/screen"
	"github.com/leadwire/caddy-telecrm/internal/seam"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/page"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// Defaults of a [Handler].
const (
	deliverNow     = "now"
	deliverLater   = "later"
	defaultBudget  = 3 * time.Second
	defaultMaxBody = 64 << 10

	defaultRateLimit = "10 1m"
	defaultDedupe    = "10m"
)

// off switches a guard off.
const off = "off"

// Handler handles the POST of an HTML form. It creates a lead in TeleCRM and sends the visitor to
// the thank-you page, or shows what to correct. It passes all other requests on unchanged.
//
// The form may come as `application/x-www-form-urlencoded`, `multipart/form-data` (files are
// skipped) or a flat JSON object. Scripts that ask for JSON get JSON.
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
// `{telecrm.confirm}` | with the outcome `asked`: the value of the input `_confirm` with which the next post is accepted
//
// None of them contains anything that the visitor typed.
type Handler struct {
	// Which POSTs to handle, as in a route's own `match`. If earlier handlers rewrote the URI, each
	// set is also tried on the original URI and on each one in between, so a form that posts to its
	// own clean URL works with `try_files {path}.html`, also in `handle_path`. Default: all
	MatchRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	// The name of the account in the `telecrm` app that the leads go to. Default: `default`
	AccountName string `json:"account,omitempty"`

	// An account's settings can be written here instead. `country`, `time_zone` and `date_order` may
	// also accompany `account`, and apply to this form only.
	account.Settings

	// The form's name in logs and metrics. Default: the path in `match`, or `form`
	Form string `json:"form,omitempty"`

	// The inputs that become fields of the lead. One field, or one of `set`, must be the account's
	// identifier; as a field it is always required.
	Fields []mapping.Field `json:"fields,omitempty"`

	// Values that do not come from a single input.
	Set []mapping.Setting `json:"set,omitempty"`

	// Entries on the lead's timeline.
	Actions []mapping.Action `json:"actions,omitempty"`

	// The API name of a text field for everything else that the form sent, one `label: value` per
	// line.
	Unmapped string `json:"unmapped,omitempty"`

	// Sets fields that say where the visitor came from, which the `telecrm_attribution` handler
	// knows. Fields of the same name in `fields` and `set` come first. Default: none
	Attribution *mapping.Attribution `json:"attribution,omitempty"`

	// What to do with the enquiry of a person whom TeleCRM already knows by the lead identifier:
	// `actions` appends the form's actions to the existing lead; `update` also sets its fields
	// listed in `update_fields`; `upsert` sends everything to the Async API, which sets all fields;
	// `ignore` counts the enquiry as delivered; `park` keeps it for a person to look at. If the
	// existing lead cannot be identified for certain, the enquiry is parked. Default: `actions`, or
	// `upsert` if the account has only an `async_token`
	OnDuplicate string `json:"on_duplicate,omitempty"`

	// With `"on_duplicate": "update"`, the API names of the fields to set.
	UpdateFields []string `json:"update_fields,omitempty"`

	// When to thank the visitor: `now` waits until TeleCRM has answered or the budget is used up,
	// so that visitors can correct what TeleCRM refuses, and thanks them at once if no answer can
	// come within the budget; `later` thanks them as soon as the lead is in the outbox. Default:
	// `now`
	Deliver string `json:"deliver,omitempty"`

	// With `"deliver": "now"`, how long the visitor waits for TeleCRM. Default: `3s`
	Budget caddy.Duration `json:"budget,omitempty"`

	// Where to send the visitor after a successful post: a path, or an http(s) URL. It may contain
	// `{telecrm.id}`. Required.
	ThankYou string `json:"thank_you,omitempty"`

	// How to tell the visitor about an error: `page` shows the page that they were on again, with
	// what they typed and what to correct, or a built-in page if that is not possible, or if a script
	// rebuilds the page in the browser (React, Vue, Svelte, Astro islands and the like); `plain`
	// always shows the built-in page; `handle` passes the error to the site's error routes;
	// `redirect` sends them to `errors_redirect`. Default: `page`
	Errors string `json:"errors,omitempty"`

	// The path or URL for `"errors": "redirect"`. It may contain `{telecrm.outcome}`,
	// `{telecrm.error.fields}`, `{telecrm.confirm}` and `{telecrm.id}`.
	ErrorsRedirect string `json:"errors_redirect,omitempty"`

	// The path of the page with the form, including a query if it needs one. Default: the page in
	// the Referer header, if it is on the same site
	FormPage string `json:"form_page,omitempty"`

	// What visitors can do if their lead cannot be kept, or if they cannot solve a challenge that is
	// required, such as a number to call. The error page shows this text.
	Fallback string `json:"fallback,omitempty"`

	// The names of inputs that visitors do not see, or `off`. A post that fills one in is suspected
	// spam: it is answered like any other, and parked. The page should contain the inputs named
	// here: a post that lacks all of them is somewhat suspicious. Default: `_gotcha`, `bot-field`,
	// `botcheck`, `_honeypot` and `_honey`, where a page has them
	Honeypot []string `json:"honeypot,omitempty"`

	// How many posts a client address (with IPv6, a /64 network) may send within a time window, as
	// `<n> <window>`, or `off`. Caddy must know the client's address: list proxies in front of
	// Caddy under `trusted_proxies`. Default: `10 1m`
	RateLimit string `json:"rate_limit,omitempty"`

	// The addresses and networks that `rate_limit` does not apply to, such as `203.0.113.0/24`: a
	// tablet at a shop's counter, or an office whose visitors and staff share one address.
	RateLimitExcept []string `json:"rate_limit_except,omitempty"`

	// The origins of other sites whose pages may post here, such as `https://www.example.com`.
	// Their scripts may read the answers. Hosts that one host matcher of a route lists, as the
	// addresses of a site block do, are the same site, and need not be listed.
	Origins []string `json:"origins,omitempty"`

	// How long the same lead counts as a repeat, such as a double click or a page sent twice. A
	// repeat has the same host, and TeleCRM would get the same data, apart from times and ids that
	// differ in every request. If several machines share the outbox, it may come to any of them. A
	// duration, or `off`. Default: `10m`
	Dedupe string `json:"dedupe,omitempty"`

	// Whether to add two inputs to the forms that post here while their pages are served: a trap,
	// which people do not see, and a signed stamp with the time when the page was served. A post
	// that does not come from a browser and lacks both, or one that fills in the trap, probably
	// comes from a program. Pages stay cacheable, with a weak entity tag. Pages under 256 KiB keep a
	// Content-Length. A form that a script rebuilds in the browser is left alone, and its posts need
	// neither input.
	Protect bool `json:"protect,omitempty"`

	// A folder with your own message files, named `<language>.json`, such as `hi.json` or
	// `pt-BR.json`. A file changes texts of a language or adds a language. Texts that it leaves out
	// stay as shipped, or in English. The files are read when the config is loaded.
	Messages string `json:"messages,omitempty"`

	// The largest body to read, in bytes, files included; the escape of one byte in a
	// URL-encoded body counts as one. Default: 65536
	MaxBody int64 `json:"max_body,omitempty"`

	// A challenge that distinguishes visitors from programs. Default: none
	Challenge *challenges.Config `json:"challenge,omitempty"`

	app        *App
	account    *account.Account
	matcher    route.Matcher
	match      caddyhttp.RawMatcherSets // as configured; Caddy clears MatchRaw
	mapping    *mapping.Mapping
	duplicates delivery.OnDuplicate
	responder  *answer.Responder
	limits     form.Limits
	meter      metrics.Form
	logger     *zap.Logger

	origins   *guard.Origins
	protector *protect.Protector   // nil without Protect
	challenge *challenges.Verifier // nil without Challenge
	screen    *screen.Screen
	traps     []string
	unlimited []netip.Prefix // that the rate limit does not apply to
	memory    *guard.Memory
	memoryKey string
	matchKey  string // tells forms with the same name apart
	dedupeFor time.Duration

	notes        *notes.Notes
	now          func() time.Time
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
	h.fillDefaults()
	h.logger = ctx.Logger()
	h.notes = notes.New(h.Form, h.logger)
	replaced := seam.Of(ctx)
	h.now, h.bodyPatience = replaced.Now, replaced.BodyPatience

	h.match = h.MatchRaw
	matchers, err := ctx.LoadModule(h, "MatchRaw")
	if err != nil {
		return fmt.Errorf("loading match: %w", err)
	}
	h.matcher.Site = route.NewSite(h)
	if err := h.matcher.Sets.FromInterface(matchers); err != nil {
		return fmt.Errorf("loading match: %w", err)
	}
	app, err := ctx.App("telecrm")
	if err != nil {
		return fmt.Errorf("loading telecrm app: %w", err)
	}
	h.app = app.(*App)
	if err := h.provision(); err != nil {
		return fmt.Errorf("form %s: %w", h.Form, err)
	}
	return nil
}

func (h *Handler) provision() error {
	for _, step := range []func() error{
		h.provisionMapping, h.provisionDuplicates, h.provisionGuards, h.provisionResponder, h.provisionProtection, h.provisionChallenge, h.provisionScreen,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	h.app.know(h.Form, h.mapping)
	h.meter = metrics.NewForm(h.Form, outcomes())
	h.limits = form.DefaultLimits()
	h.limits.Body = h.MaxBody
	h.limits.Name = max(h.limits.Name, h.mapping.LongestInput())
	h.limits.Needs = h.needs
	return nil
}

// needs reports whether the form has a use for an input, so that no limit may silently drop it.
func (h *Handler) needs(input string) bool {
	return h.mapping.Takes(input) || h.responder.CountsOnce(input) || h.protector.Puts(input)
}

// provisionMapping finds the account and compiles the mapping.
func (h *Handler) provisionMapping() (err error) {
	if h.account, err = h.findAccount(); err != nil {
		return err
	}
	h.mapping, err = mapping.New(mapping.Config{
		Fields: h.Fields, Set: h.Set, Actions: h.Actions, Unmapped: h.Unmapped, Attribution: h.Attribution,
		Identifier: h.account.Identifier,
		Locale:     mapping.Locale{Country: h.account.Country, Location: h.account.Location, DateOrder: h.account.DateOrder},
	})
	if err != nil {
		return err
	}
	if err := h.Attribution.Check(h.account.Client != nil); err != nil {
		return err
	}
	if !h.account.Learn(h.mapping.IdentifierType) {
		h.logger.Warn("the forms of an account give the lead identifier different types; use the type that it has in TeleCRM, or known people may not be found",
			zap.String("form", h.Form), zap.String("field", h.mapping.Identifier), zap.String("type", string(h.mapping.IdentifierType)))
	}
	return nil
}

// findAccount returns the account that the form names, or the one in its own block.
func (h *Handler) findAccount() (*account.Account, error) {
	if account.Connect(h.Settings) {
		if h.AccountName != "" {
			return nil, errAccountTwice
		}
		return h.app.accounts.Inline(h.Settings, h.Form)
	}
	acct, err := h.app.accounts.Named(cmp.Or(h.AccountName, account.Default))
	if err != nil {
		return nil, err
	}
	country, timeZone := h.Country, h.TimeZone
	if err := placeholder.Expand(caddy.NewReplacer(),
		placeholder.Setting{Name: "country", Value: &country},
		placeholder.Setting{Name: "time_zone", Value: &timeZone},
	); err != nil {
		return nil, err
	}
	return acct.In(country, timeZone, h.DateOrder)
}

// provisionDuplicates checks the on_duplicate policy, and warns about harm that it may do to the
// leads of known people.
func (h *Handler) provisionDuplicates() (err error) {
	if h.duplicates, err = h.account.OnDuplicate(h.OnDuplicate, h.UpdateFields); err != nil {
		return err
	}
	h.OnDuplicate = string(h.duplicates.Policy)
	h.account.UsePolicy(h.Form, h.duplicates)
	if err := h.duplicates.Check(h.mapping.Identifier, h.mapping.Names()); err != nil {
		return err
	}
	switch h.duplicates.Policy {
	case delivery.UpdateFields:
		h.notes.Overwrites(h.duplicates.Policy, h.UpdateFields)
		h.account.ExpectUpdates()
	case delivery.Upsert:
		h.notes.Overwrites(h.duplicates.Policy, h.mapping.Names())
	case delivery.AppendActions:
		if len(h.Actions) == 0 {
			h.notes.NothingToAppend()
		}
	case delivery.IgnoreDuplicate, delivery.ParkDuplicate:
	}
	return nil
}

// provisionResponder sets up the answers to visitors.
func (h *Handler) provisionResponder() error {
	repl := caddy.NewReplacer()
	if err := placeholder.ExpandKnown(repl,
		placeholder.Setting{Name: "thank_you", Value: &h.ThankYou},
		placeholder.Setting{Name: "errors redirect", Value: &h.ErrorsRedirect},
		placeholder.Setting{Name: "form_page", Value: &h.FormPage},
		placeholder.Setting{Name: "fallback", Value: &h.Fallback},
	); err != nil {
		return err
	}
	catalog, err := h.readMessages(repl)
	if err != nil {
		return err
	}
	h.responder = &answer.Responder{
		ThankYou:       h.ThankYou,
		Errors:         h.Errors,
		ErrorsRedirect: h.ErrorsRedirect,
		FormPage:       h.FormPage,
		IsSameSite:     h.matcher.Site.Has,
		Catalog:        catalog,
		Mapping:        h.mapping,
		Traps:          h.traps,
		Seal:           func() []page.Pair { return h.protector.Hidden() },
		NoteRebuilt:    h.notes.Rebuilt,
		Logger:         h.logger,
	}
	return nil
}

// readMessages reads the messages for visitors.
func (h *Handler) readMessages(repl *caddy.Replacer) (*page.Catalog, error) {
	if h.Messages == "" {
		return page.Shipped(), nil
	}
	folder := h.Messages
	if err := placeholder.Expand(repl, placeholder.Setting{Name: "messages", Value: &folder}); err != nil {
		return nil, err
	}
	if _, err := os.ReadDir(folder); err != nil {
		return nil, fmt.Errorf("messages: reading the folder: %w", placeholder.ExplainPath(folder, err))
	}
	catalog, err := page.Shipped().With(os.DirFS(folder))
	if err != nil {
		return nil, fmt.Errorf("messages %s: %w", folder, err)
	}
	return catalog, nil
}

func (h *Handler) fillDefaults() {
	if h.Form == "" {
		h.Form = cmp.Or(route.Path(h.MatchRaw), "form")
	}
	if h.Deliver == "" {
		h.Deliver = deliverNow
	}
	if h.Budget == 0 {
		h.Budget = caddy.Duration(defaultBudget)
	}
	if h.Errors == "" {
		h.Errors = answer.Page
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

// Posts returns the form's name, and its matchers as configured.
func (h *Handler) Posts() (form string, sets caddyhttp.RawMatcherSets) { return h.Form, h.match }

// Cleanup releases what the form shares with other configs.
func (h *Handler) Cleanup() error {
	err := h.challenge.Close()
	if h.memory != nil {
		_, lost := memories.Delete(h.memoryKey)
		err = errors.Join(err, lost)
	}
	return err
}

// Validate reports settings that cannot work.
func (h *Handler) Validate() error {
	if err := h.validate(); err != nil {
		return fmt.Errorf("form %s: %w", h.Form, err)
	}
	return nil
}

func (h *Handler) validate() error {
	if err := grammar.OneOf(deliverNow, deliverLater)(h.Deliver); err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	if err := grammar.OneOf(errorAnswers()...)(h.Errors); err != nil {
		return fmt.Errorf("errors: %w", err)
	}
	switch {
	case h.Deliver == deliverLater && !h.app.KeepsLeads():
		return errors.New("deliver later: needs the outbox, which is off")
	case h.Budget < 0:
		return errors.New("the budget of deliver now: must not be negative")
	case h.MaxBody < 0:
		return errors.New("max_body: must not be negative")
	case h.ThankYou == "":
		return errNoThankYou
	case h.Errors != answer.Redirect && h.ErrorsRedirect != "":
		return fmt.Errorf("errors_redirect: is only for errors redirect, got errors %s", h.Errors)
	}
	if err := checkThankYou(h.ThankYou); err != nil {
		return fmt.Errorf("thank_you: %w", err)
	}
	if h.FormPage != "" {
		if err := checkFormPage(h.FormPage); err != nil {
			return fmt.Errorf("form_page: %w", err)
		}
	}
	if h.Errors == answer.Redirect {
		if err := checkErrorsRedirect(h.ErrorsRedirect); err != nil {
			return fmt.Errorf("errors redirect: %w", err)
		}
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
	_ route.Form                  = (*Handler)(nil)
)
