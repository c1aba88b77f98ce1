// Package caddytelecrm makes leads in TeleCRM of the forms on sites that Caddy serves.
//
// It registers the app `telecrm`, which holds the accounts, the handler `http.handlers.telecrm`,
// which takes a form's POST, and the handler `http.handlers.telecrm_sandbox`, a stand-in for
// TeleCRM to try forms with.
package caddytelecrm

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
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
	"github.com/leadwire/caddy-telecrm/internal/metrics"
	"github.com/leadwire/caddy-telecrm/internal/protect"
	"github.com/leadwire/caddy-telecrm/internal/route"
	"github.com/leadwire/caddy-telecrm/internal/screen"
	"github.com/leadwire/caddy-telecrm/internal/seam"
	"github.com/leadwire/caddy-telecrm/internal/signing"
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

// Handler takes the POST of an HTML form, makes a lead of it in TeleCRM and sends the visitor to
// the thank-you page, or shows what to correct. All other requests go to the next handler
// untouched.
//
// The form may come as `application/x-www-form-urlencoded`, `multipart/form-data` (files are
// skipped) or a flat JSON object. Scripts that ask for JSON are answered in JSON.
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
	// Which POSTs to take, as in a route's own `match`; default: all. Each set is tried on the
	// request as it is and, if a handler before this one rewrote the URI, on the URI that the
	// visitor asked for: so a form that posts to its own clean URL works beside `try_files
	// {path}.html`.
	MatchRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	// The name of the account, of those in the `telecrm` app, that the leads go to. Default:
	// `default`
	AccountName string `json:"account,omitempty"`

	// An account's settings can be written here instead. `country` and `time_zone` may also
	// accompany `account`, and count for this form only.
	account.Settings

	// The form's name in logs. Default: the path in `match`, or `form`.
	Form string `json:"form,omitempty"`

	// Which inputs become which fields of the lead. One field, or one of `set`, must be the
	// account's identifier; as a field it is always required.
	Fields []mapping.Field `json:"fields,omitempty"`

	// Values that do not come from one input alone.
	Set []mapping.Setting `json:"set,omitempty"`

	// Entries for the new lead's timeline.
	Actions []mapping.Action `json:"actions,omitempty"`

	// The API name of a text field that gets everything else the form sent, one `label: value` a
	// line.
	Unmapped string `json:"unmapped,omitempty"`

	// What to do with the enquiry of a person whom TeleCRM knows already, by the lead identifier:
	// `actions` appends the form's actions to the lead that is there; `update` sets those of its
	// fields that `update_fields` lists, and then does the same; `upsert` hands everything to the
	// Async API, which sets all fields; `ignore` counts it as delivered; `park` keeps it for a
	// person to look at. What cannot be done, because the lead cannot be told for certain, is
	// parked. Default: `actions`, or `upsert` if the account has an `async_token` alone
	OnDuplicate string `json:"on_duplicate,omitempty"`

	// With `"on_duplicate": "update"`, the API names of the fields to set.
	UpdateFields []string `json:"update_fields,omitempty"`

	// When the visitor is thanked: `now`, when TeleCRM has answered or the budget has passed, so
	// that they can correct what it refuses; or `later`, as soon as the lead is in the outbox.
	// Default: `now`
	Deliver string `json:"deliver,omitempty"`

	// With `"deliver": "now"`, how long the visitor waits for TeleCRM at most. Default: `3s`
	Budget caddy.Duration `json:"budget,omitempty"`

	// Where the visitor goes when all is well: a path, or an http(s) URL. It may hold
	// `{telecrm.id}`. Required.
	ThankYou string `json:"thank_you,omitempty"`

	// How to tell the visitor about an error: `page` shows them the page that they were on, with
	// what they typed and what to correct, or a built-in one if that cannot be done; `handle` hands
	// the error to the site's error routes; `redirect` sends them to `errors_redirect`. Default:
	// `page`
	Errors string `json:"errors,omitempty"`

	// The path or URL for `"errors": "redirect"`. It may hold `{telecrm.outcome}`,
	// `{telecrm.error.fields}`, `{telecrm.confirm}` and `{telecrm.id}`.
	ErrorsRedirect string `json:"errors_redirect,omitempty"`

	// The path of the page that the form is on, with a query if it needs one. Default: the one that
	// the Referer names, if it is on the same host.
	FormPage string `json:"form_page,omitempty"`

	// What the visitor can do instead, such as a number to call, for the page that says that a lead
	// cannot be kept safe.
	Fallback string `json:"fallback,omitempty"`

	// The names of inputs that no visitor sees, so that whatever fills them in is no visitor; or
	// `off`. Such a post is answered like any other, and parked. Inputs that are named here are
	// expected in the page: a post that lacks them all is somewhat suspicious. Default: `_gotcha`,
	// `bot-field`, `botcheck`, `_honeypot` and `_honey`, wherever they occur
	Honeypot []string `json:"honeypot,omitempty"`

	// How many posts one client address (of IPv6: one /64) may send within a time, as `<n>
	// <window>`; or `off`. The address is the one that Caddy knows the client by: list proxies in
	// front of Caddy under `trusted_proxies`. Default: `10 1m`
	RateLimit string `json:"rate_limit,omitempty"`

	// The origins of other sites whose pages may post here, such as `https://www.example.com`.
	// Their scripts may read the answers.
	Origins []string `json:"origins,omitempty"`

	// For how long the same lead again is a repeat, such as a double click or a page that was sent
	// again: the same host, and all that would be sent to TeleCRM, apart from times and ids that
	// every request has anew. A duration, or `off`. Default: `10m`
	Dedupe string `json:"dedupe,omitempty"`

	// Whether to put something into the forms that post here, while their pages are served: a trap,
	// which is an input that no person sees, and a signed stamp that says when the page was served.
	// A post that no browser made and that lacks both, or one that fills in the trap, is likely a
	// machine's. Pages stay cacheable, with a weak entity tag; what is shorter than 64 KiB keeps an
	// exact length.
	Protect bool `json:"protect,omitempty"`

	// A folder with message files of your own, `<language>.json` each, such as `hi.json` or
	// `pt-BR.json`. A file changes single texts of the language, or brings another one; what it
	// leaves out stays as it is shipped, or English. The files are read when the config is loaded.
	Messages string `json:"messages,omitempty"`

	// The largest body to read, in bytes, files included. Default: 65536
	MaxBody int64 `json:"max_body,omitempty"`

	// What tells a visitor from a machine before their post is trusted. Default: nothing
	Challenge *challenges.Config `json:"challenge,omitempty"`

	app        *App
	account    *account.Account
	matcher    route.Matcher
	mapping    *mapping.Mapping
	duplicates delivery.OnDuplicate
	responder  *answer.Responder
	limits     form.Limits
	meter      metrics.Form
	logger     *zap.Logger

	origins   *guard.Origins
	protector *protect.Protector   // nil without Protect
	challenge *challenges.Verifier // nil: none
	screen    *screen.Screen
	traps     []string
	memory    *guard.Memory
	memoryKey string

	charsetNoted *sync.Once // the operator has been told of an encoding other than UTF-8
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
	h.charsetNoted = new(sync.Once)
	replaced := seam.Of(ctx)
	h.now, h.bodyPatience = replaced.Now, replaced.BodyPatience

	matchers, err := ctx.LoadModule(h, "MatchRaw")
	if err != nil {
		return fmt.Errorf("loading match: %w", err)
	}
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
	h.app.know(h.Form, h.mapping.RemarkLabels())
	h.meter = metrics.NewForm(h.Form, outcomes())
	h.limits = form.DefaultLimits()
	h.limits.Body = h.MaxBody
	return nil
}

