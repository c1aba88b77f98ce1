package trial

import "net/http"

// MaxPage bounds the pages that are read, in bytes.
const MaxPage = 1 << 20

// Post is a post to be tried.
type Post struct {
	URL    string // with the site's scheme and host
	Header http.Header
	Body   []byte
}

// Page is a page of the site.
type Page struct {
	URL         string
	Body        []byte
	ContentType string
}

// agent is the name of a browser in use, whose requests look like those of BrowserHeader.
const agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"

// BrowserHeader returns what a browser sends with every request for a page.
func BrowserHeader() http.Header {
	return http.Header{
		"User-Agent":      {agent},
		"Accept":          {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
		"Accept-Language": {"en-US,en;q=0.9"},
		"Sec-Fetch-Dest":  {"document"},
		"Sec-Fetch-Mode":  {"navigate"},
		"Sec-Fetch-Site":  {"same-origin"},
		"Sec-Fetch-User":  {"?1"},
	}
}

// PostHeader returns what a browser sends with the post of a form on the page.
func PostHeader(origin, page, contentType string) http.Header {
	header := BrowserHeader()
	header.Set("Origin", origin)
	header.Set("Referer", page)
	header.Set("Content-Type", contentType)
	return header
}
