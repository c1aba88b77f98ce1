package delivery

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

type visitorKey struct{}

// An attempt has the values of the waiting visitor's context, if there is one, and does not end
// when the visitor leaves.
func TestAttemptHook(t *testing.T) {
	crm := &fakeCRM{create: func(ctx context.Context, n int, lead telecrm.Lead) telecrm.Answer {
		if ctx.Value(attemptKey{}) == nil {
			t.Error("the request does not have the hook's context")
		}
		time.Sleep(time.Second)
		if err := ctx.Err(); err != nil {
			return telecrm.Answer{Verdict: telecrm.Retry, Err: err}
		}
		return answers(ok, down, ok)(ctx, n, lead)
	}}
	var mu sync.Mutex
	var got []string
	inBubble(t, crm, func(r *rig) {
		r.config.Hooks.Attempt = func(ctx context.Context, entry outbox.Entry) (context.Context, func(outbox.Settlement)) {
			visitor, _ := ctx.Value(visitorKey{}).(string)
			return context.WithValue(ctx, attemptKey{}, entry.ID), func(s outbox.Settlement) {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, visitor+" "+string(s.State))
			}
		}
		r.engine.Configure(r.config)
		for i, visitor := range []string{"ravi", "meera"} {
			ctx, leave := context.WithCancel(context.WithValue(context.Background(), visitorKey{}, visitor))
			_, err := r.engine.Submit(ctx, Submission{
				ID: "01900000-0000-7000-8000-00000000000" + string(rune('1'+i)), Account: "default",
				Job: Job{Lead: telecrm.Lead{Fields: map[string]any{"phone": []string{phoneA, phoneB}[i]}}},
			}, 500*time.Millisecond)
			leave()
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
		}
	})
	if want := []string{"ravi delivered", "meera waiting", " delivered"}; !slices.Equal(got, want) {
		t.Errorf("attempts %q, want %q", got, want)
	}
}

type attemptKey struct{}
