package challenge

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/internal/signing"
)

// clock stands still until a test advances it.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.nanos.Store(time.Date(2026, 3, 31, 9, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time           { return time.Unix(0, c.nanos.Load()) }
func (c *clock) advance(by time.Duration) { c.nanos.Add(int64(by)) }

var testKey = []byte("0123456789abcdef0123456789abcdef")

const testLifetime = 20 * time.Minute

func newAltcha(t testing.TB, now func() time.Time, change ...func(*AltchaConfig)) *Altcha {
	t.Helper()
	c := AltchaConfig{Keys: signing.Key(testKey), MaxNumber: 50, Lifetime: testLifetime, Spent: NewSpent(), Now: now}
	for _, apply := range change {
		apply(&c)
	}
	a, err := NewAltcha(c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// solve finds the number, as a browser does.
func solve(t testing.TB, c AltchaChallenge) uint64 {
	t.Helper()
	for number := uint64(0); number <= c.MaxNumber; number++ {
		if altchaHash(c.Salt, number) == c.Challenge {
			return number
		}
	}
	t.Fatal("the challenge has no solution")
	return 0
}

// answered returns the widget's answer to c.
func answered(t testing.TB, c AltchaChallenge) map[string]any {
	t.Helper()
	return map[string]any{
		"algorithm": c.Algorithm, "challenge": c.Challenge, "number": solve(t, c), "salt": c.Salt, "signature": c.Signature, "took": 12.5,
	}
}

func encode(t testing.TB, answer any) string {
	t.Helper()
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(text)
}

func TestAltchaTakesEachSolutionOnce(t *testing.T) {
	for _, maxNumber := range []int{1, 2, 1000} {
		a := newAltcha(t, newClock().now, func(c *AltchaConfig) { c.MaxNumber = maxNumber })
		for range 20 {
			answer := encode(t, answered(t, a.Issue()))
			if err := a.Verify(t.Context(), answer, ""); err != nil {
				t.Fatalf("up to %d: %v", maxNumber, err)
			}
			if err := a.Verify(t.Context(), answer, ""); !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "used before") {
				t.Fatalf("the second time: %v", err)
			}
		}
	}
}

// The key alone decides, so an answer is valid on another server and after a restart.
func TestAltchaAnswersAreValidElsewhere(t *testing.T) {
	clock := newClock()
	issuer := newAltcha(t, clock.now)
	answer := encode(t, answered(t, issuer.Issue()))
	easier := newAltcha(t, clock.now, func(c *AltchaConfig) { c.MaxNumber = 1 })
	if err := easier.Verify(t.Context(), answer, ""); err != nil {
		t.Errorf("with the same key: %v", err)
	}
	stranger := newAltcha(t, clock.now, func(c *AltchaConfig) { c.Keys = signing.Key([]byte("another key")) })
	if err := stranger.Verify(t.Context(), answer, ""); !errors.Is(err, ErrFailed) {
		t.Errorf("with another key: %v", err)
	}
}

func TestAltchaChallengesExpire(t *testing.T) {
	for _, test := range []struct {
		after time.Duration
		good  bool
	}{{0, true}, {testLifetime - time.Second, true}, {testLifetime, false}, {time.Hour, false}} {
		clock := newClock()
		a := newAltcha(t, clock.now)
		answer := encode(t, answered(t, a.Issue()))
		clock.advance(test.after)
		if err := a.Verify(t.Context(), answer, ""); (err == nil) != test.good || err != nil && !strings.Contains(err.Error(), "too late") {
			t.Errorf("after %v: %v", test.after, err)
		}
	}
}

// An answer cannot be reused even in the second in which it expires.
func TestAltchaRemembersUntilExpiry(t *testing.T) {
	clock := newClock()
	a := newAltcha(t, clock.now)
	answer := encode(t, answered(t, a.Issue()))
	if err := a.Verify(t.Context(), answer, ""); err != nil {
		t.Fatal(err)
	}
	for range 2 * testLifetime / (30 * time.Second) {
		clock.advance(30 * time.Second)
		if err := a.Verify(t.Context(), answer, ""); !errors.Is(err, ErrFailed) {
			t.Fatalf("second use: %v", err)
		}
	}
	if err := a.Verify(t.Context(), encode(t, answered(t, a.Issue())), ""); err != nil {
		t.Fatal(err)
	}
	if remembered := len(a.spent.known); remembered != 1 {
		t.Errorf("%d answers are remembered, want only the last", remembered)
	}
}

func TestAltchaRefusesWhatItDidNotIssue(t *testing.T) {
	clock := newClock()
	a := newAltcha(t, clock.now)
	set := func(name string, value any) func(map[string]any) { return func(m map[string]any) { m[name] = value } }
	edit := func(name string, change func(string) string) func(map[string]any) {
		return func(m map[string]any) { m[name] = change(m[name].(string)) }
	}
	for name, change := range map[string]func(map[string]any){
		"another number":     func(m map[string]any) { m["number"] = m["number"].(uint64) + 1 },
		"number in text":     func(m map[string]any) { m["number"] = fmt.Sprint(m["number"]) },
		"number below zero":  set("number", -1),
		"fraction":           set("number", 1.5),
		"huge number":        set("number", 1<<40),
		"no number":          set("number", nil),
		"list of numbers":    set("number", []int{1}),
		"other algorithm":    set("algorithm", "SHA-1"),
		"no algorithm":       set("algorithm", nil),
		"signature empty":    set("signature", ""),
		"signature none":     set("signature", nil),
		"signature cut":      edit("signature", func(s string) string { return s[1:] }),
		"signature capital":  edit("signature", strings.ToUpper),
		"challenge capital":  edit("challenge", strings.ToUpper),
		"challenge empty":    set("challenge", ""),
		"salt empty":         set("salt", ""),
		"salt capital":       edit("salt", strings.ToUpper),
		"salt with a longer": edit("salt", func(s string) string { return s + "x=1&" }),
		"expiry later":       edit("salt", func(s string) string { return strings.Replace(s, "expires=", "expires=9", 1) }),
		"expiry with a zero": edit("salt", func(s string) string { return strings.Replace(s, "expires=", "expires=0", 1) }),
		"expiry with a plus": edit("salt", func(s string) string { return strings.Replace(s, "expires=", "expires=+", 1) }),
		"expiry none":        edit("salt", func(s string) string { return s[:32] }),
		"mark missing":       edit("salt", func(s string) string { return strings.TrimSuffix(s, "&") }),
		// Digits of the expiry moved to the number (https://altcha.org/security-advisory/).
		"spliced": func(m map[string]any) {
			head, expiry, _ := strings.Cut(strings.TrimSuffix(m["salt"].(string), "&"), "expires=")
			m["salt"], m["number"] = head, fmt.Sprintf("expires=%s&%d", expiry, m["number"])
		},
	} {
		answer := answered(t, a.Issue())
		for answer["number"] == uint64(0) { // a missing number reads as 0
			answer = answered(t, a.Issue())
		}
		good := encode(t, answer)
		change(answer)
		if err := a.Verify(t.Context(), encode(t, answer), ""); !errors.Is(err, ErrFailed) {
			t.Errorf("%s: %v", name, err)
		}
		if err := a.Verify(t.Context(), good, ""); err != nil {
			t.Errorf("after %s: good answer: %v", name, err)
		}
	}
}

func TestAltchaRefusesMalformedAnswers(t *testing.T) {
	a := newAltcha(t, newClock().now)
	if err := a.Verify(t.Context(), "", ""); !errors.Is(err, ErrUnanswered) {
		t.Errorf("no answer: %v", err)
	}
	good := answered(t, a.Issue())
	good["padding"] = strings.Repeat("x", maxAltchaAnswer)
	for name, answer := range map[string]string{
		"a word":            "yes",
		"broken base64":     "e30",
		"not JSON":          base64.StdEncoding.EncodeToString([]byte("altcha")),
		"two values":        base64.StdEncoding.EncodeToString([]byte("{}{}")),
		"an empty object":   encode(t, map[string]any{}),
		"null":              encode(t, nil),
		"a list":            encode(t, []string{"SHA-256"}),
		"the widget's test": encode(t, map[string]any{"challenge": nil, "solution": nil, "test": true}),
		"deep":              base64.StdEncoding.EncodeToString([]byte(strings.Repeat("[", 700))),
		"too long":          encode(t, good),
	} {
		if err := a.Verify(t.Context(), answer, ""); !errors.Is(err, ErrFailed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewAltchaRefusesInvalidConfig(t *testing.T) {
	for name, change := range map[string]func(*AltchaConfig){
		"no keys":         func(c *AltchaConfig) { c.Keys = nil },
		"nothing to try":  func(c *AltchaConfig) { c.MaxNumber = 0 },
		"too much to try": func(c *AltchaConfig) { c.MaxNumber = altchaMaxNumber + 1 },
		"no time":         func(c *AltchaConfig) { c.Lifetime = 0 },
		"no memory":       func(c *AltchaConfig) { c.Spent = nil },
	} {
		c := AltchaConfig{Keys: signing.Key(testKey), MaxNumber: 50, Lifetime: testLifetime, Spent: NewSpent()}
		change(&c)
		if _, err := NewAltcha(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// An answer counts once, even when sent many times at once.
func TestAltchaCountsOnceConcurrently(t *testing.T) {
	a := newAltcha(t, newClock().now)
	for range 50 {
		answer := encode(t, answered(t, a.Issue()))
		var passed atomic.Int32
		var senders sync.WaitGroup
		for range 8 {
			senders.Go(func() {
				if a.Verify(t.Context(), answer, "") == nil {
					passed.Add(1)
				}
			})
		}
		senders.Wait()
		if passed.Load() != 1 {
			t.Fatalf("it passed %d times", passed.Load())
		}
	}
}

// No answer counts twice, whatever the size of the memory and the order, and the memory keeps its
// limit.
func TestSpentLetsNothingCountTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spent := newSpent(rapid.IntRange(1, 5).Draw(t, "room"))
		now := time.Unix(1_000, 0)
		counted := make(map[altchaID]bool)
		expiries := make(map[altchaID]time.Time)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			id := altchaID{byte(rapid.IntRange(0, 20).Draw(t, "id"))}
			expires, known := expiries[id]
			if !known {
				expires = now.Add(time.Duration(rapid.IntRange(1, 10).Draw(t, "lifetime")) * time.Second)
				expiries[id] = expires
			}
			if now.Before(expires) {
				err := spent.spend(id, expires, now)
				if err == nil && counted[id] {
					t.Fatalf("%v counts twice", id)
				}
				if err == nil {
					counted[id] = true
				}
			}
			if len(spent.known) > spent.room || len(spent.queue) != len(spent.known) {
				t.Fatalf("%d known and %d queued, want at most %d", len(spent.known), len(spent.queue), spent.room)
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "pause")) * time.Second)
		}
	})
}

// Fresh challenges still pass when there are more answers than fit the memory.
func TestSpentLeavesFreshChallengesTheirTime(t *testing.T) {
	spent := newSpent(10)
	now := time.Unix(1_000, 0)
	for i := range 200 {
		now = now.Add(time.Second)
		if err := spent.spend(altchaID{byte(i)}, now.Add(testLifetime), now); err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
	}
	err := spent.spend(altchaID{0}, time.Unix(1_001, 0).Add(testLifetime), now)
	if !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "too late") {
		t.Errorf("the first again: %v", err)
	}
}

