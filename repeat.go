package caddytelecrm

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// claim reserves the post's lead for this request. If the same lead was posted earlier, it returns
// the result of that post, and waits for it if that post is still being answered. A result that no
// longer counts is forgotten, and the lead is claimed anew.
func (h *Handler) claim(r *http.Request, fingerprint guard.Fingerprint) (*guard.Claim, guard.Result, error) {
	repeats := h.memory.Repeats
	if repeats == nil {
		return nil, guard.Result{}, nil
	}
	for {
		claim, earlier, err := repeats.Claim(r.Context(), fingerprint)
		if err != nil || earlier.ID == "" || !h.isRemoved(r.Context(), earlier) {
			return claim, earlier, err
		}
		if claim != nil {
			return claim, guard.Result{}, nil
		}
		repeats.Forget(fingerprint, earlier)
	}
}

// isRemoved reports whether an earlier post no longer counts: it is not in the outbox any more, or
// the visitor was asked about it and sent another one instead.
func (h *Handler) isRemoved(ctx context.Context, earlier guard.Result) bool {
	return earlier.Asked && h.memory.Redeemed.Has(earlier.ID) || earlier.Kept && h.app.isRemoved(ctx, earlier.ID)
}

// The purposes of marks. A lead that a visitor was asked about may be sent again.
const (
	markAccepted = "accepted"
	markAsked    = "asked"
)

// mark returns the mark by which machines with a common outbox recognize a lead, or none if repeats
// are not recognized. Unlike the memory of this machine, it is written together with the lead.
func (h *Handler) mark(purpose string, lead guard.Fingerprint) outbox.Mark {
	if h.memory.Repeats == nil {
		return outbox.Mark{}
	}
	of := guard.FingerprintOf("repeat", purpose, h.account.Name(), h.Form, h.matchKey, string(lead[:]))
	return outbox.Mark{Key: string(of[:]), For: h.dedupeFor}
}

// noteRepeat notes that another machine has accepted the lead, if that is what the error says, and
// reports whether it does.
func (s *submission) noteRepeat(err error) bool {
	repeat, is := errors.AsType[*outbox.RepeatError](err)
	if is {
		s.repeats = repeat.ID
	}
	return is
}

// repeated returns the result of the post on another machine, so that this one recognizes a third
// post before it verifies anything: its challenge's answer is used by now. It is as old as its id
// says, so that the time in which posts are repeats does not begin anew.
func (s *submission) repeated() guard.Result {
	at := s.start
	if id, err := uuid.Parse(s.repeats); err == nil && id.Version() == 7 {
		if made := time.Unix(id.Time().UnixTime()); made.Before(at) {
			at = made
		}
	}
	return guard.Result{ID: s.repeats, Kept: true, At: at}
}

// unmark lets the visitor send a lead again that the outbox has but that was not accepted.
func (h *Handler) unmark(ctx context.Context, s *submission, lead *delivery.Submission) {
	if !s.kept || lead.Mark.Key == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupPatience)
	defer cancel()
	shared, is := h.app.sharedOutbox(ctx)
	if !is {
		return
	}
	if err := shared.Unmark(ctx, lead.Mark, s.ID); err != nil {
		h.logger.Warn("a lead that was not accepted still counts for other machines, so that they take the same one for a repeat",
			zap.String("form", h.Form), zap.String("id", s.ID), zap.Error(err))
	}
}

// sharedOutbox returns the outbox if several machines may use it.
func (a *App) sharedOutbox(ctx context.Context) (outbox.Shared, bool) {
	if !a.KeepsLeads() {
		return nil, false
	}
	d, err := a.dispatcher(ctx)
	if err != nil {
		return nil, false
	}
	return d.Shared()
}

// spend records for other machines that the answer to a challenge was used for a lead.
func (a *App) spend(ctx context.Context, key string, lasts time.Duration, lead string) (isFirst bool, err error) {
	shared, is := a.sharedOutbox(ctx)
	if !is {
		return true, nil
	}
	return shared.Mark(ctx, outbox.Mark{Key: key, For: lasts}, lead)
}
