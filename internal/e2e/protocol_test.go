package e2e_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptrace"
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

// Over HTTP/2, an answer that leaves a body unread does not end the connection, on which the browser
// may be loading something else. Some clients lose the answer if it does.
func TestHTTP2AnswerKeepsTheConnection(t *testing.T) {
	s := startAttributedSite(t)
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	t.Cleanup(client.CloseIdleConnections)
	send := func(body io.Reader, length int64) (status int, isReused bool) {
		ctx := httptrace.WithClientTrace(context.WithoutCancel(t.Context()), &httptrace.ClientTrace{
			GotConn: func(info httptrace.GotConnInfo) { isReused = info.Reused },
		})
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.secure+"/enquire", body)
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = length
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		if _, err := io.ReadAll(answer.Body); err != nil || answer.ProtoMajor != 2 {
			t.Errorf("HTTP/%d, error %v", answer.ProtoMajor, err)
		}
		return answer.StatusCode, isReused
	}
	for name, length := range map[string]int64{"far too large": 100 << 20, "of unknown length": -1} {
		if status, _ := send(io.LimitReader(endless{}, 100<<20), length); status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: status %d", name, status)
		}
		if status, isReused := send(strings.NewReader("phone=1"), 7); status != http.StatusUnprocessableEntity || !isReused {
			t.Errorf("after a body %s: status %d, on the same connection: %v", name, status, isReused)
		}
	}
}