func FuzzAltcha(f *testing.F) {
	clock := newClock()
	a := newAltcha(f, clock.now)
	good := answered(f, a.Issue())
	f.Add(encode(f, good))
	f.Add("")
	f.Add("e30=")
	good["number"] = "expires=1&2"
	f.Add(encode(f, good))
	f.Fuzz(func(t *testing.T, answer string) {
		solved, err := readAltcha(answer)
		if err == nil && altchaSalt(solved.id, solved.expires) != solved.salt {
			t.Errorf("salt %q is spelled differently", solved.salt)
		}
		first, second := a.Verify(t.Context(), answer, ""), a.Verify(t.Context(), answer, "")
		if first == nil && second == nil {
			t.Error("the answer counts twice")
		}
	})
}

func BenchmarkAltchaIssue(b *testing.B) {
	a := newAltcha(b, time.Now)
	for b.Loop() {
		a.Issue()
	}
}

func BenchmarkAltchaVerify(b *testing.B) {
	a := newAltcha(b, time.Now)
	b.Run("used", func(b *testing.B) {
		answer := encode(b, answered(b, a.Issue()))
		b.ReportAllocs()
		for b.Loop() {
			if errors.Is(a.Verify(context.Background(), answer, ""), ErrUnanswered) {
				b.Fatal("not answered")
			}
		}
	})
	b.Run("fresh, memory full", func(b *testing.B) {
		now := time.Now()
		for i := range SpentRoom {
			id := altchaID{byte(i), byte(i >> 8), byte(i >> 16), 1}
			if err := a.spent.spend(id, now.Add(time.Duration(i)*time.Millisecond+time.Hour), now); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			id := altchaID{byte(i), byte(i >> 8), byte(i >> 16), 2}
			if err := a.spent.spend(id, now.Add(2*time.Hour+time.Duration(i)*time.Second), now); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// An answer that another server has accepted counts here only for the same lead. The others are
// asked only about answers that this server would accept.
func TestAltchaAsksOtherServers(t *testing.T) {
	clock := newClock()
	leads := make(map[string]string)
	asked := 0
	server := func() *Altcha {
		return newAltcha(t, clock.now, func(c *AltchaConfig) {
			c.Spend = func(_ context.Context, id string, lasts time.Duration, lead string) bool {
				asked++
				if lasts < testLifetime-time.Minute+clockSkew {
					t.Errorf("the answer is remembered for %v", lasts)
				}
				if leads[id] == "" {
					leads[id] = lead
				}
				return leads[id] == lead
			}
		})
	}
	first, second, third := server(), server(), server()
	answer := encode(t, answered(t, first.Issue()))
	clock.advance(time.Minute)
	for i, step := range []struct {
		at   *Altcha
		lead string
		good bool
	}{{first, "a lead", true}, {first, "a lead", false}, {second, "another lead", false}, {third, "a lead", true}, {third, "a lead", false}} {
		err := step.at.Verify(t.Context(), answer, step.lead)
		if (err == nil) != step.good || err != nil && (!errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "used before")) {
			t.Errorf("step %d: %v", i, err)
		}
	}
	late := encode(t, answered(t, first.Issue()))
	clock.advance(testLifetime)
	for _, answer := range []string{"", "x", late} {
		if err := first.Verify(t.Context(), answer, "a lead"); err == nil {
			t.Errorf("the answer %q was accepted", answer)
		}
	}
	if asked != 3 {
		t.Errorf("other servers were asked %d times, want 3", asked)
	}
}
