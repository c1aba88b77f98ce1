package admin

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// serveList responds with a page of leads.
func serveList(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Has("identifier") {
		return refuse(http.StatusBadRequest, "identifier: is personal data, and URLs are logged; use POST %s/leads/search", adminapi.Prefix)
	}
	query, err := readQuery(r, "state", "account", "form", "since", "until", "limit", "after", "full")
	if err != nil {
		return err
	}
	limit := adminapi.PageSize
	if text := query.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > adminapi.MaxPage {
			return refuse(http.StatusBadRequest, "limit: must be from 1 to %d, got %q", adminapi.MaxPage, text)
		}
	}
	full := query.Get("full")
	if !slices.Contains([]string{"", "true", "false"}, full) {
		return refuse(http.StatusBadRequest, "full: must be true or false, got %q", full)
	}
	return answerList(w, r, adminapi.Filter{
		State: outbox.State(query.Get("state")), Account: query.Get("account"), Form: query.Get("form"),
		Since: query.Get("since"), Until: query.Get("until"),
		After: query.Get("after"), Limit: limit, Full: full == "true",
	})
}

// serveSearch responds with a page of leads, like serveList. The filter comes in the body because
// URLs are logged.
func serveSearch(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	f, err := readJSON[adminapi.Filter](r, `{"identifier": "+91 81234 56789", "since": "24h"}`)
	if err != nil {
		return err
	}
	if f.Limit < 0 || f.Limit > adminapi.MaxPage {
		return refuse(http.StatusBadRequest, "limit: must be from 1 to %d, got %d", adminapi.MaxPage, f.Limit)
	}
	if f.Limit == 0 {
		f.Limit = adminapi.PageSize
	}
	return answerList(w, r, f)
}

func answerList(w http.ResponseWriter, r *http.Request, f adminapi.Filter) error {
	page, err := searchLeads(r.Context(), f)
	if err != nil {
		return err
	}
	return answerJSON(w, page)
}

// searchLeads returns the page of leads that f selects. Its errors are for the client.
func searchLeads(ctx context.Context, f adminapi.Filter) (adminapi.Page, error) {
	open, err := someOutbox()
	if err != nil {
		return adminapi.Page{}, err
	}
	filters, err := filtersOf(ctx, open, f)
	if err != nil {
		return adminapi.Page{}, err
	}
	leads, err := listLeads(ctx, open, filters...)
	if err != nil {
		return adminapi.Page{}, outboxFailed(err, "")
	}
	page := adminapi.Page{Leads: make([]adminapi.Lead, 0, len(leads)), Next: nextAfter(leads, f.Limit)}
	for _, l := range leads {
		described := describe(l.Entry)
		if f.Full {
			described.Content = contentOf(l.Entry)
		}
		page.Leads = append(page.Leads, described)
	}
	nameHolders(ctx, leads, page.Leads)
	if page.Note = noteOnOutbox(open); page.Note == "" && len(leads) == 0 && f.After == "" {
		page.Note = noteOnForm(f.Form, forms())
	}
	return page, nil
}

// filtersOf returns the filters that together select what f does: one for each spelling of the
// identifier.
func filtersOf(ctx context.Context, open []*dispatch.Dispatcher, f adminapi.Filter) ([]outbox.Filter, error) {
	one := outbox.Filter{State: f.State, Account: f.Account, Form: f.Form, After: f.After, Limit: f.Limit}
	if err := checkFilter(ctx, open, one); err != nil {
		return nil, err
	}
	now := time.Now()
	var err error
	if one.Since, err = adminapi.ParseSince(f.Since, now); err != nil {
		return nil, refuse(http.StatusBadRequest, "since: %w", err)
	}
	if one.Until, err = adminapi.ParseUntil(f.Until, now); err != nil {
		return nil, refuse(http.StatusBadRequest, "until: %w", err)
	}
	if !one.Until.IsZero() && !one.Since.Before(one.Until) {
		return nil, refuse(http.StatusBadRequest, "since: must be before until; swap them")
	}
	if f.Identifier == "" {
		return []outbox.Filter{one}, nil
	}
	identifiers, err := spellings(f.Identifier, countries())
	if err != nil {
		return nil, err
	}
	filters := make([]outbox.Filter, 0, len(identifiers))
	for _, one.Identifier = range identifiers {
		filters = append(filters, one)
	}
	return filters, nil
}

// noteOnOutbox returns a hint if leads are missing in a list because an outbox cannot be used.
func noteOnOutbox(open []*dispatch.Dispatcher) string {
	for _, d := range open {
		if store, ok := d.Spooling(); ok && store.Status().Trouble != nil {
			return fmt.Sprintf("outbox %s cannot be used at present, so only leads in its spool are listed; caddy telecrm status says why", d.Resource)
		}
	}
	return ""
}

// noteOnForm returns a hint if the form is not one of the running config's. It is not an error,
// because leads of a form that was removed stay in the outbox.
func noteOnForm(form string, known []string) string {
	switch {
	case form == "" || slices.Contains(known, form):
		return ""
	case len(known) == 0:
		return fmt.Sprintf("the running config does not have the form %q, or any other", form)
	}
	return fmt.Sprintf("the running config does not have the form %q; its forms are: %s", form, strings.Join(known, ", "))
}

// countries returns the countries of the running config's phone numbers.
func countries() []string {
	app, err := caddy.ActiveContext().AppIfConfigured("telecrm")
	if err != nil {
		return nil
	}
	return app.(interface{ Countries() []string }).Countries()
}

// forms returns the names of the running config's forms.
func forms() []string {
	app, err := caddy.ActiveContext().AppIfConfigured("telecrm")
	if err != nil {
		return nil
	}
	return app.(interface{ Forms() []string }).Forms()
}
