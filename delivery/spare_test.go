package delivery

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/time/rate"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// A request that is not for a lead waits for the leads, keeps to the rate limit, and leaves a token
// for the next lead.
func TestSpareRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		crm := &fakeCRM{create: created}
		r := newRig(t, crm)
		defer r.stop()
		account := r.account("default", crm)
		account.Rate, account.Burst = 1.0/60, 2
		r.config.Accounts = []Account{account}
		r.engine.Configure(r.config)
		begun := time.Now()
		for i := range 3 {
			r.submit(fmt.Sprintf("91812345600%d", i), 0)
		}
		synctest.Wait()
		for i, want := range []time.Duration{3 * time.Minute, 4 * time.Minute} {
			if err := r.engine.WaitSpare(t.Context(), "default"); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begun); took < want || took > want+2*spareRetryDelay {
				t.Errorf("request %d after %v, want %v", i, took, want)
			}
		}
		if len(crm.calls()) != 3 {
			t.Errorf("sent %d leads", len(crm.calls()))
		}
		sent := time.Now()
		r.submit("918123456009", 0)
		synctest.Wait()
		if calls := crm.calls(); len(calls) != 4 || calls[3].at.Sub(sent) > time.Second {
			t.Errorf("the next lead waits: %v", calls)
		}
		if err := r.engine.WaitSpare(t.Context(), "other"); !errors.Is(err, ErrNotConfigured) {
			t.Errorf("unknown account: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.engine.WaitSpare(ctx, "default"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("canceled: %v", err)
		}
	})
}

// An account on hold is left alone.
func TestNoSpareRequestsOnHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		crm := &fakeCRM{create: func(context.Context, int, telecrm.Lead) telecrm.Answer { return revoked }}
		r := newRig(t, crm)
		defer r.stop()
		r.submit(phoneA, 0)
		time.Sleep(time.Minute)
		synctest.Wait()
		if err := r.engine.WaitSpare(t.Context(), "default"); !errors.Is(err, ErrOnHold) {
			t.Errorf("got %v", err)
		}
	})
}

func TestSpareTokensOfDirectAccounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limiter, begun := rate.NewLimiter(1, 1), time.Now()
		for range 3 {
			if err := WaitSpare(t.Context(), limiter); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begun); took < 2*time.Second || took > 5*time.Second {
			t.Errorf("three requests took %v", took)
		}
	})
}

// Labels are sent as the workspace spells them, once it is known.
func TestLabelsAsInTheWorkspace(t *testing.T) {
	t.Parallel()
	fields := NewWorkspaceFields()
	given := map[string]any{
		"channel": " paid  search", "other_channel": "Fax", "tags": []string{"NEW", "x"}, "twice": "a", "city": "pune",
	}
	if got := fields.Spell(given); got["channel"] != " paid  search" {
		t.Errorf("spelled %v without knowing the workspace", got)
	}
	definitions := append(workspace().Fields, tagsOf("tags", "New"), tagsOf("twice", "A", "a "), tagsOf("city"))
	fields.Learn(definitions, time.Now())
	want := map[string]any{
		"channel": "Paid Search", "other_channel": "Fax", "tags": []string{"New", "x"}, "twice": "a", "city": "pune",
	}
	if diff := cmp.Diff(want, fields.Spell(given)); diff != "" {
		t.Error(diff)
	}
	if given["channel"] != " paid  search" {
		t.Error("changed the lead itself")
	}
}

func tagsOf(name string, options ...string) telecrm.FieldDefinition {
	return telecrm.FieldDefinition{APIName: name, Type: "TAGS", Options: options}
}
