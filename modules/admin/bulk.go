package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/modules/outboxes"
	"github.com/leadwire/caddy-telecrm/outbox"
)

const (
	// bulkTime is how long a call that processes many leads runs before it responds with where to
	// continue. A longer call would delay a reload that closes the outbox.
	bulkTime = 2 * time.Second
	// bulkWriters is how many leads are written at once. They share durable writes with each other
	// and with visitors' posts.
	bulkWriters = 64
)

// serveRetryAll retries leads in a given state at once.
func serveRetryAll(w http.ResponseWriter, r *http.Request) error {
	query, err := readQuery(r, "state", "account", "after", "suspected_spam")
	if err != nil {
		return err
	}
	open, err := someOutbox()
	if err != nil {
		return err
	}
	filter := outbox.Filter{
		State:   outbox.State(query.Get("state")),
		Account: query.Get("account"),
		After:   query.Get("after"),
		Limit:   adminapi.MaxPage,
	}
	if err := checkFilter(r.Context(), open, filter); err != nil {
		return err
	}
	switch filter.State {
	case outbox.Parked, outbox.Waiting:
	case outbox.Delivered:
		return refuse(http.StatusConflict, "delivered leads cannot be retried")
	default:
		return refuse(http.StatusBadRequest, "state: is missing; say which leads to retry with state=parked or state=waiting")
	}
	suspectedSpam := false
	if text := query.Get("suspected_spam"); text != "" {
		if suspectedSpam, err = strconv.ParseBool(text); err != nil {
			return refuse(http.StatusBadRequest, "suspected_spam: must be true or false, got %q", text)
		}
	}
	retried, err := retryAll(r.Context(), open, filter, suspectedSpam)
	if err != nil {
		return outboxFailed(err, "")
	}
	return answerJSON(w, retried)
}

// retryAll retries the leads page by page until there are no more or bulkTime is over. Suspected
// spam stays parked unless suspectedSpam is set: operators who have fixed an account do not mean to
// send it.
func retryAll(ctx context.Context, open []*dispatch.Dispatcher, f outbox.Filter, suspectedSpam bool) (adminapi.Retried, error) {
	var total adminapi.Retried
	for start := time.Now(); time.Since(start) < bulkTime; {
		page, err := listLeads(ctx, open, f)
		if err != nil {
			return total, err
		}
		all := len(page)
		next := nextAfter(page, f.Limit)
		if !suspectedSpam {
			page = slices.DeleteFunc(page, func(l keptLead) bool { return delivery.NeverAttempted(l.Entry) })
		}
		total.SuspectedSpam += all - len(page)
		retried, skipped, err := retryPage(ctx, page)
		total.Retried += retried
		total.Skipped += skipped
		if err != nil {
			return total, err
		}
		f.After = next
		if total.Next = next; next == "" {
			break
		}
	}
	return total, nil
}

// retryPage retries the leads concurrently.
func retryPage(ctx context.Context, page []keptLead) (retried, skipped int, failure error) {
	var (
		mu      sync.Mutex
		writers sync.WaitGroup
		leads   = make(chan keptLead)
	)
	for range min(bulkWriters, len(page)) {
		writers.Go(func() {
			for lead := range leads {
				err := lead.in.Engine.Retry(ctx, lead.ID)
				mu.Lock()
				switch {
				case err == nil:
					retried++
				case errors.Is(err, outbox.ErrState), errors.Is(err, outbox.ErrNotFound):
					skipped++
				default:
					failure = err
				}
				mu.Unlock()
			}
		})
	}
	for _, lead := range page {
		leads <- lead
	}
	close(leads)
	writers.Wait()
	return retried, skipped, failure
}

// serveErase removes a person from the outbox. The identifier comes in the body because URLs are
// logged.
func serveErase(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	erasure, err := readJSON[adminapi.Erasure](r, `{"identifier": "+91 81234 56789"}`)
	if err != nil {
		return err
	}
	all, err := spellings(erasure.Identifier, countries())
	if err != nil {
		return err
	}
	if err := checkAfter(erasure.After); err != nil {
		return err
	}
	open, err := someOutbox()
	if err != nil {
		if here := outboxes.Unsearched(); here != "" {
			err = refuse(http.StatusServiceUnavailable, "%w; files on this machine were not searched: %s", err, here)
		}
		return err
	}
	erased, err := erasePerson(r.Context(), open, all, erasure.After)
	if err != nil {
		return outboxFailed(err, "")
	}
	return answerJSON(w, erased)
}

// erase searches the leads page by page and removes those of the person until there are no more or
// bulkTime is over. After the last page it also forgets the person's lead ids.
func erase(ctx context.Context, open []*dispatch.Dispatcher, spellings []string, after string) (adminapi.Erased, error) {
	var total adminapi.Erased
	f := outbox.Filter{After: after, Limit: adminapi.MaxPage}
	for start := time.Now(); time.Since(start) < bulkTime; {
		page, err := listLeads(ctx, open, f)
		if err != nil {
			return total, err
		}
		for _, lead := range page {
			if !slices.Contains(spellings, lead.Identifier) {
				continue
			}
			switch err := eraseLead(ctx, lead.in, lead.ID); {
			case err == nil:
				total.Erased++
			case errors.Is(err, outbox.ErrState):
				total.InFlight = append(total.InFlight, lead.ID)
			case !errors.Is(err, outbox.ErrNotFound):
				return total, err
			}
		}
		total.Examined += len(page)
		f.After = nextAfter(page, f.Limit)
		if total.Next = f.After; f.After == "" {
			total.Forgotten, err = forgetEverywhere(ctx, open, spellings)
			return total, err
		}
	}
	return total, nil
}

// forgetEverywhere forgets the ids of the person's leads in TeleCRM. It returns the number of
// accounts that had one.
func forgetEverywhere(ctx context.Context, open []*dispatch.Dispatcher, spellings []string) (forgotten int, err error) {
	accounts, err := knownAccounts(ctx, open)
	if err != nil {
		return 0, err
	}
	for _, o := range open {
		for _, account := range accounts {
			for _, identifier := range spellings {
				_, known, err := o.Store.Recall(ctx, account, identifier)
				if err != nil {
					return forgotten, err
				}
				if !known {
					continue
				}
				if err := o.Store.Forget(ctx, account, identifier); err != nil {
					return forgotten, err
				}
				forgotten++
			}
		}
	}
	return forgotten, nil
}