// provisionMapping finds the account and compiles the mapping.
func (h *Handler) provisionMapping() (err error) {
	if h.account, err = h.findAccount(); err != nil {
		return err
	}
	h.mapping, err = mapping.New(mapping.Config{
		Fields: h.Fields, Set: h.Set, Actions: h.Actions, Unmapped: h.Unmapped,
		Identifier: h.account.Identifier,
		Locale:     mapping.Locale{Country: h.account.Country, Location: h.account.Location},
	})
	if err != nil {
		return err
	}
	if !h.account.Learn(h.mapping.IdentifierType) {
		h.logger.Warn("the forms of one account give the lead identifier as different types; give it the type that it has in TeleCRM, or people whom TeleCRM knows may not be found",
			zap.String("form", h.Form), zap.String("field", h.mapping.Identifier), zap.String("type", string(h.mapping.IdentifierType)))
	}
	return nil
}

// findAccount returns the account that the form names or describes.
func (h *Handler) findAccount() (*account.Account, error) {
	if account.Connect(h.Settings) {
		if h.AccountName != "" {
			return nil, errors.New("name an account or write its settings here, not both; only country and time_zone may accompany a name")
		}
		return h.app.accounts.Inline(h.Settings, h.Form)
	}
	acct, err := h.app.accounts.Named(cmp.Or(h.AccountName, account.Default))
	if err != nil {
		return nil, err
	}
	repl := caddy.NewReplacer()
	return acct.In(repl.ReplaceAll(h.Country, ""), repl.ReplaceAll(h.TimeZone, ""))
}

