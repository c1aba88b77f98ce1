package admin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/console"
	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// parkedOnPage is how many parked leads the page shows at once.
const parkedOnPage = 20

// pageRoutes returns the routes of the operators' page. Caddy itself rejects posts that another
// site makes a browser send.
func pageRoutes() map[string]methods {
	return map[string]methods{
		"":                             {http.MethodGet: redirectToPage},
		"/{$}":                         {http.MethodGet: inHTML(servePage)},
		"/page/leads":                  {http.MethodGet: inHTML(serveLeadsPage), http.MethodPost: inHTML(serveLeadsFound)},
		"/page/leads/{id}/retry":       {http.MethodPost: inHTML(serveRetryButton)},
		"/page/leads/{id}/discard":     {http.MethodGet: inHTML(serveDiscardPage), http.MethodPost: inHTML(serveDiscardButton)},
		"/page/accounts/{name}/resume": {http.MethodPost: inHTML(serveResumeButton)},
	}
}

func redirectToPage(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, adminapi.Prefix+"/", http.StatusMovedPermanently)
	return nil
}

// inHTML shows the errors of handle on an HTML page.
func inHTML(handle caddy.AdminHandlerFunc) caddy.AdminHandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := handle(w, r)
		var refused caddy.APIError
		if err == nil || !errors.As(err, &refused) || refused.HTTPStatus == http.StatusInternalServerError {
			return err
		}
		return answerHTML(w, refused.HTTPStatus, func(w io.Writer) error {
			return console.RenderProblem(w, refused.Err.Error())
		})
	}
}

func answerHTML(w http.ResponseWriter, status int, render func(io.Writer) error) error {
	var body bytes.Buffer
	if err := render(&body); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", console.Policy)
	w.Header().Set("Referrer-Policy", console.ReferrerPolicy)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
	return nil
}

// servePage shows the state of deliveries and the parked leads.
func servePage(w http.ResponseWriter, r *http.Request) error {
	query, err := readQuery(r, "after", "done", "due", "refresh")
	if err != nil {
		return err
	}
	after := query.Get("after")
	if err := checkAfter(after); err != nil {
		return err
	}
	page, err := pageOf(r.Context(), after)
	if err != nil {
		return outboxFailed(err, "")
	}
	page.Done, page.Still = query.Get("done"), query.Get("refresh") == "off"
	page.Due, _ = strconv.Atoi(query.Get("due")) // only words depend on it
	return answerHTML(w, http.StatusOK, func(w io.Writer) error { return console.Render(w, page) })
}

func pageOf(ctx context.Context, after string) (console.Page, error) {
	page := console.Page{Now: time.Now(), After: after}
	open := dispatch.All()
	status, err := statusOf(ctx, open)
	if err != nil {
		return page, err
	}
	page.Note, page.Left, page.Direct, page.Check = status.Note, status.Left, status.Direct, status.Check
	if page.Check != nil {
		page.Check.Findings = lastFindings()
	}
	for i, o := range status.Outboxes {
		recall(ctx, open[i])
		page.Outboxes = append(page.Outboxes, console.Outbox{Outbox: o, Counted: open[i].Tally.Counted()})
	}
	parked, err := listLeads(ctx, open, outbox.Filter{State: outbox.Parked, After: after, Limit: parkedOnPage})
	if err != nil {
		return page, err
	}
	page.Parked.Next = nextAfter(parked, parkedOnPage)
	for _, l := range parked {
		page.Parked.Leads = append(page.Parked.Leads, describe(l.Entry))
	}
	return page, nil
}

// recall adds the hours before this process to the chart. An outbox that fails or takes long is
// asked again by the next page, which says from when the chart counts.
func recall(ctx context.Context, o *dispatch.Dispatcher) {
	ctx, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	err := o.Tally.Recall(func(from, to time.Time) (console.Counts, error) {
		a, err := o.Store.Activity(ctx, from, to)
		return console.Counts{Accepted: a.Appended, Delivered: a.Delivered, Parked: a.Parked}, err
	})
	if err != nil && ctx.Err() == nil {
		o.WarnUnread("the hours before the start of Caddy on the operators' page", err)
	}
}

// backToPage makes the browser reload the page, which then says what was done.
func backToPage(w http.ResponseWriter, r *http.Request, done string) error {
	http.Redirect(w, r, adminapi.Prefix+"/?done="+done, http.StatusSeeOther)
	return nil
}

// serveRetryButton retries a lead. If the button was among found leads, it shows them again.
func serveRetryButton(w http.ResponseWriter, r *http.Request) error {
	f, among, err := readSearch(w, r)
	if err != nil {
		return err
	}
	if err := retryLead(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	if among {
		return answerFound(w, r, console.Leads{Search: f, Done: "retried"})
	}
	return backToPage(w, r, "retried")
}

// serveDiscardPage asks for confirmation before a lead is discarded.
func serveDiscardPage(w http.ResponseWriter, r *http.Request) error {
	lead, err := findLead(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return answerHTML(w, http.StatusOK, func(w io.Writer) error { return console.RenderDiscard(w, describe(lead.Entry)) })
}

func serveDiscardButton(w http.ResponseWriter, r *http.Request) error {
	if err := discardLead(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	return backToPage(w, r, "discarded")
}

func serveResumeButton(w http.ResponseWriter, r *http.Request) error {
	answer, err := resumeAccount(r.Context(), r.PathValue("name"))
	switch {
	case err != nil:
		return err
	case !answer.Resumed && !answer.Waiting:
		return backToPage(w, r, "not-resumed")
	case !answer.Waiting:
		return backToPage(w, r, "resumed-empty")
	}
	return backToPage(w, r, "resumed&due="+strconv.Itoa(answer.Due))
}
