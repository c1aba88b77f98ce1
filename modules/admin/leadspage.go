package admin

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/console"
	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/outbox"
)

const (
	// foundOnPage is how many found leads the page shows at once.
	foundOnPage = 20
	// freshSince selects the leads that the page opens with.
	freshSince = "24h"
)

// serveLeadsPage shows the page that finds leads, with those of the last 24 hours.
func serveLeadsPage(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	return answerFound(w, r, console.Leads{Search: adminapi.Filter{Since: freshSince}, Fresh: true})
}

// serveLeadsFound shows the leads that the posted search selects.
func serveLeadsFound(w http.ResponseWriter, r *http.Request) error {
	f, _, err := readSearch(w, r)
	if err != nil {
		return err
	}
	return answerFound(w, r, console.Leads{Search: f})
}

// searchFields are the names of the page's boxes.
var searchFields = []string{"identifier", "state", "form", "account", "since", "until", "after"}

// readSearch returns the search in the body of a post, if there is one. Blank boxes select all.
func readSearch(w http.ResponseWriter, r *http.Request) (f adminapi.Filter, found bool, err error) {
	if _, err := readQuery(r); err != nil {
		return f, false, err
	}
	r.Body = http.MaxBytesReader(w, r.Body, longestBody)
	if err := r.ParseForm(); err != nil {
		return f, false, refuse(http.StatusBadRequest, "body: must be a form of at most %d bytes", longestBody)
	}
	for name := range r.PostForm {
		if !slices.Contains(searchFields, name) {
			return f, false, refuse(http.StatusBadRequest, "body: has an unknown field; known fields are: %s", strings.Join(searchFields, ", "))
		}
	}
	text := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	f = adminapi.Filter{
		State: outbox.State(text("state")), Account: text("account"), Form: text("form"), Identifier: text("identifier"),
		Since: text("since"), Until: text("until"), After: text("after"),
	}
	return f, len(r.PostForm) > 0, nil
}

// answerFound runs the search of the page and shows the page. If the search is not valid, the page
// says so and keeps what was typed.
func answerFound(w http.ResponseWriter, r *http.Request, page console.Leads) error {
	page.Now, page.Forms = time.Now(), forms()
	search := page.Search
	search.Limit = foundOnPage
	status := http.StatusOK
	var err error
	if page.Accounts, err = knownAccounts(r.Context(), dispatch.All()); err != nil {
		return outboxFailed(err, "")
	}
	if page.Found, err = searchLeads(r.Context(), search); err != nil {
		var refused caddy.APIError
		if !errors.As(err, &refused) || refused.HTTPStatus == http.StatusInternalServerError {
			return err
		}
		status, page.Problem = refused.HTTPStatus, refused.Err.Error()
	}
	return answerHTML(w, status, func(w io.Writer) error { return console.RenderLeads(w, page) })
}
