// Package setup writes the config for the forms of a site: it matches their inputs to the fields of
// a workspace by name, label, type and autocomplete.
package setup

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/page"
)

// Options describe the site to write a config for.
type Options struct {
	// Site has the files of the site. URL is the address of the running site to read instead, or "".
	Site check.Site
	URL  string

	// Address is the address of the site block, such as www.example.com or :8080.
	Address string
	// Country and TimeZone are the account's; "" if they are not known.
	Country, TimeZone string
	// BaseURL is the root of the Sync API; "" for TeleCRM's own.
	BaseURL string

	// Workspace has the fields of the workspace. Without it, only the standard fields are used.
	Workspace *check.Workspace
	// Identifier is the workspace's lead identifier if Workspace does not name it; default phone.
	Identifier string
}

// htmlForm is a form of a page that may become a lead.
type htmlForm struct {
	page check.Page
	form page.InventoryForm
	path string // that it posts to, or should
	// posts means that it posts there as it is.
	posts bool
	// missing is the input for the lead identifier that the form lacks, or nil.
	missing *page.InventoryControl
}

// Caddyfile returns a Caddyfile for the site, formatted as `caddy fmt` does.
func Caddyfile(ctx context.Context, o Options) (string, error) {
	var forms []htmlForm
	err := check.EachPage(ctx, o.Site, o.URL, func(p check.Page) {
		for _, f := range p.Forms {
			if found, ok := o.enquiry(p, f); ok {
				forms = append(forms, found)
			}
		}
	})
	if err != nil {
		return "", fmt.Errorf("reading the pages of the site: %w", err)
	}
	slices.SortFunc(forms, func(a, b htmlForm) int {
		return cmp.Or(strings.Compare(a.path, b.path), strings.Compare(a.page.Name, b.page.Name), cmp.Compare(a.form.At.Line, b.form.At.Line), cmp.Compare(a.form.At.Column, b.form.At.Column))
	})
	w := &writer{Options: o, known: newWorkspace(o)}
	w.writeAll(forms)
	return w.text.String(), nil
}

// enquiry reports whether the form is one for enquiries: it has inputs for people to fill in, and
// asks for a way to answer or for a message. Searches and logins are not.
func (o Options) enquiry(p check.Page, f page.InventoryForm) (htmlForm, bool) {
	asks, answers := 0, false
	for _, c := range f.Controls {
		switch {
		case !c.IsShown || c.IsDisabled:
			continue
		case c.IsSecret, c.Type == "search":
			return htmlForm{}, false
		}
		asks++
		concept, _ := conceptOf(c)
		answers = answers || c.Element == "textarea" || concept == phone || concept == email
	}
	if role, _ := f.Attribute("role"); role == "search" || f.Method == "dialog" || asks == 0 || !answers {
		return htmlForm{}, false
	}
	at, isOwn := o.target(p, f)
	if !isOwn && f.Posts && !isService(f) {
		return htmlForm{}, false // somebody else's
	}
	return htmlForm{page: p, form: f, path: cmp.Or(at, "/enquire"), posts: f.Posts && isOwn && !check.FollowsPage(p, f)}, true
}

// target returns the path that the form posts to on its own site. A form without an action of its
// own posts to its page, by its shortest path.
func (o Options) target(p check.Page, f page.InventoryForm) (at string, isOwn bool) {
	own := slices.MinFunc(p.Paths, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
	action := strings.TrimSpace(f.Actions[0])
	if action == "" || action == "#" {
		return strings.TrimSuffix(own, "index.html"), true
	}
	base, err := url.Parse(strings.TrimSpace(p.Base))
	if err != nil {
		return "", false
	}
	u, err := url.Parse(action)
	if err != nil {
		return "", false
	}
	u = (&url.URL{Path: own}).ResolveReference(base).ResolveReference(u)
	isOwn = u.Scheme == "" && u.Host == "" || slices.ContainsFunc(o.Site.Hosts, func(host string) bool { return strings.EqualFold(host, u.Hostname()) })
	if !isOwn || u.Path == "" {
		return "", isOwn
	}
	return u.Path, true
}

// isService reports whether the form belongs to another form service, or opens the mail program.
func isService(f page.InventoryForm) bool {
	u, err := url.Parse(strings.TrimSpace(f.Actions[0]))
	return err == nil && (u.Scheme == "mailto" || check.IsService(u.Hostname()))
}
