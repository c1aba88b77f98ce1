// Package seam lets tests replace the clock and the patience of a form's handler. A config without
// a [Seam] uses the machine's clock.
package seam

import (
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/internal/httpx"
)

// Seam is what a test replaces. Zero fields have their defaults.
type Seam struct {
	// Now is the clock.
	Now func() time.Time
	// BodyPatience is how long a post's body may take to arrive.
	BodyPatience time.Duration
}

type key struct{}

// With returns a context whose handlers use s when they are provisioned.
func With(ctx caddy.Context, s Seam) caddy.Context { return ctx.WithValue(key{}, s) }

// Of returns the context's Seam with its defaults filled in.
func Of(ctx caddy.Context) Seam {
	s, _ := ctx.Value(key{}).(Seam)
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.BodyPatience == 0 {
		s.BodyPatience = httpx.BodyPatience
	}
	return s
}
