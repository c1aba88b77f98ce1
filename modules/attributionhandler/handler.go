// Package attributionhandler registers the telecrm_attribution handler, which notes where visitors
// came from.
package attributionhandler

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/attribution"
	"github.com/leadwire/caddy-telecrm/internal/grammar"
	"github.com/leadwire/caddy-telecrm/internal/hostname"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/internal/placeholder"
	"github.com/leadwire/caddy-telecrm/internal/seam"
	"github.com/leadwire/caddy-telecrm/internal/secret"
)

func init() {
	caddy.RegisterModule(Handler{})
}

const (
	defaultDays = 90
	// maxDays is how long browsers keep a cookie at most.
	maxDays = 400
	// keyPatience is how long the answer to a page waits for the key in Caddy's storage.
	keyPatience = 250 * time.Millisecond
)

// Handler notes where visitors came from, without a script. A touch is a visit to a page with a
// known parameter in its URL, or through a link on another site. The first and the latest touch are
// kept in one signed cookie, which is set by the answer to a touch and by no other. That answer
// becomes `Cache-Control: private`; all others stay as they are.
//
// Prefetched pages, crawlers and HEAD requests are not touches. Browsers that ask not to be tracked
// (Global Privacy Control, Do Not Track) do not get the cookie.
//
// It sets these placeholders. All of their values come from the visitor, so do not trust them:
//
// Placeholder | Description
// ------------|------------
// `{telecrm.first.<parameter>}` | a known parameter of the first touch, such as `{telecrm.first.utm_source}`
// `{telecrm.first.referrer}` | the address of the page with the link, without its query
// `{telecrm.first.landing}` | the path of the page that the visitor came to
// `{telecrm.first.channel}` | the channel, with the name that Google Analytics 4 gives it, such as `Paid Search`
// `{telecrm.first.time}` | when that was, such as `2026-03-04T05:06:07Z`
// `{telecrm.last.…}` | the same of the latest touch
// `{telecrm.visits}` | how many visits had a touch
//
// Without the cookie, they come from the URL of the request and of the page that it was made from.
type Handler struct {
	// The cookie's name. Default: `telecrm_attribution`
	Cookie string `json:"cookie,omitempty"`

	// A domain whose hosts share the cookie, such as `example.com` for `example.com` and
	// `www.example.com`. Default: each host has its own
	Domain string `json:"domain,omitempty"`

	// How many days a touch is kept. Default: 90
	Days int `json:"days,omitempty"`

	// The known parameters. `*` at the end stands for any ending. Default: `utm_*`, `gclid`,
	// `gbraid`, `wbraid`, `dclid`, `fbclid`, `msclkid`, `ttclid`, `twclid` and `li_fat_id`
	Params []string `json:"params,omitempty"`

	// The cookie in which the site keeps that the visitor consents. Without consent, nothing is
	// kept. Default: consent is not needed
	Consent *Consent `json:"consent,omitempty"`

	// Which touches to keep: `first`, `last` or `both`. Default: `both`
	Touch string `json:"touch,omitempty"`

	// Domains whose links are not touches, such as that of a payment page that visitors return from.
	// The site's own domain never is one.
	IgnoreReferrers []string `json:"ignore_referrers,omitempty"`

	// Whether nothing but the cookie counts. Default: false
	IgnoreURL bool `json:"ignore_url,omitempty"`

	tracker *attribution.Tracker
	secret  *secret.Secret
}

