package guard_test

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/guard"
)

// clock is set by tests.
type clock struct{ at time.Time }

func newClock() *clock { return &clock{time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time { return c.at }

// No window ever has more accepted posts than the limit. A visitor that waits as told is accepted,
// and one within the limit never waits.
func TestRateKeepsTheLimit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newClock()
		limit := guard.Limit{
			Posts:  rapid.IntRange(1, 6).Draw(rt, "posts"),
			Window: time.Duration(rapid.IntRange(1, 100).Draw(rt, "window")) * time.Second,
		}
		rate := guard.NewRate(limit, c.now)
		addr := netip.MustParseAddr("192.0.2.7")
		var passed []time.Time
		for range rapid.IntRange(1, 60).Draw(rt, "tries") {
			c.at = c.at.Add(time.Duration(rapid.IntRange(0, 30_000).Draw(rt, "pause")) * time.Millisecond)
			recent := 0
			for _, at := range passed {
				if c.at.Sub(at) < limit.Window {
					recent++
				}
			}
			pass := rate.Take(addr)
			if (pass.Wait > 0) != (recent >= limit.Posts) {
				rt.Fatalf("told to wait %s after %d posts in %s, limit %d", pass.Wait, recent, limit.Window, limit.Posts)
			}
			if pass.Wait == 0 {
				passed = append(passed, c.at)
				continue
			}
			if rapid.Bool().Draw(rt, "waits") {
				c.at = c.at.Add(pass.Wait)
				if again := rate.Take(addr); again.Wait > 0 {
					rt.Fatalf("told to wait %s again after waiting", again.Wait)
				}
				passed = append(passed, c.at)
			}
		}
	})
}

func TestRateSeparatesVisitors(t *testing.T) {
	for name, test := range map[string]struct {
		first, second string
		isSame        bool
	}{
		"the same address":             {"192.0.2.7", "192.0.2.7", true},
		"neighbours":                   {"192.0.2.7", "192.0.2.8", false},
		"IPv4 in IPv6":                 {"192.0.2.7", "::ffff:192.0.2.7", true},
		"one home's addresses":         {"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		"two homes":                    {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		"an interface's name":          {"fe80::1%eth0", "fe80::1%eth1", true},
		"IPv6 beginning like the IPv4": {"192.0.2.7", "c000:207::", false},
	} {
		t.Run(name, func(t *testing.T) {
			rate := guard.NewRate(guard.Limit{Posts: 1, Window: time.Minute}, newClock().now)
			rate.Take(netip.MustParseAddr(test.first))
			if waits := rate.Take(netip.MustParseAddr(test.second)).Wait > 0; waits != test.isSame {
				t.Errorf("counted together: %v, want %v", waits, test.isSame)
			}
		})
	}
}

func TestRateAcceptsUnknownAddresses(t *testing.T) {
	rate := guard.NewRate(guard.Limit{Posts: 1, Window: time.Minute}, newClock().now)
	for range 5 {
		if pass := rate.Take(netip.Addr{}); pass != (guard.Pass{}) {
			t.Fatalf("%+v", pass)
		}
	}
}

func TestRateDetectsFloods(t *testing.T) {
	rate := guard.NewRate(guard.Limit{Posts: 2, Window: time.Minute}, newClock().now)
	var floods []bool
	for range 6 {
		floods = append(floods, rate.Take(netip.MustParseAddr("192.0.2.7")).Flood)
	}
	for i, want := range []bool{false, false, false, false, true, true} {
		if floods[i] != want {
			t.Fatalf("floods %v", floods)
		}
	}
}

// numbered returns the address of the nth visitor.
func numbered(n uint32) netip.Addr {
	var ip [16]byte
	binary.BigEndian.PutUint32(ip[:], 0x20010db8)
	binary.BigEndian.PutUint32(ip[4:], n)
	return netip.AddrFrom16(ip)
}

// A million addresses take bounded memory, and do not lift the limit for an address that keeps
// posting.
func TestRateIsBounded(t *testing.T) {
	addresses := uint32(1_000_000)
	if testing.Short() {
		addresses = 200_000
	}
	c := newClock()
	rate := guard.NewRate(guard.Limit{Posts: 10, Window: time.Minute}, c.now)
	persistent := netip.MustParseAddr("192.0.2.7")
	before := allocated()
	passed := 0
	for n := range addresses {
		rate.Take(numbered(n))
		if n%1000 == 0 && rate.Take(persistent).Wait == 0 {
			passed++
		}
	}
	if passed != 10 {
		t.Errorf("one address passed %d times within a minute of many others, want 10", passed)
	}
	if used := allocated() - before; used > 16<<20 {
		t.Errorf("memory is %d MiB", used>>20)
	}
	runtime.KeepAlive(rate)
}

func allocated() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc) //nolint:gosec // far below the maximum
}

func BenchmarkRate(b *testing.B) {
	rate := guard.NewRate(guard.Limit{Posts: 10, Window: time.Minute}, time.Now)
	b.ReportAllocs()
	for n := uint32(0); b.Loop(); n++ {
		rate.Take(numbered(n))
	}
}

// Mistakes are given back when a post is accepted, and only then.
func TestRateGivesMistakesBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newClock()
		limit := guard.Limit{Posts: rapid.IntRange(2, 6).Draw(rt, "posts"), Window: time.Minute}
		rate := guard.NewRate(limit, c.now)
		addr := netip.MustParseAddr("192.0.2.7")
		var counted, mistakes []time.Time
		for range rapid.IntRange(1, 60).Draw(rt, "tries") {
			c.at = c.at.Add(time.Duration(rapid.IntRange(0, 15_000).Draw(rt, "pause")) * time.Millisecond)
			isOver := func(at time.Time) bool { return c.at.Sub(at) >= limit.Window }
			counted, mistakes = slices.DeleteFunc(counted, isOver), slices.DeleteFunc(mistakes, isOver)
			pass := rate.Take(addr)
			if got, want := pass.Wait > 0, len(counted)+len(mistakes) >= limit.Posts; got != want {
				rt.Fatalf("told to wait: %v after %d posts and %d mistakes, limit %d", got, len(counted), len(mistakes), limit.Posts)
			}
			switch {
			case pass.Wait > 0:
			case rapid.Bool().Draw(rt, "has a mistake"):
				mistakes = append(mistakes, c.at)
				rate.Mistaken(addr, pass)
			default:
				counted, mistakes = append(counted, c.at), nil
				rate.Corrected(addr)
			}
		}
	})
}

// A flood of posts with mistakes is limited like any other.
func TestRateLimitsMistakesAlone(t *testing.T) {
	rate := guard.NewRate(guard.Limit{Posts: 3, Window: time.Minute}, newClock().now)
	addr := netip.MustParseAddr("192.0.2.7")
	passed := 0
	for range 100 {
		if pass := rate.Take(addr); pass.Wait == 0 {
			passed++
			rate.Mistaken(addr, pass)
		}
	}
	if passed != 3 {
		t.Errorf("%d posts passed, want 3", passed)
	}
	rate.Mistaken(netip.Addr{}, guard.Pass{})
	rate.Corrected(netip.MustParseAddr("192.0.2.8"))
}
