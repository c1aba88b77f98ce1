package guard_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/guard"
)

var values = guard.FingerprintOf("name", "Meera Iyer")

func claim(t *testing.T, r *guard.Repeats) (*guard.Claim, guard.Result) {
	t.Helper()
	c, earlier, err := r.Claim(t.Context(), values)
	if err != nil {
		t.Fatal(err)
	}
	return c, earlier
}

func TestRepeatsOfAnAcceptedPost(t *testing.T) {
	c := newClock()
	repeats := guard.NewRepeats(10*time.Minute, c.now)
	first, earlier := claim(t, repeats)
	if first == nil || earlier != (guard.Result{}) {
		t.Fatalf("first post: got an earlier result: %+v", earlier)
	}
	first.End(guard.Result{ID: "a"})
	first.End(guard.Result{}) // ending twice does nothing
	c.at = c.at.Add(10*time.Minute - 1)
	if again, earlier := claim(t, repeats); again != nil || earlier.ID != "a" || earlier.Asked {
		t.Errorf("within the window: %+v", earlier)
	}
	c.at = c.at.Add(1)
	if again, earlier := claim(t, repeats); again == nil {
		t.Errorf("after the window: %+v", earlier)
	}
}

func TestRepeatsOfAFailedPost(t *testing.T) {
	repeats := guard.NewRepeats(time.Minute, newClock().now)
	first, _ := claim(t, repeats)
	first.End(guard.Result{})
	second, earlier := claim(t, repeats)
	if second == nil || earlier != (guard.Result{}) {
		t.Fatalf("after a failed post: %+v", earlier)
	}
	second.End(guard.Result{ID: "b", Asked: true})
	third, earlier := claim(t, repeats)
	if third == nil || earlier.ID != "b" || !earlier.Asked {
		t.Fatalf("after a post with Asked: %+v", earlier)
	}
	third.End(guard.Result{ID: "c"})
	if fourth, earlier := claim(t, repeats); fourth != nil || earlier.ID != "c" {
		t.Errorf("after that was accepted: %+v", earlier)
	}
	(*guard.Claim)(nil).End(guard.Result{ID: "d"})
}

// Of many equal posts at once, one is accepted and the others get its result.
func TestOneOfManyIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		repeats := guard.NewRepeats(time.Minute, time.Now)
		var taken, failed atomic.Int32
		var posts sync.WaitGroup
		for n := range 50 {
			posts.Go(func() {
				c, earlier, err := repeats.Claim(t.Context(), values)
				switch {
				case err != nil:
					t.Error(err)
				case c == nil && earlier.ID != "lead":
					t.Errorf("earlier result %+v", earlier)
				case c != nil && n%7 == 0 && failed.Add(1) < 3:
					time.Sleep(time.Second)
					c.End(guard.Result{})
				case c != nil:
					taken.Add(1)
					time.Sleep(time.Second)
					c.End(guard.Result{ID: "lead"})
				}
			})
		}
		posts.Wait()
		if taken.Load() != 1 {
			t.Errorf("%d were accepted", taken.Load())
		}
	})
}

func TestClaimEndsWithItsContext(t *testing.T) {
	repeats := guard.NewRepeats(time.Minute, newClock().now)
	_, _ = claim(t, repeats)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := repeats.Claim(ctx, values); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// Moving text from one value to the next changes the fingerprint.
func TestFingerprintsDiffer(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		texts := rapid.SliceOf(rapid.StringN(0, 3, 6))
		a, b := texts.Draw(rt, "a"), texts.Draw(rt, "b")
		same := fmt.Sprintf("%q", a) == fmt.Sprintf("%q", b)
		if (guard.FingerprintOf(a...) == guard.FingerprintOf(b...)) != same {
			rt.Errorf("%q and %q: equal is %v", a, b, !same)
		}
	})
}

func TestRepeatsAreBounded(t *testing.T) {
	posts := 500_000
	if testing.Short() {
		posts = 200_000
	}
	repeats := guard.NewRepeats(time.Hour, newClock().now)
	before := allocated()
	for n := range posts {
		c, _, err := repeats.Claim(t.Context(), guard.FingerprintOf(fmt.Sprint(n)))
		if err != nil {
			t.Fatal(err)
		}
		c.End(guard.Result{ID: "01900000-0000-7000-8000-000000000001"})
	}
	if used := allocated() - before; used > 16<<20 {
		t.Errorf("memory is %d MiB", used>>20)
	}
	if c, _ := claim(t, repeats); c == nil {
		t.Error("a new post is a repeat")
	}
}
