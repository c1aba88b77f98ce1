// Package check compares the pages of a site, the mapping of its forms and the TeleCRM workspace,
// and reports what does not fit together.
//
// It never changes anything. It reads pages one at a time, so its memory does not grow with the
// site.
package check

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/leadwire/caddy-telecrm/mapping"
)

// Config is everything to be checked.
type Config struct {
	Sites    []*Site
	Accounts []*Account

	// Empty lists the settings whose placeholder has no value.
	Empty []EmptyPlaceholder
	// Folder is where the leads are kept; "" if there is no such folder.
	Folder      string
	FolderPlace Place

	// URL is the address of the running site whose pages are to be read instead of its files, or "".
	URL string

	// State is a file for what the pages were like when a check last found no errors, or "".
	State string

	// Fixes lets [Report.Patch] fix findings.
	Fixes bool

	// IsGentle leaves the processor to others: pages are read one after another, with rests.
	IsGentle bool

	// Now is the clock; default [time.Now].
	Now func() time.Time

	// JSON is the config as Caddy runs it, to try posts with; nil if it is not needed.
	JSON []byte
}

// EmptyPlaceholder is a setting whose placeholder has no value.
type EmptyPlaceholder struct {
	Setting string // its word in the config
	Text    string // as written
	Reason  string
	Place   Place
}

// Site is a site with forms.
type Site struct {
	// Hosts are the site's names, without ports.
	Hosts []string
	// Address is the scheme, host and port under which this machine serves the site.
	Address string

	// Files are the site's files, or nil if they are not known. Root precedes their names in places.
	Files fs.FS
	Root  string
	// Index lists the names of index files, and Try the paths that try_files tries, with {path}.
	Index []string
	Try   []string
	// Answers reports whether something other than a file may answer a request for the path. Nil
	// means that nothing does.
	Answers func(path string) bool

	// ProxyHeader is a header of proxies that the config reads, or "". HasTrustedProxies means that
	// the config says which proxies to believe.
	ProxyHeader       string
	ProxyPlace        Place
	HasTrustedProxies bool

	Forms []*Form

	running  *crawler // reads the pages of the running site; nil if they are files
	isGentle bool
}

// Form is the configuration of a form. Its words are those of the Caddyfile.
type Form struct {
	Name    string
	Account *Account

	// Takes reports whether the form's handler takes a POST to the path of the host. The host is ""
	// for the page's own.
	Takes func(host, path string) bool

	// Path is the path that the form's matcher names, or "".
	Path string

	// Place is where the form's block begins. Lines has the places of its lines by their first words,
	// such as "field phone", "thank_you" and "action 1042 field note".
	Place Place
	Lines map[string]Place

	Fields   []mapping.Field
	Set      []mapping.Setting
	Actions  []mapping.Action
	Unmapped string

	OnDuplicate  string
	UpdateFields []string
	ThankYou     string
	FormPage     string
	Errors       string
	// ErrorsRedirect is the target of `errors redirect`.
	ErrorsRedirect string
	Honeypot       []string
	Protect        bool

	// Country, TimeZone and DateOrder are those of the form, or else of its account.
	Country, TimeZone, DateOrder string

	// What follows from the others, once prepared.
	bound []value
	taken map[string]bool
}

// at returns the place of the line that begins with the words, or else of the form.
func (f *Form) at(words string) Place {
	if place, has := f.Lines[words]; has {
		return place
	}
	return f.Place
}

// Account is a TeleCRM account of the config.
type Account struct {
	Name         string
	EnterpriseID string
	Identifier   string
	// BaseURL and AsyncBaseURL are those of the APIs; "" for the usual ones. IsAsync means that all
	// leads go through the Async API.
	BaseURL, AsyncBaseURL string
	IsAsync               bool
	Place                 Place
	Lines                 map[string]Place

	// API reads from TeleCRM; nil if that is not possible.
	API API
	// Workspace has what was read from TeleCRM; nil if nothing was.
	Workspace *Workspace
}

// at returns the place of the account's line that begins with the word, or else of the account.
func (a *Account) at(word string) Place {
	if place, has := a.Lines[word]; has {
		return place
	}
	return a.Place
}

// openRunning finds the site that runs at the URL.
func (c *Config) openRunning() error {
	if c.URL == "" {
		return nil
	}
	running, err := newCrawler(c.URL)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(c.Sites, func(s *Site) bool { return s.isOwn(running.start.Hostname()) })
	if i < 0 && len(c.Sites) != 1 {
		return fmt.Errorf("url: no site of the config has the host %s; give the address of one that does", running.start.Hostname())
	}
	site := *c.Sites[max(i, 0)]
	site.running = running
	c.Sites = []*Site{&site}
	return nil
}

// Run checks everything. The config must not be in use by another Run. The error means that files
// could not be read, or that ctx ended.
func Run(ctx context.Context, c Config) (*Report, error) {
	for _, site := range c.Sites {
		site.isGentle = c.IsGentle
		for _, f := range site.Forms {
			f.prepare()
		}
	}
	if err := c.openRunning(); err != nil {
		return nil, err
	}
	r := newReport()
	r.fixes = c.Fixes
	r.checkEnvironment(c)
	for _, a := range c.Accounts {
		r.checkAccount(a)
	}
	for _, site := range c.Sites {
		inputs, err := r.checkSite(ctx, site)
		if err != nil {
			return nil, err
		}
		for _, f := range site.Forms {
			r.checkMapping(f)
			r.checkGuards(f)
			if f.Account != nil && f.Account.Workspace != nil {
				r.checkWorkspace(f, f.Account.Workspace, inputs[f])
			}
		}
	}
	r.finish()
	return r, nil
}