// provisionDuplicates checks what the form does about people whom TeleCRM knows, and warns of what
// it may do to their records.
func (h *Handler) provisionDuplicates() error {
	if h.OnDuplicate == "" {
		h.OnDuplicate = string(delivery.AppendActions)
		if h.account.Client == nil {
			h.OnDuplicate = string(delivery.Upsert)
		}
	}
	policy := delivery.Policy(h.OnDuplicate)
	switch {
	case !policy.Known():
		return fmt.Errorf("on_duplicate %q is unknown; known ways are: %s", h.OnDuplicate, delivery.PolicyNames())
	case policy != delivery.UpdateFields && len(h.UpdateFields) > 0:
		return fmt.Errorf("update_fields is set although on_duplicate is %s", policy)
	case h.account.Client == nil && policy != delivery.Upsert:
		return fmt.Errorf("on_duplicate %s needs a token: with an async_token alone every lead goes through the Async API, which updates the lead that is there", policy)
	case policy == delivery.Upsert && h.account.Async == nil:
		return errors.New("on_duplicate upsert needs an async_token in the account")
	}
	h.duplicates = delivery.OnDuplicate{Policy: policy, Fields: h.UpdateFields}
	if err := h.duplicates.Check(h.mapping.Identifier, h.mapping.Names()); err != nil {
		return err
	}
	switch policy {
	case delivery.UpdateFields:
		h.warnOfOverwriting(h.UpdateFields)
		h.account.ExpectUpdates()
	case delivery.Upsert:
		h.warnOfOverwriting(h.mapping.Names())
	case delivery.AppendActions:
		if len(h.Actions) == 0 {
			h.logger.Warn("the form has no action to append to the lead of a person whom TeleCRM knows: their enquiries will be parked; add an action, or say what to do with on_duplicate",
				zap.String("form", h.Form))
		}
	case delivery.IgnoreDuplicate, delivery.ParkDuplicate:
	}
	return nil
}

// warnOfOverwriting warns of fields that a second enquiry should hardly set.
func (h *Handler) warnOfOverwriting(names []string) {
	for _, name := range names {
		if harm := delivery.Policy(h.OnDuplicate).Harm(name); harm != "" {
			h.logger.Warn("on_duplicate "+h.OnDuplicate+" sets a field of people whom TeleCRM knows: "+harm,
				zap.String("form", h.Form), zap.String("field", name))
		}
	}
}

// provisionGuards prepares what keeps spam out. What the guards remember outlives the config.
func (h *Handler) provisionGuards() error {
	limit, err := parseLimit(h.RateLimit)
	if err != nil {
		return fmt.Errorf("rate_limit: %w", err)
	}
	window, err := parseDedupe(h.Dedupe)
	if err != nil {
		return fmt.Errorf("dedupe: %w", err)
	}
	if h.traps, err = h.findTraps(); err != nil {
		return fmt.Errorf("honeypot: %w", err)
	}
	h.mapping.Ignore(h.traps)
	if h.origins, err = guard.NewOrigins(h.Origins); err != nil {
		return fmt.Errorf("origins: %w", err)
	}
	match, err := json.Marshal(h.MatchRaw)
	if err != nil {
		return err
	}
	h.memoryKey = strings.Join([]string{h.app.resource, h.account.Base(), h.account.Key, h.Form, h.RateLimit, h.Dedupe, string(match)}, "\x00")
	pooled, _, err := memories.LoadOrNew(h.memoryKey, func() (caddy.Destructor, error) {
		return memory{guard.NewMemory(limit, window, h.now)}, nil
	})
	if err != nil {
		return err
	}
	h.memory = pooled.(memory).Memory
	return nil
}

// memories holds what the guards of forms remember, so that a reload forgets nothing.
var memories = caddy.NewUsagePool()

type memory struct{ *guard.Memory }

// Destruct implements [caddy.Destructor]. There is nothing to release.
func (memory) Destruct() error { return nil }

// findTraps returns the names of inputs that are traps. An input that becomes part of the lead
// cannot be one.
func (h *Handler) findTraps() ([]string, error) {
	switch {
	case len(h.Honeypot) == 0:
		return slices.DeleteFunc(guard.KnownTraps(), h.mapping.Takes), nil
	case slices.Contains(h.Honeypot, off):
		if len(h.Honeypot) > 1 {
			return nil, errors.New("write either off or the names of inputs")
		}
		return nil, nil
	}
	for _, trap := range h.Honeypot {
		if h.mapping.Takes(trap) {
			return nil, fmt.Errorf("the input %s goes to TeleCRM, so it cannot be a trap", trap)
		}
		if guard.IsFilledByBrowsers(trap) {
			h.logger.Warn("browsers and password managers may fill in this trap by themselves, and people's posts would be taken for spam; give it a name that is not a common question, such as _gotcha",
				zap.String("form", h.Form), zap.String("input", trap))
		}
	}
	return h.Honeypot, nil
}

