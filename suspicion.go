package caddytelecrm

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/page"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// judge returns all signals about the sender of a post.
func (h *Handler) judge(r *http.Request, s *submission) guard.Opinion {
	return slices.Concat(
		h.trapSignals(s.posted),
		h.stamps.Signals(s.seal, s.start),
		s.signals,
		h.contentSignals(r, s),
	)
}

// contentSignals returns what the visitor's own words say about the sender. It asks the page which
// values it sends by itself only if there is a value that counts.
func (h *Handler) contentSignals(r *http.Request, s *submission) guard.Opinion {
	suspicious := slices.DeleteFunc(h.mapping.freeText(s.posted), func(i guard.Input) bool { return len(i.Signals()) == 0 })
	suspicious = h.guards.constants.Without(httpx.ClientAddress(r), suspicious)
	if len(suspicious) == 0 {
		return nil
	}
	var found guard.Opinion
	for _, input := range h.typedInputs(r, s, suspicious) {
		for _, signal := range input.Signals() {
			if !slices.Contains(found, signal) {
				found = append(found, signal)
			}
		}
	}
	return found
}

// typedInputs returns the inputs without those that the page fills in by itself. If the page cannot
// be read, the visitor may have typed all of them.
func (h *Handler) typedInputs(r *http.Request, s *submission, inputs []guard.Input) []guard.Input {
	for _, address := range h.pageAddresses(r, s.typed) {
		own, err := h.ownPage(r, s, address)
		if err != nil {
			continue
		}
		pairs := make([]page.Pair, 0, len(inputs))
		for _, input := range inputs {
			pairs = append(pairs, page.Pair{Name: input.Name, Value: input.Value})
		}
		typed, err := own.Typed(pairs)
		if err != nil {
			continue
		}
		return slices.DeleteFunc(inputs, func(i guard.Input) bool {
			return !slices.Contains(typed, page.Pair{Name: i.Name, Value: i.Value})
		})
	}
	return inputs
}

// trapSignals tells of traps that were filled in, and of those that the page
// has and the post lacks: a script that fills in only what it knows.
func (h *Handler) trapSignals(posted *form.Form) guard.Opinion {
	if h.fillsTrap(posted) {
		return guard.Opinion{{Reason: "a trap was filled in", Weight: guard.Junk}}
	}
	isNamed := len(h.Honeypot) > 0 && len(h.traps) > 0 // "honeypot off" names none
	if isNamed && !slices.ContainsFunc(h.traps, posted.Has) {
		return guard.Opinion{{Reason: "the post lacks the form's trap", Weight: 2}}
	}
	return nil
}

// isTrapped reports whether something was filled in that no visitor sees.
func (h *Handler) isTrapped(s *submission) bool {
	return s.seal.TrapFilled || h.fillsTrap(s.posted)
}

func (h *Handler) fillsTrap(posted *form.Form) bool {
	return slices.ContainsFunc(h.traps, func(trap string) bool {
		return slices.ContainsFunc(posted.Values(trap), func(v string) bool { return !isBlank(v) })
	})
}

// freeText returns the values of inputs that take any text.
func (m *mapping) freeText(posted *form.Form) []guard.Input {
	kinds := make(map[string]fieldtype.Type)
	isName := make(map[string]bool)
	for _, f := range m.allFields() {
		kinds[f.Input] = f.kind
		isName[f.Input] = f.Name == "name" || isName[f.Input]
	}
	var texts []guard.Input
	for _, entry := range posted.Entries {
		kind, mapped := kinds[entry.Name]
		if !isForOthers(entry.Name) && !isBlank(entry.Value) && (!mapped || kind == fieldtype.Text) {
			texts = append(texts, guard.Input{Name: entry.Name, Value: entry.Value, IsName: isName[entry.Name]})
		}
	}
	return texts
}

// setAside keeps an unwanted post for a person to look at, and thanks for it
// as for any other: what told the sender that it was noticed would teach them.
func (h *Handler) setAside(w http.ResponseWriter, r *http.Request, s *submission, lead telecrm.Lead, claim *guard.Claim, signals guard.Opinion) error {
	s.signs = signals.Reasons()
	if err := h.keepAside(r.Context(), s, lead, "suspected spam: "+s.signs); err != nil {
		h.logger.Error("keeping suspected spam failed",
			zap.String("form", h.Form), zap.String("id", s.id), zap.Error(err))
		s.settle(outcomeUnavailable)
		return h.answerUnavailable(w, r, s)
	}
	s.settle(outcomeAside)
	claim.End(guard.Result{ID: s.id, Kept: true})
	return h.answerThanks(w, r, s)
}

// askAgain is the soft no: the visitor gets their page back and is asked to
// send it once more, which no program does that only fires at forms. What
// they sent is kept aside meanwhile, should they never do it.
func (h *Handler) askAgain(w http.ResponseWriter, r *http.Request, s *submission, lead telecrm.Lead, claim *guard.Claim, earlier guard.Result, signals guard.Opinion) error {
	s.signs = signals.Reasons()
	about := h.enquiry(r, lead)
	asked := guard.Result{ID: earlier.ID, Kept: earlier.Kept, Asked: true, At: earlier.At, Network: about.Network}
	if earlier.Network != about.Network {
		asked.At = time.Time{}
	}
	if !asked.Kept {
		asked.ID = s.id
		err := h.keepAside(r.Context(), s, lead, "possible spam: "+s.signs+"; the visitor was asked to send it again")
		asked.Kept = err == nil
		if err != nil && h.app.keepsLeads() {
			h.logger.Warn("keeping possible spam failed; the visitor is asked to send it again",
				zap.String("form", h.Form), zap.String("id", s.id), zap.Error(err))
		}
	}
	s.settle(outcomeAsked)
	claim.End(asked)
	return h.answerConfirm(w, r, s, h.guards.confirmations.For(asked.ID, about))
}

// keepAside parks the lead.
func (h *Handler) keepAside(ctx context.Context, s *submission, lead telecrm.Lead, reason string) error {
	ctx = context.WithoutCancel(ctx)
	engine, err := h.app.engine(ctx)
	if err != nil {
		return err
	}
	if err := engine.SetAside(ctx, h.submission(s, lead), reason); err != nil {
		return err
	}
	h.app.pooled.tally.Accepted()
	h.app.pooled.tally.Settled(outbox.Parked)
	return nil
}

// supersede removes what was kept of the first of two posts, now that the
// second is safe.
func (h *Handler) supersede(ctx context.Context, s *submission, first string) {
	if first == "" || !h.app.keepsLeads() {
		return
	}
	engine, err := h.app.engine(ctx)
	if err != nil {
		return
	}
	switch removed, err := engine.Supersede(context.WithoutCancel(ctx), first, h.account.name(), h.Form); {
	case err != nil:
		h.logger.Warn("removing what was kept of a post that was sent again; it stays parked",
			zap.String("form", h.Form), zap.String("id", first), zap.String("sent_again_as", s.id), zap.Error(err))
	case removed:
		h.logger.Info("a post that the visitor was asked about was sent again, so what was kept of the first is removed",
			zap.String("form", h.Form), zap.String("id", first), zap.String("sent_again_as", s.id))
	}
}

// addRaw puts what the visitor sent, as it is, into the fields that it does
// not fit: a lead that is only kept to be looked at lacks nothing.
func (d *draft) addRaw(m *mapping, posted *form.Form) {
	for _, f := range m.fields {
		text := strings.TrimSpace(strings.Join(posted.Values(f.Input), ", "))
		if _, given := d.lead.Fields[f.Name]; !given && text != "" {
			d.lead.Fields[f.Name] = text
		}
	}
}
