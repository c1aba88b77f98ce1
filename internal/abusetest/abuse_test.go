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

	// spare is what the process may take for the attack beyond what it takes
	// for an ordinary day, in bytes.
	spare int64

	lasts  time.Duration
	cutOff bool // after that time none of its connections may be left
}

// What a process may take more under attack: for what is under way at once,
// for what the guards remember, and as long as Go collects no garbage.
const (
	usualSpare = 96 << 20
	perSender  = 64 << 10 // for each connection that is kept open
)

// flood is an attack of one request after the other.
func flood(name string, rate int, shoot func(ctx context.Context, a *attacker, n int) int) attack {
	return attack{name: name, spare: usualSpare, lasts: sized(1500*time.Millisecond, 20*time.Second), run: func(ctx context.Context, _ *testing.T, a *attacker) {
		a.fire(ctx, rate, func(n int) int { return shoot(ctx, a, n) })
	}}
}

func attacks() []attack {
	slow := sized(500, 10_000)
	slowLast := sized(1500*time.Millisecond, 45*time.Second) // by when the server has had enough of them
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
			return a.sendText(ctx, "203.0.113.7", doubtful(n), urlEncoded)
		}),
		flood("each of many addresses goes on when told to wait", rate, func(ctx context.Context, a *attacker, n int) int {
			return a.sendText(ctx, network(n/30), doubtful(0), urlEncoded)
		}),
		flood("a flood from as many networks", 2*rate, func(ctx context.Context, a *attacker, n int) int {
			return a.sendText(ctx, network(n), "phone=1", urlEncoded, acceptJSON)
		}),
		flood("doubtful posts", rate, func(ctx context.Context, a *attacker, n int) int {
			return a.sendText(ctx, network(n), doubtful(n), urlEncoded)
		}),
		flood("posts of another site", 2*rate, func(ctx context.Context, a *attacker, n int) int {
			return a.sendText(ctx, network(n), doubtful(n), urlEncoded, "Sec-Fetch-Site: cross-site")
		}),
		flood("preflights", 2*rate, func(ctx context.Context, a *attacker, n int) int {
			return a.send(ctx, request{method: http.MethodOptions, address: network(n), headers: []string{
				"Origin: https://" + []string{"partner", "stranger"}[n%2] + ".example.org", "Access-Control-Request-Method: POST",
			}})
		}),
	}
}

// Whatever is sent to the form, the memory stays bounded, the site is served,
// and every honest visitor who posts meanwhile becomes a lead.
func TestAbuse(t *testing.T) {
	for _, attack := range attacks() {
		t.Run(attack.name, func(t *testing.T) {
			r := newRig(t)
			quiet, busy := newVisitors(r.site), newVisitors(r.site)
			busy.came = 100_000 // others than the quiet ones
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
				t.Errorf("HELD: %d files are open still", files)
			}
			stop()
			<-over

			after := r.memory(t)
			// The other visitors cost what they did when it was quiet.
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

// checkLeads waits until everybody who was thanked is a lead, once.
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
			t.Errorf("LOST: %d of the %d who were thanked", missing, len(names))
			return
		}
	}
}