// Consent says how to tell that a visitor consents.
type Consent struct {
	// The cookie's name.
	Cookie string `json:"cookie"`

	// The value that stands for consent, after percent-decoding. Each `*` in it stands for any text.
	// Default: any value that does not mean no
	Value string `json:"value,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.telecrm_attribution",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision fills in defaults and finds the key in Caddy's storage.
func (h *Handler) Provision(ctx caddy.Context) error {
	if err := h.expand(); err != nil {
		return err
	}
	h.Cookie = cmp.Or(h.Cookie, attribution.DefaultCookie)
	h.Days = cmp.Or(h.Days, defaultDays)
	h.Touch = cmp.Or(h.Touch, string(attribution.BothTouch))
	if len(h.Params) == 0 {
		h.Params = attribution.DefaultParams()
	}
	var err error
	if h.secret, err = secret.Open(ctx.Storage(), ctx.Logger()); err != nil {
		return err
	}
	h.tracker = &attribution.Tracker{
		Params:    attribution.NewParams(h.Params),
		Keep:      attribution.Which(h.Touch),
		IgnoreURL: h.IgnoreURL,
		Cookie: attribution.Cookie{
			Name:   h.Cookie,
			Domain: h.Domain,
			Keep:   time.Duration(h.Days) * 24 * time.Hour,
			Keys:   h.secret.OwnKeys("attribution", keyPatience),
		},
		Now: seam.Of(ctx).Now,
	}
	if h.Consent != nil {
		h.tracker.Consent = &attribution.Consent{Cookie: h.Consent.Cookie, Value: h.Consent.Value}
	}
	for _, domain := range h.IgnoreReferrers {
		h.tracker.IgnoreReferrers = append(h.tracker.IgnoreReferrers, hostname.Name(domain))
	}
	return nil
}

// expand expands the placeholders of the settings.
func (h *Handler) expand() error {
	settings := []placeholder.Setting{{Name: "cookie", Value: &h.Cookie}, {Name: "cookie", Value: &h.Domain}}
	if h.Consent != nil {
		settings = append(settings, placeholder.Setting{Name: "consent", Value: &h.Consent.Cookie})
	}
	return placeholder.Expand(caddy.NewReplacer(), settings...)
}

// Validate reports settings that cannot work.
func (h *Handler) Validate() error {
	if h.Days < 1 || h.Days > maxDays {
		return fmt.Errorf("days: must be from 1 to %d, got %d", maxDays, h.Days)
	}
	if err := grammar.OneOf(attribution.WhichNames()...)(h.Touch); err != nil {
		return fmt.Errorf("touch: %w", err)
	}
	if err := attribution.CheckCookie(h.Cookie); err != nil {
		return fmt.Errorf("cookie: %w", err)
	}
	for _, domain := range slices.Concat(h.IgnoreReferrers, []string{h.Domain}) {
		if domain == "" {
			continue
		}
		if err := attribution.CheckDomain(domain); err != nil {
			return fmt.Errorf("domain: %w", err)
		}
	}
	for _, name := range h.Params {
		if err := attribution.CheckParam(name); err != nil {
			return fmt.Errorf("params: %w", err)
		}
	}
	if h.Consent != nil && h.Consent.Cookie == h.Cookie {
		return errors.New("consent: must be another cookie than the one with the touches")
	}
	return h.tracker.Consent.Check()
}

// Cleanup releases the key.
func (h *Handler) Cleanup() error {
	if h.secret == nil {
		return nil
	}
	return h.secret.Release()
}

// ServeHTTP hands the request on. It offers the placeholders, and adds the cookie to the answer to a
// touch.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	v := &visitor{handler: h, r: r}
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(v.value)
	}
	if !h.tracker.MayTouch(r, httpx.OriginalURL(r).RawQuery) || httpx.IsPageRequest(r) {
		return next.ServeHTTP(w, r)
	}
	visit := h.tracker.Touch(v.request())
	v.record.Store(&visit.Record)
	if visit.SetCookie == "" {
		return next.ServeHTTP(w, r)
	}
	return next.ServeHTTP(&touched{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, cookie: visit.SetCookie}, r)
}

// visitor answers the placeholders of one request. It is small, because every request has one.
type visitor struct {
	handler *Handler
	r       *http.Request
	record  atomic.Pointer[attribution.Record] // nil until a placeholder is needed
}

func (v *visitor) request() attribution.Request {
	page, _ := caddyhttp.GetVar(v.r.Context(), attribution.FormPageVar).(attribution.FormPage)
	return attribution.Request{Request: v.r, URL: httpx.OriginalURL(v.r), IsSecure: httpx.IsSecure(v.r), FormPage: page.URL}
}

// value returns the value of a placeholder. The cookie is read when the first one is needed.
func (v *visitor) value(name string) (any, bool) {
	if !attribution.IsPlaceholder(name) {
		return nil, false
	}
	record := v.record.Load()
	if record == nil {
		known := v.handler.tracker.Known(v.request())
		record = &known
		v.record.Store(record)
	}
	value, ok := record.Value(name)
	return value, ok
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
