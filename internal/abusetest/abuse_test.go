//go:build linux

package abusetest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// attack is one way to abuse the site.
type attack struct {
	name string
	run  func(ctx context.Context, t *testing.T, a *attacker)

	// spare is the memory in bytes that the process may use beyond a quiet run.
	spare int64

	lasts  time.Duration
	cutOff bool // afterwards, none of its connections may be open
}

// The memory that an attack may add. On a busy machine as many requests are in flight as the attacker
// may have.
const (
	usualSpare = 32<<20 + mostAtOnce*perRequest // what the guards remember, and the requests in flight
	perRequest = 512 << 10                      // the body, what is made of it, and garbage that is not collected yet
	perSender  = 64 << 10                       // for each open connection
)

// flood returns an attack that sends requests at the given rate.
func flood(name string, rate int, shoot func(ctx context.Context, a *attacker, n int) int) attack {
	return attack{name: name, spare: usualSpare, lasts: sized(1500*time.Millisecond, 20*time.Second), run: func(ctx context.Context, _ *testing.T, a *attacker) {
		a.fire(ctx, rate, func(n int) int { return shoot(ctx, a, n) })
	}}
}

func attacks() []attack {
	slow := sized(500, 10_000)
	slowLast := sized(1500*time.Millisecond, 45*time.Second) // the server has cut them off by then
	rate := sized(150, 200)
	keys, parts := manyKeys(), floods()
	return []attack{
		{name: fmt.Sprintf("%d slow senders", slow), spare: usualSpare + int64(slow)*perSender, lasts: slowLast, cutOff: fullSize, run: func(ctx context.Context, t *testing.T, a *attacker) {
			t.Helper()
			a.drip(ctx, t, slow, slowLast/5)
		}},
		flood("bodies that never end", rate/3, func(ctx context.Context, a *attacker, n int) int {
			return a.send(ctx, request{address: network(n), headers: []string{urlEncoded}, length: -1, body: endlessChunks()})
		}),
		flood("bodies of 100 MB", rate/3, func(ctx context.Context, a *attacker, n int) int {
			return a.send(ctx, request{address: network(n), headers: []string{multipart}, length: 100 << 20, body: endlessFile()})
		}),
		flood("one-byte chunks", rate/3, func(ctx context.Context, a *attacker, n int) int {
			body := inBytes("message=" + strings.Repeat("a", 10_000))
			return a.send(ctx, request{address: network(n), headers: []string{urlEncoded}, length: -1, body: strings.NewReader(body)})
		}),
		flood("multipart floods", rate, func(ctx context.Context, a *attacker, n int) int {
			return a.sendText(ctx, network(n), parts[n%len(parts)], multipart)
		}),
		flood("keys that collide", rate, func(ctx context.Context, a *attacker, n int) int {
			i := n % len(keys)
			return a.sendText(ctx, network(n), keys[i], []string{urlEncoded, inJSON}[i/2])
		}),
		flood("a flood from one address", 2*rate, func(ctx context.Context, a *attacker, n int) int {
			return a.sendText(ctx, "203.0.113.7", suspicious(n), urlEncoded)
		}),
		flood("many addresses that continue after 429", rate, func(ctx context.Context, a *attacker, n int) int {
			return a.sendText(ctx, network(n/30), suspicious(0), urlEncoded)
		}),
		flood("a flood from as many networks", 2*rate, func(ctx context.Context, a *attacker, n int) int {
			return a.sendText(ctx, network(n), "phone=1", urlEncoded, acceptJSON)
		}),
		flood("suspected spam", rate, func(ctx context.Context, a *attacker, n int) int {
			return a.sendText(ctx, network(n), suspicious(n), urlEncoded)
		}),
		flood("posts of another site", 2*rate, func(ctx context.Context, a *attacker, n int) int {
			return a.sendText(ctx, network(n), suspicious(n), urlEncoded, "Sec-Fetch-Site: cross-site")
		}),
		flood("preflights", 2*rate, func(ctx context.Context, a *attacker, n int) int {
			return a.send(ctx, request{method: http.MethodOptions, address: network(n), headers: []string{
				"Origin: https://" + []string{"partner", "stranger"}[n%2] + ".example.org", "Access-Control-Request-Method: POST",
			}})
		}),
	}
}

// Under every attack, memory stays bounded, the site is served, and each post of an honest visitor
// becomes a lead.
func TestAbuse(t *testing.T) {
	for _, attack := range attacks() {
		t.Run(attack.name, func(t *testing.T) {
			r := newRig(t)
			quiet, busy := newVisitors(r.site), newVisitors(r.site)
			busy.came = 100_000 // so that their names differ from those of the quiet ones
			quietTime, idle := sized(time.Second, 15*time.Second), r.cpu(t)
			quiet.come(t.Context(), quietTime)
			before, begun := r.memory(t), r.cpu(t)

			a := newAttacker(r.site)
			ctx, stop := context.WithCancel(t.Context())
			over := make(chan struct{})
			go func() {
				defer close(over)
				attack.run(ctx, t, a)
			}()
			busy.come(t.Context(), attack.lasts)
			files := r.openFiles(t)
			if attack.cutOff && files > 500 {
				t.Errorf("HELD: %d files are still open", files)
			}
			stop()
			<-over

			after := r.memory(t)
			// The other visitors cost as much as in the quiet run.
			cost := r.cpu(t) - begun - time.Duration(float64(begun-idle)*attack.lasts.Seconds()/quietTime.Seconds())
			if grown := after.peak - before.peak; grown > attack.spare {
				t.Errorf("MEMORY: the process grew by %d MiB, more than %d", grown>>20, attack.spare>>20)
			}
			quiet.check(t)
			busy.check(t)
			r.checkLeads(t, quiet, busy)
			t.Logf("\n| attack | shots | answers | CPU ms for each | files open | resident at most, before and after | heap | pages quiet, p50 / p99 ms | attacked | posts quiet | attacked |\n"+
				"| %s | %d | %s | %.1f | %d | %d, %d MiB | %d, %d MiB | %s | %s | %s | %s |", attack.name,
				a.shots, a.answers(), float64(cost.Milliseconds())/float64(max(a.shots, 1)), files, before.peak>>20, after.peak>>20, before.heap>>20, after.heap>>20,
				waits(quiet.reads), waits(busy.reads), waits(quiet.posts), waits(busy.posts))
		})
	}
}

// checkLeads waits until each thanked visitor has exactly one lead.
func (r *rig) checkLeads(t *testing.T, crowds ...*visitors) {
	t.Helper()
	var names []string
	for _, crowd := range crowds {
		names = append(names, crowd.thanks...)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		leads := make(map[string]int)
		for _, lead := range r.crm.Leads() {
			leads[fmt.Sprint(lead.Fields["name"])]++
		}
		missing := 0
		for _, name := range names {
			switch leads[name] {
			case 0:
				missing++
			case 1:
			default:
				t.Errorf("DOUBLED: %d leads of %s", leads[name], name)
			}
		}
		if missing == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("LOST: %d of %d thanked visitors", missing, len(names))
			return
		}
	}
}
