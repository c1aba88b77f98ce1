package delivery

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Without an outbox, a lead waits for the rate limit within the visitor's budget and is then sent
// ahead of its turn, up to a bound.
func TestDirectRateLimit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		posts, ahead, refused int
	}{
		"a burst":         {5, 0, 0},
		"a burst and one": {6, 0, 0},
		"a campaign":      {40, 34, 0},
		"a flood":         {100, 59, 35},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const budget = 3 * time.Second
				crm := &fakeCRM{create: created}
				limiter := rate.NewLimiter(1, 5) // the default
				var mu sync.Mutex
				ahead, refused := 0, 0
				var visits sync.WaitGroup
				for range test.posts {
					visits.Go(func() {
						ctx, cancel := context.WithTimeout(t.Context(), budget)
						defer cancel()
						begun := time.Now()
						s, answer := SendOnce(ctx, Account{Client: crm, Identifier: "phone"}, limiter, Submission{
							Job: Job{Lead: telecrm.Lead{Fields: map[string]any{"phone": phoneA}}},
						}, func() {
							mu.Lock()
							defer mu.Unlock()
							ahead++
						}, nil)
						mu.Lock()
						defer mu.Unlock()
						if errors.Is(answer.Err, errRateExceeded) {
							refused++
						} else if s.State != outbox.Delivered {
							t.Errorf("%s: %v", s.Reason, answer.Err)
						}
						if waited := time.Since(begun); waited > budget/2 {
							t.Errorf("waited %v", waited)
						}
					})
				}
				visits.Wait()
				if ahead != test.ahead || refused != test.refused || len(crm.calls()) != test.posts-refused {
					t.Errorf("%d ahead, %d refused, %d sent; want %d, %d", ahead, refused, len(crm.calls()), test.ahead, test.refused)
				}
				// Requests sent ahead use up later tokens.
				time.Sleep(time.Duration(ahead+1) * time.Second)
				if tokens := limiter.Tokens(); tokens > 1.5 && ahead > 0 {
					t.Errorf("%v tokens left", tokens)
				}
			})
		})
	}
}