// keys returns the keys that sign for one purpose.
func (h *Handler) keys(purpose string) (signing.Keys, error) {
	ofToken, err := h.account.DeriveKey(purpose)
	if err != nil {
		return nil, err
	}
	return h.app.secret.Keys(purpose, ofToken), nil
}

// provisionResponder prepares the answers to visitors.
func (h *Handler) provisionResponder() error {
	repl := caddy.NewReplacer()
	for _, setting := range []*string{&h.ThankYou, &h.ErrorsRedirect, &h.FormPage, &h.Fallback} {
		*setting = repl.ReplaceKnown(*setting, "")
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
		Catalog:        catalog,
		Mapping:        h.mapping,
		Traps:          h.traps,
		Seal:           func() []page.Pair { return h.protector.Hidden() },
		Logger:         h.logger,
	}
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

// provisionProtection prepares the protection of pages with the form.
func (h *Handler) provisionProtection() error {
	if !h.Protect {
		return nil
	}
	keys, err := h.keys("stamps")
	if err != nil {
		return err
	}
	h.protector, err = protect.New(protect.Config{
		Form: h.Form, Keys: keys, Catalog: h.responder.Catalog, Now: h.now,
		Takes: h.matcher.WouldTake, IsInput: h.mapping.Takes,
	})
	return err
}

// provisionChallenge prepares the form's challenge, if it has one.
func (h *Handler) provisionChallenge() error {
	if h.Challenge == nil {
		return nil
	}
	// An account's name in the config stays the same when its token changes.
	name := cmp.Or(h.AccountName, h.EnterpriseID, account.Default) + "\x00" + h.Form
	keys, err := h.keys("altcha " + name)
	if err != nil {
		return err
	}
	if h.challenge, err = h.Challenge.Open(h.Form, name, keys, h.logger); err != nil {
		return fmt.Errorf("challenge: %w", err)
	}
	return nil
}

// provisionScreen puts together what tells people from programs.
func (h *Handler) provisionScreen() error {
	keys, err := h.keys("confirmations")
	if err != nil {
		return err
	}
	h.screen = &screen.Screen{
		Traps:         h.traps,
		TrapsExpected: len(h.Honeypot) > 0, // "honeypot off" has none
		Memory:        h.memory,
		Confirmations: guard.NewConfirmations(keys, h.Form),
		Protector:     h.protector,
		Mapping:       h.mapping,
		Responder:     h.responder,
	}
	return nil
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

// Cleanup ends the form's use of what outlives its config.
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
	switch {
	case h.Deliver != deliverNow && h.Deliver != deliverLater:
		return fmt.Errorf("deliver %q is unknown; known ways are: now, later", h.Deliver)
	case h.Deliver == deliverLater && !h.app.KeepsLeads():
		return errors.New("deliver later needs the outbox, which is off")
	case h.Budget < 0:
		return errors.New("the budget of deliver now is negative")
	case h.MaxBody < 0:
		return errors.New("max_body is negative")
	case h.ThankYou == "":
		return errors.New("thank_you is required: the path or URL of the page to show when all is well")
	}
	if err := answer.CheckTarget(h.ThankYou, answer.PlaceholderID); err != nil {
		return fmt.Errorf("thank_you: %w", err)
	}
	if u, err := url.ParseRequestURI(h.FormPage); h.FormPage != "" && (err != nil || u.Host != "" || u.Scheme != "" || strings.HasPrefix(h.FormPage, "//")) {
		return errors.New("form_page must be a path that begins with /")
	}
	switch h.Errors {
	case answer.Page, answer.Handle:
		if h.ErrorsRedirect != "" {
			return fmt.Errorf("errors_redirect is set although errors is %s", h.Errors)
		}
	case answer.Redirect:
		if err := answer.CheckTarget(h.ErrorsRedirect, answer.PlaceholderID, answer.PlaceholderOutcome, answer.PlaceholderErrorFields, answer.PlaceholderConfirm); err != nil {
			return fmt.Errorf("errors redirect: %w", err)
		}
	default:
		return fmt.Errorf("errors %q is unknown; known ways are: page, handle, redirect", h.Errors)
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
