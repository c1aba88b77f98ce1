//go:build linux

package faulttest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// mostPosts bounds the load of one test.
const mostPosts = 100_000

// crowd is the visitors of one test. Each posts the form once, with a unique name and message and,
// unless people is set, a unique phone number.
type crowd struct {
	client  *http.Client
	people  int // number of different phone numbers; 0: one for each post
	padding int // bytes of padding in each message

	mu    sync.Mutex
	form  string // URL
	posts []*post
}

// post is one visitor's post and its result.
type post struct {
	name    string
	person  int // owner of the phone number
	padding int
	begun   time.Time
	took    time.Duration // 0 while in flight
	status  int           // 0: no answer; see err
	err     error
}

// thanked reports whether the visitor saw the thank-you page.
func (p *post) thanked() bool { return p.status == http.StatusSeeOther }

func newCrowd(form string) *crowd {
	return &crowd{
		form: form,
		client: &http.Client{
			Timeout: time.Minute,
			// Each visitor has their own connection.
			Transport:     &http.Transport{DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// goTo sends the next visitors to another site.
func (c *crowd) goTo(site string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.form = formAt(site)
}

func formAt(site string) string { return "http://" + site + "/enquire" }

func (p *post) phone() string   { return fmt.Sprintf("+9180%08d", p.person) }
func (p *post) message() string { return "A question of " + p.name + strings.Repeat("?", p.padding) }

// during sends visitors at the given rate per second while f runs, and waits for the last of them.
func (c *crowd) during(t *testing.T, rate int, f func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.come(ctx, rate)
	}()
	defer func() {
		stop()
		<-done
	}()
	f()
}

// come sends visitors at the given rate per second until ctx ends.
func (c *crowd) come(ctx context.Context, rate int) {
	var visits sync.WaitGroup
	defer visits.Wait()
	ticker := time.NewTicker(max(time.Second/time.Duration(rate), time.Millisecond))
	defer ticker.Stop()
	start := time.Now()
	for came := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for ; came < int(time.Since(start).Seconds()*float64(rate)); came++ {
			if p := c.next(); p != nil {
				visits.Go(func() { c.visit(p) })
			}
		}
	}
}

// one sends one more visitor and returns their post.
func (c *crowd) one(t *testing.T) post {
	t.Helper()
	p := c.next()
	c.visit(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	return *p
}

func (c *crowd) next() *post {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.posts)
	if n == mostPosts {
		return nil
	}
	p := &post{name: fmt.Sprintf("Load %06d", n), person: n, padding: c.padding, begun: time.Now()}
	if c.people > 0 {
		p.person %= c.people
	}
	c.posts = append(c.posts, p)
	return p
}

func (c *crowd) visit(p *post) {
	status, err := c.send(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	p.status, p.err, p.took = status, err, time.Since(p.begun)
}

func (c *crowd) send(p *post) (status int, err error) {
	c.mu.Lock()
	form := c.form
	c.mu.Unlock()
	values := url.Values{"name": {p.name}, "phone": {p.phone()}, "message": {p.message()}}
	// The test's own context ends before the last visitors are served.
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, form, strings.NewReader(values.Encode()))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := c.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// all returns the posts that have ended so far.
func (c *crowd) all() []post {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]post, 0, len(c.posts))
	for _, p := range c.posts {
		if p.took > 0 {
			list = append(list, *p)
		}
	}
	return list
}

// since returns the ended posts that began after the given time.
func (c *crowd) since(begin time.Time) []post {
	return slices.DeleteFunc(c.all(), func(p post) bool { return p.begun.Before(begin) })
}

// count counts the posts with the given status.
func count(posts []post, status int) int {
	n := 0
	for i := range posts {
		if posts[i].status == status {
			n++
		}
	}
	return n
}

// waits describes the waiting times of thanked visitors.
func waits(posts []post) string {
	var list []time.Duration
	for i := range posts {
		if posts[i].thanked() {
			list = append(list, posts[i].took)
		}
	}
	if len(list) == 0 {
		return "nobody was thanked"
	}
	slices.Sort(list)
	at := func(share float64) time.Duration {
		return list[int(share*float64(len(list)-1))].Round(time.Millisecond)
	}
	return fmt.Sprintf("p50 %v, p99 %v, max %v", at(0.5), at(0.99), at(1))
}
