package check

import (
	"context"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/page"
)

// Page is a page of a site that has forms.
type Page struct {
	// Name is the file, or the address of a running site's page. Paths are those under which the site
	// serves it.
	Name  string
	Paths []string
	Forms []page.InventoryForm
	Base  string
}

// EachPage reads the pages of a site that have forms: its files, or if url is not empty, the pages of
// the site that runs there. It leaves out pages that cannot be read. It calls read for one page at a
// time, in no particular order.
func EachPage(ctx context.Context, site Site, url string, read func(Page)) error {
	c := Config{Sites: []*Site{&site}, URL: url}
	if err := c.openRunning(); err != nil {
		return err
	}
	var mu sync.Mutex
	w := walk{site: c.Sites[0], read: func(p sourcePage) {
		if !page.HasForm(p.source) {
			return
		}
		inventory, err := page.ReadInventory(p.source, p.contentType)
		if err != nil || len(inventory.Forms) == 0 {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		read(Page{p.name, p.urls, inventory.Forms, inventory.Base})
	}}
	return w.run(ctx)
}

// At returns a place on the page.
func (p Page) At(at page.Position) Place { return Place{p.Name, at.Line, at.Column} }

// TypeOf returns the type for a field of TeleCRM, or text if its type is not documented.
func TypeOf(theirs string) fieldtype.Type {
	if types := acceptable[theirs]; len(types) > 0 {
		return types[0]
	}
	return fieldtype.Text
}

// HasPage reports whether the site has a page for the path, as a file.
func (site *Site) HasPage(at string) bool {
	return site.Files != nil && site.has(context.Background(), path.Clean("/"+at))
}

// FollowsPage reports whether the form posts to the address of its page, and the page has several:
// with and without .html. A handler that takes one of them does not get the posts to the others.
// Addresses of index files do not count: file_server redirects to that of the folder.
func FollowsPage(p Page, f page.InventoryForm) bool {
	isIndex := slices.ContainsFunc(p.Paths, func(at string) bool { return strings.HasSuffix(at, "/") })
	return slices.Contains(f.Actions, "") && !isIndex && len(p.Paths) > 1
}
