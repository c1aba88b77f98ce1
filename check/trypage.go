package check

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/page"
)

// PostedForm is a form of a page that posts to a handler.
type PostedForm struct {
	Site *Site
	Form *Form // of the config
	HTML page.InventoryForm
	// Path is where it posts to.
	Path string
}

// FormsOn returns the forms of a page that post to a handler of the config. The page has the path
// on the site.
func FormsOn(site *Site, path string, source []byte, contentType string) ([]PostedForm, error) {
	inventory, err := page.ReadInventory(source, contentType)
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	var found []PostedForm
	for _, f := range inventory.Forms {
		c := &formCheck{survey: &survey{site: site}, page: sourcePage{urls: []string{path}}, base: inventory.Base, html: f}
		targets := c.targets()
		if handler := c.handler(targets); handler != nil && f.Posts {
			i := slices.IndexFunc(targets, func(t target) bool { return c.takes(handler, t) })
			found = append(found, PostedForm{site, handler, f, targets[i].path})
		}
	}
	return found, nil
}

// PageWith returns the path of the first page whose form posts to the handler, or "".
func PageWith(ctx context.Context, site *Site, f *Form) string {
	if site.Files == nil {
		return ""
	}
	first := ""
	err := EachPage(ctx, *site, "", func(p Page) {
		path := slices.MinFunc(p.Paths, func(a, b string) int { return len(a) - len(b) })
		for _, html := range p.Forms {
			c := &formCheck{survey: &survey{site: site}, page: sourcePage{urls: []string{path}}, base: p.Base, html: html}
			if c.handler(c.targets()) == f && html.Posts && (first == "" || path < first) {
				first = path
			}
		}
	})
	if err != nil {
		return ""
	}
	return first
}

// PathFor returns a path that the form takes a post to: the one that its matcher names.
func (f *Form) PathFor() string {
	for _, path := range []string{f.namedPath(), f.Path} {
		if path != "" && f.Takes("", path) {
			return path
		}
	}
	return ""
}

// namedPath returns the form's name if that is the path that it takes posts to, or "".
func (f *Form) namedPath() string {
	if strings.HasPrefix(f.Name, "/") && !strings.Contains(f.Name, "*") {
		return f.Name
	}
	return ""
}

// Origin returns the scheme, host and port of the site.
func (site *Site) Origin() *url.URL {
	if u, err := url.Parse(site.Address); err == nil && u.Host != "" {
		return u
	}
	return &url.URL{Scheme: "http", Host: "localhost"}
}

// Texts lists the inputs that become free text of the lead or of an action, the name first.
func (f *Form) Texts() []string {
	var inputs []string
	for _, isName := range []bool{true, false} {
		for _, v := range f.values() {
			isFree := v.field != nil && len(v.field.Options) == 0 && v.field.Pattern == ""
			isTemplate := v.set != nil && strings.Contains(v.set.Value, "{")
			if v.kind == fieldtype.Text && (v.name == "name") == isName && (isFree || isTemplate) {
				inputs = append(inputs, inputsOf(v)...)
			}
		}
	}
	return inputs
}
