package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/trial"
)

// draftedPost is a post to be tried.
type draftedPost struct {
	siteForm
	path string // that it is posted to
	page string // path of the page with the form

	// entries is what is posted in the encoding, or nil if body is a saved one.
	entries     []form.Entry
	isMultipart bool

	body        []byte
	contentType string
	headers     http.Header // of a saved post
	given       http.Header // as flags
	hasSeal     bool        // the page as it is served has a stamp
}

// post writes the post as a browser sends it.
func (d *draftedPost) post() (trial.Post, error) {
	body, contentType := d.body, d.contentType
	if d.body == nil {
		var err error
		if body, contentType, err = encode(d.entries, d.isMultipart); err != nil {
			return trial.Post{}, err
		}
	}
	origin := d.site.Origin().String()
	header := d.headers
	if header == nil {
		header = trial.PostHeader(origin, origin+d.page, contentType)
	}
	header = header.Clone()
	header.Set("Content-Type", cmp.Or(contentType, header.Get("Content-Type")))
	if from := d.given.Get("Origin"); from != "" && from != origin && header.Get("Sec-Fetch-Site") != "" {
		header.Set("Sec-Fetch-Site", "cross-site") // as browsers do beside such an Origin
	}
	maps.Copy(header, d.given)
	return trial.Post{URL: origin + d.path, Header: header, Body: body}, nil
}

