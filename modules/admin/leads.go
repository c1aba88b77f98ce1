package admin

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// checkFilter returns an error if a value in the filter is not valid.
func checkFilter(ctx context.Context, open []*dispatch.Dispatcher, f outbox.Filter) error {
	if err := checkState(f.State); err != nil {
		return err
	}
	if err := checkAfter(f.After); err != nil {
		return err
	}
	return checkAccount(ctx, open, f.Account)
}

func checkAfter(after string) error {
	if after == "" {
		return nil
	}
	if _, err := uuid.Parse(after); err != nil {
		return refuse(http.StatusBadRequest, "after: must be the id of a lead, such as next in the previous page")
	}
	return nil
}

// keptLead is an entry and the outbox that contains it.
type keptLead struct {
	outbox.Entry

	in *dispatch.Dispatcher
}

// listLeads returns a page of the leads that any of the filters selects, from all outboxes, oldest
// first. The filters differ in the identifier only.
func listLeads(ctx context.Context, open []*dispatch.Dispatcher, filters ...outbox.Filter) ([]keptLead, error) {
	var page []keptLead
	for _, o := range open {
		for _, f := range filters {
			entries, err := o.Store.List(ctx, f)
			if err != nil {
				return nil, err
			}
			for _, e := range entries {
				page = append(page, keptLead{e, o})
			}
		}
	}
	slices.SortStableFunc(page, func(a, b keptLead) int { return strings.Compare(a.ID, b.ID) })
	return page[:min(len(page), filters[0].Limit)], nil
}

// nextAfter returns the id to list the next page after. It is empty after the last page.
func nextAfter(page []keptLead, limit int) string {
	if len(page) < limit {
		return ""
	}
	return page[len(page)-1].ID
}

// findLead returns the lead with that id.
func findLead(ctx context.Context, id string) (keptLead, error) {
	open, err := someOutbox()
	if err != nil {
		return keptLead{}, err
	}
	return findIn(ctx, open, id)
}

func findIn(ctx context.Context, open []*dispatch.Dispatcher, id string) (keptLead, error) {
	missing := outbox.ErrNotFound
	for _, o := range open {
		entry, err := o.Store.Get(ctx, id)
		if err == nil {
			return keptLead{entry, o}, nil
		}
		if !errors.Is(err, outbox.ErrNotFound) {
			return keptLead{}, outboxFailed(err, id)
		}
		if errors.Is(err, outbox.ErrAway) {
			missing = err // the lead may be there
		}
	}
	return keptLead{}, outboxFailed(missing, id)
}

// serveLead responds with one lead and its content.
func serveLead(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	lead, err := findLead(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	described := []adminapi.Lead{describe(lead.Entry)}
	described[0].Content = contentOf(lead.Entry)
	nameHolders(r.Context(), []keptLead{lead}, described)
	return answerJSON(w, described[0])
}

// describe returns the parts of an entry that do not identify a person.
func describe(e outbox.Entry) adminapi.Lead {
	return adminapi.Lead{
		ID:           e.ID,
		State:        e.State,
		Account:      e.Account,
		Form:         e.Form,
		CreatedAt:    e.CreatedAt,
		DueAt:        e.DueAt,
		BegunAt:      e.BegunAt,
		FailingSince: e.FailingSince,
		SettledAt:    e.SettledAt,
		Attempts:     e.Attempts,
		Step:         e.Step,
		Reason:       e.Reason,
		LeadID:       e.LeadID,
	}
}

// contentOf returns what the visitor sent.
func contentOf(e outbox.Entry) *adminapi.Content {
	job, err := delivery.DecodeJob(e.Payload)
	if err != nil {
		return &adminapi.Content{Identifier: e.Identifier, Unreadable: true}
	}
	policy := string(job.OnDuplicate.Policy)
	if len(job.OnDuplicate.Fields) > 0 {
		policy += " " + strings.Join(job.OnDuplicate.Fields, " ")
	}
	content := &adminapi.Content{Identifier: e.Identifier, Fields: job.Fields, OnDuplicate: policy}
	for _, action := range job.Actions {
		content.Actions = append(content.Actions, adminapi.Action{Type: action.Type, Fields: action.Fields})
	}
	return content
}

// serveRetry retries a lead at once.
func serveRetry(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	if err := retryLead(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func retryLead(ctx context.Context, id string) error {
	lead, err := findLead(ctx, id)
	if err != nil {
		return err
	}
	if err := lead.in.Engine.Retry(ctx, lead.ID); err != nil {
		return stateRefused(ctx, err, "retried", lead)
	}
	return nil
}

// serveDiscard removes a lead from the outbox.
func serveDiscard(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	if err := discardLead(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func discardLead(ctx context.Context, id string) error {
	lead, err := findLead(ctx, id)
	if err != nil {
		return cmp.Or(eraseUnseen(ctx, id), err)
	}
	if err := eraseLead(ctx, lead.in, lead.ID); err != nil {
		return stateRefused(ctx, err, "discarded", lead)
	}
	return nil
}

// stateRefused explains why something cannot be done to a lead in its current state.
func stateRefused(ctx context.Context, err error, done string, lead keptLead) error {
	if !errors.Is(err, outbox.ErrState) {
		return outboxFailed(err, lead.ID)
	}
	if found, err := lead.in.Store.Get(ctx, lead.ID); err == nil && found.State == outbox.Delivered {
		return refuse(http.StatusConflict, "lead %s is delivered and cannot be %s", lead.ID, done)
	}
	return refuse(http.StatusConflict, "lead %s is in flight; it can be %s when the attempt has ended", lead.ID, done)
}
