package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/leadwire/caddy-telecrm/form"
)

// savedPost is a post from a file: entries, a body, or a HAR file.
type savedPost struct {
	entries     []form.Entry
	body        []byte
	contentType string
	har         *archive
}

// archive is a HAR file, as browsers save their requests
// (http://www.softwareishard.com/blog/har-12-spec/).
type archive struct {
	Log struct {
		Entries []struct {
			Request archivedRequest `json:"request"`
		} `json:"entries"`
	} `json:"log"`
}

type archivedRequest struct {
	Method  string `json:"method"`
	URL     string `json:"url"`
	Headers []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"headers"`
	PostData struct {
		MimeType string `json:"mimeType"`
		Text     string `json:"text"`
		Params   []struct {
			Name     string `json:"name"`
			Value    string `json:"value"`
			FileName string `json:"fileName"`
		} `json:"params"`
	} `json:"postData"`
}

// readSaved finds out what a file holds, unless the content type says so.
func readSaved(content []byte, contentType string) (savedPost, error) {
	trimmed := bytes.TrimSpace(content)
	switch {
	case len(trimmed) == 0:
		return savedPost{}, errors.New("it is empty")
	case contentType != "":
		return savedPost{body: content, contentType: contentType}, nil
	case bytes.HasPrefix(trimmed, []byte("{")):
		var har archive
		if json.Unmarshal(trimmed, &har) == nil && har.Log.Entries != nil {
			return savedPost{har: &har}, nil
		}
		return savedPost{body: content, contentType: "application/json"}, nil
	case bytes.HasPrefix(trimmed, []byte("--")):
		boundary, _, _ := strings.Cut(string(trimmed[2:]), "\n")
		kind := mime.FormatMediaType("multipart/form-data", map[string]string{"boundary": strings.TrimSpace(boundary)})
		if kind == "" {
			return savedPost{}, errors.New("its first line is not the boundary of a multipart body")
		}
		return savedPost{body: withCRLF(content), contentType: kind}, nil
	}
	// Browsers send and copy one line without spaces; people write lines.
	text := string(trimmed)
	if strings.ContainsAny(text, "\r\n ") {
		var lines []string
		for line := range strings.Lines(text) {
			if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" {
				lines = append(lines, line)
			}
		}
		entries, err := readEntries(lines)
		return savedPost{entries: entries}, err
	}
	if !strings.Contains(text, "=") {
		return savedPost{}, errors.New("it is not a post: it has no <input>=<value>")
	}
	return savedPost{body: trimmed, contentType: "application/x-www-form-urlencoded"}, nil
}

// withCRLF restores the line ends of a multipart body that an editor has changed.
func withCRLF(body []byte) []byte {
	if bytes.Contains(body, []byte("\r\n")) {
		return body
	}
	return bytes.ReplaceAll(body, []byte("\n"), []byte("\r\n"))
}

// fromHAR drafts the last post of the archive that a form takes.
func (e *entrance) fromHAR(har archive) (*draftedPost, error) {
	var d *draftedPost
	for _, saved := range har.Log.Entries {
		if r := saved.Request; r.Method == http.MethodPost {
			if found := e.archived(r); found != nil {
				d = found
			}
		}
	}
	if d == nil {
		return nil, errors.New("body: the HAR file has no post that a form of the config takes")
	}
	return d, nil
}

// archived drafts a post of an archive, or returns nil if no form takes it.
func (e *entrance) archived(r archivedRequest) *draftedPost {
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil
	}
	for _, site := range e.config.Sites {
		for _, f := range site.Forms {
			if found := (siteForm{site, f}); f.Takes("", u.Path) && found.isAsked(e.options.form, e.options.path) {
				return r.draft(found, u)
			}
		}
	}
	return nil
}

// draft drafts the post for the form that takes it at the address.
func (r archivedRequest) draft(to siteForm, at *url.URL) *draftedPost {
	d := &draftedPost{siteForm: to, path: at.RequestURI(), headers: make(http.Header)}
	for _, h := range r.Headers {
		if !strings.HasPrefix(h.Name, ":") {
			d.headers.Add(h.Name, h.Value)
		}
	}
	contentType := cmp.Or(d.headers.Get("Content-Type"), r.PostData.MimeType)
	d.headers.Del("Content-Length")
	d.headers.Del("Cookie")
	d.moveTo(at)
	if r.PostData.Text != "" {
		d.body, d.contentType = []byte(r.PostData.Text), contentType
		return d
	}
	d.isMultipart = strings.HasPrefix(r.PostData.MimeType, "multipart/")
	for _, p := range r.PostData.Params {
		if p.FileName == "" {
			d.entries = append(d.entries, form.Entry{Name: unescape(p.Name), Value: unescape(p.Value)})
		}
	}
	return d
}

// moveTo makes the headers name the site in place of the host that the post was saved from.
func (d *draftedPost) moveTo(from *url.URL) {
	was, now := from.Scheme+"://"+from.Host, d.site.Origin().String()
	for _, name := range []string{"Origin", "Referer"} {
		if rest, found := strings.CutPrefix(d.headers.Get(name), was); found {
			d.headers.Set(name, now+rest)
		}
	}
}

// unescape decodes the values that some browsers leave URL-encoded in a HAR file.
func unescape(text string) string {
	if decoded, err := url.QueryUnescape(text); err == nil {
		return decoded
	}
	return text
}
