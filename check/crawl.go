package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"

	"github.com/leadwire/caddy-telecrm/page"
)

const (
	// maxCrawled bounds the number of pages that are read from a running site.
	maxCrawled = 2000
	// crawlTimeout bounds one request.
	crawlTimeout = 10 * time.Second
)

// crawler reads the pages of a running site. It follows links within the host.
type crawler struct {
	start  *url.URL
	client *http.Client

	seen  map[string]bool
	queue []*url.URL
	proxy string // a header by which a proxy shows itself
}

// newCrawler returns a crawler for the site at the address.
func newCrawler(address string) (*crawler, error) {
	start, err := url.Parse(address)
	if err != nil || start.Host == "" || start.Scheme != "http" && start.Scheme != "https" {
		return nil, fmt.Errorf("url: must be an address such as http://localhost:8080, got %q", address)
	}
	if start.Path == "" {
		start.Path = "/"
	}
	c := &crawler{start: start, seen: make(map[string]bool)}
	c.client = &http.Client{Timeout: crawlTimeout, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if r.URL.Host != start.Host || len(via) > 10 {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	c.add(start)
	return c, nil
}

// add queues an address of the site that has not been queued before. Queries do not count: they
// rarely lead to other forms, and there may be any number of them.
func (c *crawler) add(u *url.URL) {
	if u.Host != c.start.Host || u.Scheme != c.start.Scheme || c.seen[u.Path] || len(c.seen) == maxCrawled {
		return
	}
	c.seen[u.Path] = true
	c.queue = append(c.queue, &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath})
}

// each reads pages one after another. A site that does not answer at its first address is an error;
// links may be broken.
func (c *crawler) each(ctx context.Context, read func(sourcePage)) error {
	for n := 0; len(c.queue) > 0; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		at := c.queue[0]
		c.queue = c.queue[1:]
		found, err := c.get(ctx, at)
		switch {
		case n == 0 && err != nil:
			return fmt.Errorf("reading %s: %w", at, err)
		case err != nil:
			continue
		}
		read(found)
		c.follow(found)
	}
	return nil
}

// Reasons not to read an address.
var (
	errNotPage = errors.New("the answer is not an HTML page with status 200")
	errSeen    = errors.New("the address leads to another one that is read too")
)

// get reads a page.
func (c *crawler) get(ctx context.Context, at *url.URL) (sourcePage, error) {
	resp, err := c.send(ctx, at)
	if err != nil {
		return sourcePage{}, err
	}
	defer resp.Body.Close()
	mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != http.StatusOK || err != nil || mediaType != "text/html" {
		return sourcePage{}, errNotPage
	}
	if shown := resp.Request.URL.Path; shown != at.Path { // a redirect
		if c.seen[shown] {
			return sourcePage{}, errSeen
		}
		c.seen[shown] = true
	}
	source, err := io.ReadAll(io.LimitReader(resp.Body, page.MaxSource+1))
	if err != nil {
		return sourcePage{}, err
	}
	return sourcePage{
		name: resp.Request.URL.String(), urls: []string{resp.Request.URL.Path}, contentType: resp.Header.Get("Content-Type"),
		source: source[:min(len(source), page.MaxSource)], isWhole: len(source) <= page.MaxSource,
	}, nil
}

func (c *crawler) send(ctx context.Context, at *url.URL) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/html")
	req.Header.Set("User-Agent", "caddy-telecrm check")
	resp, err := c.client.Do(req)
	if err == nil {
		c.noteProxy(resp.Header)
	}
	return resp, err
}

// proxyMarks are headers that well-known proxies add to answers.
var proxyMarks = []string{"Cf-Ray", "X-Amz-Cf-Id", "X-Served-By", "X-Vercel-Id", "Fly-Request-Id", "X-Akamai-Request-Id", "X-Azure-Ref", "X-Cdn"}

func (c *crawler) noteProxy(header http.Header) {
	for _, name := range proxyMarks {
		if header.Get(name) != "" && c.proxy == "" {
			c.proxy = name
		}
	}
}

// follow queues the links of a page.
func (c *crawler) follow(from sourcePage) {
	at, err := url.Parse(from.name)
	if err != nil {
		return
	}
	for tokens := html.NewTokenizer(bytes.NewReader(from.source)); ; {
		switch tokens.Next() { //nolint:exhaustive // links are in start tags only
		case html.ErrorToken:
			return
		case html.StartTagToken, html.SelfClosingTagToken:
			token := tokens.Token()
			if token.Data != "a" && token.Data != "area" {
				continue
			}
			for _, a := range token.Attr {
				if u, err := url.Parse(strings.TrimSpace(a.Val)); a.Key == "href" && err == nil {
					c.add(at.ResolveReference(u))
				}
			}
		}
	}
}

// has reports whether the site answers at the path. A site that does not answer now may have it.
func (c *crawler) has(ctx context.Context, at string) bool {
	resp, err := c.send(ctx, &url.URL{Scheme: c.start.Scheme, Host: c.start.Host, Path: at})
	if err != nil {
		return true
	}
	defer resp.Body.Close()
	return resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusGone
}
