// Package screen judges whether a person or a program sent a post, and recognizes people who
// confirm theirs by sending it again.
package screen

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/answer"
	"github.com/leadwire/caddy-telecrm/internal/hostname"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/internal/protect"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/page"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Screen judges the posts of one form.
type Screen struct {
	// Traps are the names of inputs that no visitor sees. With TrapsExpected, the form has them.
	Traps         []string
	TrapsExpected bool
	Memory        *guard.Memory
	Unlimited     []netip.Prefix // networks without a rate limit
	Confirmations *guard.Confirmations
	Protector     *protect.Protector // nil without stamps
	Mapping       *mapping.Mapping
	Responder     *answer.Responder
}

// Post is a post that is judged.
type Post struct {
	*answer.Post

	Request *http.Request
	At      time.Time
	Form    *form.Form
	Seal    guard.Seal
}

// IsTrapped reports whether something was filled in that no visitor sees.
func (s *Screen) IsTrapped(p Post) bool { return p.Seal.TrapFilled || s.fillsTrap(p.Form) }

func (s *Screen) fillsTrap(posted *form.Form) bool {
	return slices.ContainsFunc(s.Traps, func(trap string) bool {
		return slices.ContainsFunc(posted.Values(trap), func(v string) bool { return strings.TrimSpace(v) != "" })
	})
}

// Signals returns all signals that the post is spam: of its traps, its stamp, its headers and what
// was typed. Scripts, and programs that ask for JSON as scripts do, need not look like a browser.
func (s *Screen) Signals(p Post) guard.Opinion {
	var signals guard.Opinion
	switch {
	case s.fillsTrap(p.Form):
		signals = append(signals, guard.Signal{Reason: "a trap was filled in", Weight: guard.Junk})
	case s.TrapsExpected && len(s.Traps) > 0 && !slices.ContainsFunc(s.Traps, p.Form.Has): // a script that fills in only what it knows
		signals = append(signals, guard.Signal{Reason: "the post lacks the form's trap", Weight: 2})
	}
	signals = signals.And(s.sealSignals(p))
	if !p.JSON {
		signals = signals.And(guard.SenderOf(p.Request).Signals())
	}
	return signals.And(s.contentSignals(p))
}

// sealSignals returns the signals of the page's trap and stamp. A page that a script rebuilds has
// neither.
func (s *Screen) sealSignals(p Post) guard.Opinion {
	signals := s.Protector.Signals(p.Seal, p.At)
	isIncomplete := len(p.Seal.Stamps) == 0 || !p.Seal.TrapSent
	if len(signals) > 0 && isIncomplete && !p.Seal.TrapFilled && s.Responder.IsRebuilt(p.Request, p.Post) {
		return nil
	}
	return signals
}

// contentSignals returns the signals of what was typed. Only if a value is suspicious does it read
// the page with the form, to leave out values that the page fills in.
func (s *Screen) contentSignals(p Post) guard.Opinion {
	suspicious := s.Mapping.FreeText(p.Form, func(i guard.Input) bool { return len(i.Signals()) > 0 })
	suspicious = s.Memory.Constants.Without(httpx.ClientAddress(p.Request), suspicious)
	if len(suspicious) == 0 {
		return nil
	}
	pairs := make([]page.Pair, 0, len(suspicious))
	for _, input := range suspicious {
		pairs = append(pairs, page.Pair{Name: input.Name, Value: input.Value})
	}
	typed := s.Responder.Typed(p.Request, p.Post, pairs)
	var found guard.Opinion
	for _, input := range suspicious {
		if !slices.Contains(typed, page.Pair{Name: input.Name, Value: input.Value}) {
			continue
		}
		for _, signal := range input.Signals() {
			if !slices.Contains(found, signal) {
				found = append(found, signal)
			}
		}
	}
	return found
}

// Enquiry returns what a confirmation of the post is bound to.
func (s *Screen) Enquiry(r *http.Request, lead telecrm.Lead) guard.Enquiry {
	identifier, isText := lead.Fields[s.Mapping.Identifier].(string)
	if !isText {
		identifier = fmt.Sprint(lead.Fields[s.Mapping.Identifier])
	}
	return guard.Enquiry{
		Host:       hostname.Canonical(r.Host),
		Network:    guard.NetworkOf(httpx.ClientAddress(r)),
		Identifier: identifier,
	}
}

// Redeem uses the post's confirmation, if it brings one that is genuine, its own and unused. It
// returns the submission that the visitor was asked to send again. Not every script knows of
// confirmations, and a script may rebuild the page that carries one. So the same values from the
// same visitor, a second or more after the visitor was asked, count as one too.
func (s *Screen) Redeem(p Post, about guard.Enquiry, values guard.Fingerprint) (id string, ok bool) {
	for _, confirmation := range answer.Confirmations(p.Request, p.Form) {
		if id, ok = s.Confirmations.Read(confirmation, about, p.At); ok {
			break
		}
	}
	if !ok {
		id, ok = s.Memory.Asked.Again(values, about)
	}
	if !ok || !s.Memory.Redeemed.Redeem(id) {
		return "", false
	}
	return id, true
}

// Ask returns the confirmation with which the visitor's next post passes, and remembers that the
// visitor was asked to send the values of the submission again.
func (s *Screen) Ask(id string, about guard.Enquiry, values guard.Fingerprint) (confirmation string) {
	s.Memory.Asked.Remember(values, about, id, s.Memory.Redeemed.Has)
	return s.Confirmations.For(id, about)
}
