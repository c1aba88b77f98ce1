package hostname_test

import (
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/internal/hostname"
)

func TestCanonical(t *testing.T) {
	for host, want := range map[string]string{
		"www.example.com":         "www.example.com",
		"WWW.Example.COM":         "www.example.com",
		"www.example.com.":        "www.example.com",
		"www.example.com:443":     "www.example.com",
		"www.example.com:80":      "www.example.com",
		"www.example.com.:443":    "www.example.com",
		"WWW.Example.com.:8443":   "www.example.com:8443",
		"www.example.com:":        "www.example.com",
		"MÜNCHEN.example":         "xn--mnchen-3ya.example",
		"münchen.example.":        "xn--mnchen-3ya.example",
		"XN--MNCHEN-3YA.example":  "xn--mnchen-3ya.example",
		"भारत.example:8080":       "xn--h2brj9c.example:8080",
		"www。example。com":         "www.example.com",
		"under_score.example":     "under_score.example",
		"UNDER_score.example":     "under_score.example",
		"192.0.2.7:8080":          "192.0.2.7:8080",
		"[2001:DB8::7]":           "[2001:db8::7]",
		"[2001:db8:0:0::7]:443":   "[2001:db8::7]",
		"[2001:DB8::7]:8080":      "[2001:db8::7]:8080",
		"2001:db8::7":             "[2001:db8::7]",
		"localhost:3000":          "localhost:3000",
		"":                        "",
		":8080":                   ":8080",
		strings.Repeat("Ü", 9999): strings.Repeat("ü", 9999),
	} {
		if got := hostname.Canonical(host); got != want {
			t.Errorf("%.80q: got %.80q, want %.80q", host, got, want)
		}
		if again := hostname.Canonical(want); again != want {
			t.Errorf("%.80q becomes %.80q", want, again)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{"www.example.com", "[::1]:80", "MÜNCHEN.example.:443", "a:b:c", "[", "]:", ".", "xn--", "..:80"} {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, host string) { hostname.Canonical(host) })
}
