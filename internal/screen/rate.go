package screen

import (
	"net/http"
	"net/netip"
	"slices"

	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
)

// Count counts the post toward its address's limit, if there is one. The pass says how long the
// visitor must wait if it is over the limit.
func (s *Screen) Count(r *http.Request) guard.Pass { return s.take(r, s.Memory.Rate) }

// CountCheck counts a request that only checks the form, like [Screen.Count]. Checks do not count as
// posts, and each may read and fill in a page, so they have a limit of their own.
func (s *Screen) CountCheck(r *http.Request) guard.Pass { return s.take(r, s.Memory.Checks) }

func (s *Screen) take(r *http.Request, from *guard.Rate) guard.Pass {
	client := httpx.ClientAddress(r).Unmap().WithZone("")
	isUnlimited := slices.ContainsFunc(s.Unlimited, func(network netip.Prefix) bool { return network.Contains(client) })
	if from == nil || isUnlimited {
		return guard.Pass{}
	}
	return from.Take(client)
}

// Mistaken records that the visitor is asked to correct the post that was counted.
func (s *Screen) Mistaken(r *http.Request, counted guard.Pass) {
	if !counted.At.IsZero() {
		s.Memory.Rate.Mistaken(httpx.ClientAddress(r), counted)
	}
}

// Corrected no longer counts the mistakes of the visitor, whose post was accepted.
func (s *Screen) Corrected(r *http.Request, counted guard.Pass) {
	if !counted.At.IsZero() {
		s.Memory.Rate.Corrected(httpx.ClientAddress(r))
	}
}
