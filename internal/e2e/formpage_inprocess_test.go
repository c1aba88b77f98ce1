package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(awkwardPage{})
	httpcaddyfile.RegisterHandlerDirective("awkward_page", func(httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		return awkwardPage{}, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("awkward_page", httpcaddyfile.Before, "templates")
}

// awkwardPage is a handler that aborts or never answers on some paths.
type awkwardPage struct{}

func (awkwardPage) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.awkward_page", New: func() caddy.Module { return new(awkwardPage) }}
}

func (awkwardPage) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	switch {
	case r.Method != http.MethodGet:
	case strings.HasSuffix(r.URL.Path, "/aborts"):
		panic(http.ErrAbortHandler)
	case strings.HasSuffix(r.URL.Path, "/never"):
		<-r.Context().Done()
		return r.Context().Err()
	}
	return next.ServeHTTP(w, r)
}

// Concurrent visitors each get their own page again, even with awkward handlers in front of it.
func TestConcurrentOwnPages(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"plain", "written", "templated", "large", "gone", "loop"} {
		filling := map[string]string{"templated": "{{1}}", "large": strings.Repeat("x", 1<<20)}[name]
		if err := os.WriteFile(filepath.Join(dir, name+".html"), fmt.Appendf(nil, pageWithForm, name+filling, "/"+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := newInProcess(t)
	const block = " {\nfield name\nfield phone\nrate_limit off\nthank_you /thanks\n%s\n}\n"
	p.mustLoad(t, "root "+dir+`
	rewrite /written /plain
	rewrite /again /loop
	method /again POST
	telecrm /loop `+fmt.Sprintf(block, "form_page /again")+`
	telecrm * `+fmt.Sprintf(block, "")+`
	handle /gone {
		reverse_proxy 127.0.0.1:1
	}
	handle {
		awkward_page
		templates
		try_files {path}.html
		file_server
	}`)

	var wait sync.WaitGroup
	for range 4 {
		for path, has := range map[string]string{
			"/plain": "<p>plain</p>", "/written": "", "/templated": "<p>templated1</p>", "/large": "", "/gone": "", "/loop": "", "/aborts": "", "/never": "",
		} {
			wait.Go(func() {
				began := time.Now()
				resp, err := http.PostForm(p.site+path, url.Values{"name": {"Asha " + path}, "phone": {"12"}})
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = resp.Body.Close() }()
				var body strings.Builder
				if err := resp.Write(&body); err != nil {
					t.Error(err)
				}
				if resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(body.String(), `value="Asha `+path+`"`) {
					t.Errorf("%s: status %d after %v, want 422 and what was typed:\n%.2000s", path, resp.StatusCode, time.Since(began), &body)
				}
				if own := strings.Contains(body.String(), "<title>Error: Contact</title>"); own != (has != "") || !strings.Contains(body.String(), has) {
					t.Errorf("%s: own page: %v", path, own)
				}
			})
		}
	}
	wait.Wait()
}
