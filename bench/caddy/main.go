// Command caddy is Caddy with this plugin and two handlers to compare it with: one reads the same
// forms and keeps nothing, the other does the least for a lead that is kept.
package main

import (
	"fmt"
	"net/http"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/leadwire/caddy-telecrm"
)

func main() {
	caddy.RegisterModule(Forgetful{})
	httpcaddyfile.RegisterHandlerDirective("forgetful", func(httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		return Forgetful{}, nil
	})
	caddy.RegisterModule(new(Least))
	httpcaddyfile.RegisterHandlerDirective("least", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		l := new(Least)
		return l, l.UnmarshalCaddyfile(h.Dispenser)
	})
	for _, name := range []string{"forgetful", "least"} {
		httpcaddyfile.RegisterDirectiveOrder(name, httpcaddyfile.Before, "templates")
	}
	caddycmd.Main()
}

// Forgetful parses a form, keeps nothing and redirects.
type Forgetful struct{}

// CaddyModule returns the Caddy module information.
func (Forgetful) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.forgetful",
		New: func() caddy.Module { return new(Forgetful) },
	}
}

// ServeHTTP answers a form's POST.
func (Forgetful) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.Method != http.MethodPost {
		return next.ServeHTTP(w, r)
	}
	if err := r.ParseForm(); err != nil {
		return caddyhttp.Error(http.StatusBadRequest, fmt.Errorf("parsing form: %w", err))
	}
	http.Redirect(w, r, "/thanks", http.StatusSeeOther)
	return nil
}
