package guard_test

import (
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/signing"
)

var enquiry = guard.Enquiry{
	Host: "www.example.com", Network: guard.NetworkOf(netip.MustParseAddr("192.0.2.7")), Identifier: "918123456789",
}

func TestConfirmations(t *testing.T) {
	newConfirmations := func(key, form string) *guard.Confirmations {
		return guard.NewConfirmations(signing.Key([]byte(key)), form)
	}
	confirmations := newConfirmations("a key", "enquiry")
	id, now := uuid.Must(uuid.NewV7()).String(), time.Now()
	ours := confirmations.For(id, enquiry)
	if got, ok := confirmations.Read(ours, enquiry, now); !ok || got != id {
		t.Fatalf("read back %q, %v", got, ok)
	}
	other := uuid.Must(uuid.NewV7()).String()
	for name, test := range map[string]struct {
		confirmation string
		now          time.Time
	}{
		"empty":              {"", now},
		"an id alone":        {id, now},
		"a seal cut short":   {ours[:len(ours)-1], now},
		"of another post":    {other + ours[strings.Index(ours, "."):], now},
		"of another form":    {newConfirmations("a key", "callback").For(id, enquiry), now},
		"with another key":   {newConfirmations("b key", "enquiry").For(id, enquiry), now},
		"in capital letters": {strings.ToUpper(ours), now},
		"of a random id":     {confirmations.For(uuid.NewString(), enquiry), now},
		"of a bad id":        {confirmations.For("x", enquiry), now},
		"two days old":       {ours, now.Add(48 * time.Hour)},
		"of the future":      {ours, now.Add(-48 * time.Hour)},
	} {
		if got, ok := confirmations.Read(test.confirmation, enquiry, test.now); ok {
			t.Errorf("%s passes, as %s", name, got)
		}
	}
	for name, change := range map[string]func(*guard.Enquiry){
		"another host":    func(e *guard.Enquiry) { e.Host = "www.example.org" },
		"another network": func(e *guard.Enquiry) { e.Network = guard.NetworkOf(netip.MustParseAddr("198.51.100.7")) },
		"no network":      func(e *guard.Enquiry) { e.Network = netip.Prefix{} },
		"another person":  func(e *guard.Enquiry) { e.Identifier = "918123456780" },
		"no person":       func(e *guard.Enquiry) { e.Identifier = "" },
	} {
		of := enquiry
		change(&of)
		if _, ok := confirmations.Read(ours, of, now); ok {
			t.Errorf("%s: it passes", name)
		}
	}
}

// A confirmation counts once, even when sent many times at once, and again after Return.
func TestConfirmationsCountOnce(t *testing.T) {
	c := newClock()
	redeemed := guard.NewRedeemed(c.now)
	var (
		passed atomic.Int32
		posts  sync.WaitGroup
	)
	for range 50 {
		posts.Go(func() {
			if redeemed.Redeem("a") {
				passed.Add(1)
			}
		})
	}
	posts.Wait()
	if passed.Load() != 1 || !redeemed.Has("a") || redeemed.Has("b") {
		t.Errorf("%d passed", passed.Load())
	}
	c.at = c.at.Add(24*time.Hour - 1)
	if redeemed.Redeem("a") {
		t.Error("it counts again a day later")
	}
	redeemed.Return("a")
	if !redeemed.Redeem("a") {
		t.Error("a returned one does not count")
	}
}

// Sending the same values again counts as a confirmation between a second and an hour later.
func TestAsked(t *testing.T) {
	c := newClock()
	asked := guard.NewAsked(c.now)
	values := guard.FingerprintOf("Meera", "918123456789")
	used := false
	remember := func(id string) { asked.Remember(values, enquiry, id, func(string) bool { return used }) }
	remember("a")
	expect := func(what string, values guard.Fingerprint, of guard.Enquiry, want string) {
		t.Helper()
		if id, ok := asked.Again(values, of); id != want || ok != (want != "") {
			t.Errorf("%s: got %q, %v, want %q", what, id, ok, want)
		}
	}
	expect("at once", values, enquiry, "")
	c.at = c.at.Add(900 * time.Millisecond)
	remember("b") // a program that keeps sending neither gets in sooner, nor keeps a person out
	expect("too soon", values, enquiry, "")
	c.at = c.at.Add(100 * time.Millisecond)
	expect("a second later", values, enquiry, "a")
	expect("other values", guard.FingerprintOf("Meera", "918123456780"), enquiry, "")
	for name, change := range map[string]func(*guard.Enquiry){
		"another host":    func(e *guard.Enquiry) { e.Host = "www.example.org" },
		"another network": func(e *guard.Enquiry) { e.Network = guard.NetworkOf(netip.MustParseAddr("198.51.100.7")) },
		"another person":  func(e *guard.Enquiry) { e.Identifier = "918123456780" },
	} {
		of := enquiry
		change(&of)
		expect(name, values, of, "")
	}
	used = true
	remember("c")
	expect("asked anew after a confirmation", values, enquiry, "")
	c.at = c.at.Add(time.Hour - 1)
	expect("within the hour", values, enquiry, "c")
	c.at = c.at.Add(1)
	expect("an hour later", values, enquiry, "")
}
