package e2e_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/quic-go/quic-go/http3"
)

// endless reads as the letter x forever.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// Over HTTP/3, answers that leave a body unread arrive, and a body that ends early is not taken for a
// whole one.
func TestHTTP3Bodies(t *testing.T) {
	s := startAttributedSite(t)
	quick := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(func() { _ = quick.Close() })
	const whole = "phone=081234+56789&message=hello"
	for name, test := range map[string]struct {
		body   io.Reader
		length int64
		status int
	}{
		"whole":                    {strings.NewReader(whole), int64(len(whole)), http.StatusSeeOther},
		"whole, of unknown length": {strings.NewReader(whole), -1, http.StatusSeeOther},
		"too large":                {io.LimitReader(endless{}, 1<<20), 1 << 20, http.StatusRequestEntityTooLarge},
		"endless":                  {endless{}, -1, http.StatusRequestEntityTooLarge},
		"far too large":            {io.LimitReader(endless{}, 100<<20), 100 << 20, http.StatusRequestEntityTooLarge},
		"ends before its length":   {strings.NewReader(whole), int64(len(whole)) + 100, http.StatusBadRequest},
		"nothing but a length":     {strings.NewReader(""), 10, http.StatusBadRequest},
		"of another site, endless": {endless{}, -1, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.secure+"/enquire", io.NopCloser(test.body))
			if err != nil {
				t.Fatal(err)
			}
			r.ContentLength = test.length
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if test.status == http.StatusForbidden {
				r.Header.Set("Origin", "https://evil.example")
			}
			answer, err := quick.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = answer.Body.Close() }()
			text, err := io.ReadAll(answer.Body)
			if answer.StatusCode != test.status || err != nil || len(text) == 0 && answer.StatusCode != http.StatusSeeOther {
				t.Errorf("status %d, want %d; %d bytes, error %v", answer.StatusCode, test.status, len(text), err)
			}
		})
	}
}