// encode writes entries as browsers do.
func encode(entries []form.Entry, isMultipart bool) (body []byte, contentType string, err error) {
	if !isMultipart {
		pairs := make([]string, 0, len(entries))
		for _, e := range entries {
			pairs = append(pairs, url.QueryEscape(e.Name)+"="+url.QueryEscape(e.Value))
		}
		return []byte(strings.Join(pairs, "&")), "application/x-www-form-urlencoded", nil
	}
	var buffer bytes.Buffer
	w := multipart.NewWriter(&buffer)
	for _, e := range entries {
		if err := w.WriteField(e.Name, e.Value); err != nil {
			return nil, "", err
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return buffer.Bytes(), w.FormDataContentType(), nil
}

// entrance drafts the post that the flags and arguments describe.
type entrance struct {
	options tryOptions
	config  *check.Config
	stage   Stage
	stdin   io.Reader
}

func (e *entrance) draft(ctx context.Context, args []string) (*draftedPost, error) {
	typed, err := readEntries(args)
	if err != nil {
		return nil, err
	}
	var d *draftedPost
	switch o := e.options; {
	case o.page != "" && o.body != "":
		return nil, errors.New("post: give either --from-page or --body, got both")
	case o.body != "" && len(typed) > 0:
		return nil, errors.New("post: give either <input>=<value> or --body, got both")
	case o.page != "":
		d, err = e.fromPage(ctx, typed)
	case o.body != "":
		d, err = e.fromFile(ctx)
	case len(typed) == 0:
		return nil, errors.New("post: missing; give <input>=<value>, --from-page or --body")
	default:
		d, err = e.fromArguments(ctx, typed)
	}
	if err != nil {
		return nil, err
	}
	d.given, err = readHeaders(e.options.headers)
	return d, err
}

// readEntries reads arguments such as name=Ravi.
func readEntries(args []string) ([]form.Entry, error) {
	var entries []form.Entry
	for _, arg := range args {
		name, value, found := strings.Cut(arg, "=")
		if !found || name == "" {
			return nil, fmt.Errorf("input: must be <input>=<value>, got %q", arg)
		}
		entries = append(entries, form.Entry{Name: name, Value: value})
	}
	return entries, nil
}

// fromArguments drafts what a visitor typed into the form.
func (e *entrance) fromArguments(ctx context.Context, typed []form.Entry) (*draftedPost, error) {
	d, err := e.chosen(ctx)
	if err != nil {
		return nil, err
	}
	d.entries, d.hasSeal = typed, true
	return d, nil
}

// chosen drafts an empty post to the form that the flags name.
func (e *entrance) chosen(ctx context.Context) (*draftedPost, error) {
	found, err := chooseForm(e.config, e.options.form, e.options.path)
	if err != nil {
		return nil, err
	}
	d := &draftedPost{siteForm: found, path: cmp.Or(e.options.path, found.form.PathFor())}
	if d.path == "" {
		return nil, fmt.Errorf("form %s: its matcher does not name a path; give the path that it posts to with --path", found.form.Name)
	}
	d.page = cmp.Or(found.form.FormPage, check.PageWith(ctx, found.site, found.form), d.path)
	return d, nil
}

// fromPage drafts what the form on a page sends, with the values that the visitor typed.
func (e *entrance) fromPage(ctx context.Context, typed []form.Entry) (*draftedPost, error) {
	var found []check.PostedForm
	var at string
	var failures []error
	for _, site := range e.config.Sites {
		source, where, err := e.read(ctx, site)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		on, err := check.FormsOn(site, where, source.Body, source.ContentType)
		if err != nil {
			return nil, err
		}
		if len(on) > 0 && len(found) == 0 {
			found, at = on, where
		}
	}
	if len(failures) == len(e.config.Sites) {
		return nil, errors.Join(failures[:min(len(failures), 1)]...)
	}
	found = slices.DeleteFunc(found, func(p check.PostedForm) bool {
		return !(siteForm{p.Site, p.Form}).isAsked(e.options.form, e.options.path)
	})
	switch {
	case len(found) == 0:
		return nil, fmt.Errorf("page: no form on %s posts to a form of the config; run caddy telecrm check to see why", e.options.page)
	case len(found) > 1 && e.options.form == "" && e.options.path == "":
		return nil, fmt.Errorf("page: %s has several forms; name one with --path: %s", e.options.page, strings.Join(pathsOf(found), ", "))
	}
	p := found[0]
	d := &draftedPost{siteForm: siteForm{p.Site, p.Form}, path: p.Path, page: at, isMultipart: p.HTML.Encoding == "multipart/form-data", hasSeal: true}
	for _, pair := range p.HTML.Defaults() {
		if pair.Name == guard.StampInput || slices.ContainsFunc(typed, func(e form.Entry) bool { return e.Name == pair.Name }) {
			continue
		}
		d.entries = append(d.entries, form.Entry{Name: pair.Name, Value: pair.Value})
	}
	d.entries = append(d.entries, typed...)
	return d, nil
}

func pathsOf(forms []check.PostedForm) []string {
	var paths []string
	for _, p := range forms {
		if !slices.Contains(paths, p.Path) {
			paths = append(paths, p.Path)
		}
	}
	return paths
}

// pageTimeout bounds reading a page from a running site.
const pageTimeout = 15 * time.Second

// read reads the page from the site, or from the running one. It returns its path.
func (e *entrance) read(ctx context.Context, site *check.Site) (trial.Page, string, error) {
	name := e.options.page
	if u, err := url.Parse(name); err == nil && u.Host != "" {
		source, err := get(ctx, name)
		return source, cmp.Or(u.Path, "/"), err
	}
	at := "/" + strings.TrimPrefix(filepath.ToSlash(name), "/")
	if site.Root != "" && site.Files != nil && !strings.HasPrefix(name, "/") {
		if below, err := filepath.Rel(site.Root, name); err == nil && filepath.IsLocal(below) {
			at = "/" + filepath.ToSlash(below)
		}
	}
	at = strings.TrimSuffix(at, "index.html")
	source, err := e.stage.Page(ctx, site.Origin().String()+(&url.URL{Path: at}).EscapedPath())
	return source, path.Clean(at) + trailing(at), err
}

// trailing returns the slash at the end of a path other than "/".
func trailing(at string) string {
	if len(at) > 1 && strings.HasSuffix(at, "/") {
		return "/"
	}
	return ""
}

// get reads a page of a running site.
func get(ctx context.Context, address string) (trial.Page, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return trial.Page{}, fmt.Errorf("page: %w", err)
	}
	req.Header = trial.BrowserHeader()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return trial.Page{}, fmt.Errorf("page: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return trial.Page{}, fmt.Errorf("page: %s answers with status %d", address, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, trial.MaxPage))
	if err != nil {
		return trial.Page{}, fmt.Errorf("page: reading %s: %w", address, err)
	}
	return trial.Page{URL: address, Body: body, ContentType: resp.Header.Get("Content-Type")}, nil
}

// fromFile drafts a saved post.
func (e *entrance) fromFile(ctx context.Context) (*draftedPost, error) {
	content, err := e.readBody()
	if err != nil {
		return nil, err
	}
	saved, err := readSaved(content, e.options.contentType)
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	if saved.har != nil {
		return e.fromHAR(*saved.har)
	}
	d, err := e.chosen(ctx)
	if err != nil {
		return nil, err
	}
	d.entries, d.body, d.contentType, d.hasSeal = saved.entries, saved.body, saved.contentType, true
	return d, nil
}

// maxBody bounds the saved posts that are read, in bytes.
const maxBody = 64 << 20

func (e *entrance) readBody() ([]byte, error) {
	in := e.stdin
	if e.options.body != "-" {
		f, err := os.Open(e.options.body)
		if err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	content, err := io.ReadAll(io.LimitReader(in, maxBody))
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	return content, nil
}
