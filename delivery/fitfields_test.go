package delivery

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/time/rate"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// optionalJob is a job with values that only some workspaces have fields for.
func optionalJob() Job {
	fields := map[string]any{
		"phone": phoneA, "city": "Pune", "source": "ad", "channel": "Paid Search", "other_channel": "Paid Search", "at": "2026-03-04T05:06:07Z",
		"visits": "3", "link": "https://a.example/", "no_link": "/offer", "mail": "x", "absent": "y",
	}
	job := Job{Lead: telecrm.Lead{Fields: fields}}
	for name := range fields {
		if name != "phone" && name != "city" {
			job.Optional = append(job.Optional, name)
		}
	}
	slices.Sort(job.Optional)
	return job
}

func workspace() telecrm.Definitions {
	return telecrm.Definitions{Fields: []telecrm.FieldDefinition{
		{APIName: "source", Type: "TEXT"},
		{APIName: "channel", Type: "DROPDOWN", Options: []string{"Paid Search"}},
		{APIName: "other_channel", Type: "DROPDOWN", Options: []string{"Email"}},
		{APIName: "at", Type: "DATE"},
		{APIName: "visits", Type: "NUMBER"},
		{APIName: "link", Type: "WEBSITE"},
		{APIName: "no_link", Type: "WEBSITE"},
		{APIName: "mail", Type: "EMAIL"},
	}}
}

// Optional values are sent only to fields that the workspace has and that can hold them. TeleCRM is
// asked once, with a token of the rate limit.
func TestOptionalValues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		crm := &fakeCRM{create: created, definitions: workspace()}
		account := Account{Client: crm, Identifier: "phone", Fields: NewWorkspaceFields()}
		limiter := rate.NewLimiter(100, 10)
		for range 2 {
			settled, answer := SendOnce(t.Context(), account, limiter, Submission{Job: optionalJob()}, func() {}, nil)
			if settled.State != outbox.Delivered || len(answer.Remarks) > 0 {
				t.Fatalf("got %+v, %+v", settled, answer)
			}
			want := map[string]any{
				"phone": phoneA, "city": "Pune", "source": "ad", "channel": "Paid Search", "at": json.Number("1772600767000"),
				"visits": json.Number("3"), "link": "https://a.example/",
			}
			if diff := cmp.Diff(want, crm.sent); diff != "" {
				t.Error(diff)
			}
		}
		if crm.asked != 1 {
			t.Errorf("asked %d times", crm.asked)
		}
		if used := 10 - limiter.Tokens(); used < 2.9 || used > 3.1 {
			t.Errorf("used %v tokens for three requests", used)
		}
		time.Sleep(fieldsTTL)
		SendOnce(t.Context(), account, limiter, Submission{Job: optionalJob()}, func() {}, nil)
		if crm.asked != 2 {
			t.Errorf("asked %d times after the fields have expired", crm.asked)
		}
	})
}

// Without an answer about the fields, a lead is delivered without the optional values, and with a
// remark.
func TestOptionalValuesOfUnknownWorkspace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		crm := &fakeCRM{create: created}
		account := Account{Client: crm, Identifier: "phone", Fields: NewWorkspaceFields()}
		for range 3 {
			settled, answer := SendOnce(t.Context(), account, rate.NewLimiter(100, 10), Submission{Job: optionalJob()}, func() {}, nil)
			if settled.State != outbox.Delivered || len(answer.Remarks) != 1 || !strings.Contains(answer.Remarks[0].Text, "not known") {
				t.Fatalf("got %+v, %+v", settled, answer)
			}
			if diff := cmp.Diff(map[string]any{"phone": phoneA, "city": "Pune"}, crm.sent); diff != "" {
				t.Error(diff)
			}
		}
		if crm.asked != 1 {
			t.Errorf("asked %d times", crm.asked)
		}
	})
}

// A lead that is not in an outbox is sent within the visitor's budget, however slow TeleCRM is with
// its fields, and however many requests there have been.
func TestFieldsDoNotUseUpTheBudget(t *testing.T) {
	t.Parallel()
	const budget = 3 * time.Second
	for name, limiter := range map[string]*rate.Limiter{"slow": rate.NewLimiter(100, 10), "busy": rate.NewLimiter(0.1, 1)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				crm := &fakeCRM{definitions: workspace(), definitionsTake: time.Minute}
				crm.create = func(ctx context.Context, n int, lead telecrm.Lead) telecrm.Answer {
					if ctx.Err() != nil {
						return down
					}
					return created(ctx, n, lead)
				}
				account := Account{Client: crm, Identifier: "phone", Fields: NewWorkspaceFields()}
				for range 3 {
					ctx, cancel := context.WithTimeout(t.Context(), budget)
					settled, answer := SendOnce(ctx, account, limiter, Submission{Job: optionalJob()}, func() {}, nil)
					cancel()
					if settled.State != outbox.Delivered {
						t.Fatalf("got %+v, %+v", settled, answer)
					}
					if diff := cmp.Diff(map[string]any{"phone": phoneA, "city": "Pune"}, crm.sent); diff != "" {
						t.Error(diff)
					}
				}
			})
		})
	}
}

// Leads in the outbox wait for the fields too, at the pace of the account, and not for long.
func TestFieldsOfLeadsInTheOutbox(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]time.Duration{"fast": time.Second, "slow": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				crm := &fakeCRM{create: created, definitions: workspace(), definitionsTake: take}
				r := newRig(t, crm)
				defer r.stop()
				account := r.account("default", crm)
				account.Rate, account.Burst, account.Fields = 1.0/30, 1, NewWorkspaceFields()
				r.config.Accounts = []Account{account}
				r.engine.Configure(r.config)
				begun := time.Now()
				r.submitJob(optionalJob())
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				calls := crm.calls()
				if len(calls) != 1 || calls[0].at.Sub(begun) > time.Minute {
					t.Fatalf("got %d requests, %v", len(calls), calls)
				}
				if _, isSent := crm.sent["source"]; isSent != (take < fieldsTimeout) {
					t.Errorf("sent %v", crm.sent)
				}
			})
		})
	}
}
