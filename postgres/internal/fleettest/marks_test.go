//go:build linux

package fleettest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/challenge"
)

// newOpenFleet returns a fleet whose nodes use the database. Until then, each of them remembers alone.
func newOpenFleet(t *testing.T, nodes int) *fleet {
	t.Helper()
	f := newFleet(t, nodes, noStandby)
	for _, n := range f.nodes {
		n.awaitDatabase(t)
	}
	return f
}

// answer is the answer to a post that asked for JSON.
type answer struct {
	status int // 0: no answer
	id     string
}

// request sends a request for the fleet's site, which all nodes serve, to one of them.
func (n *node) request(t *testing.T, method, path string, values url.Values) (status int, body []byte) {
	t.Helper()
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+n.site+path, strings.NewReader(values.Encode()))
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	req.Host = "www.example.com"
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil // the node is down
	}
	defer resp.Body.Close()
	body, _ = io.ReadAll(resp.Body)
	return resp.StatusCode, body
}

// send posts a visitor's form to one of the nodes.
func (f *fleet) send(t *testing.T, n *node, path string, visitor url.Values) answer {
	t.Helper()
	status, body := n.request(t, http.MethodPost, path, visitor)
	var said struct {
		ID string `json:"id"`
	}
	if status == http.StatusOK {
		if err := json.Unmarshal(body, &said); err != nil || said.ID == "" {
			t.Errorf("the answer is %s, error %v", body, err)
		}
		f.mu.Lock()
		f.posts = append(f.posts, &post{name: visitor.Get("name"), status: http.StatusSeeOther})
		f.mu.Unlock()
	}
	return answer{status, said.ID}
}

// visitor returns what a person enters.
func visitor(n int) url.Values {
	return url.Values{"name": {fmt.Sprintf("visitor %d", n)}, "phone": {fmt.Sprintf("+9180%08d", n)}}
}

// prove solves a challenge of a node and returns what the visitor posts with it.
func (n *node) prove(t *testing.T, visitor url.Values) url.Values {
	t.Helper()
	status, body := n.request(t, http.MethodGet, "/proven?altcha", nil)
	var c challenge.AltchaChallenge
	if err := json.Unmarshal(body, &c); err != nil {
		t.Fatalf("status %d: %v: %s", status, err, body)
	}
	for number := range c.MaxNumber + 1 {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s%d", c.Salt, number))
		if hex.EncodeToString(sum[:]) != c.Challenge {
			continue
		}
		text := fmt.Sprintf(`{"algorithm":%q,"challenge":%q,"number":%d,"salt":%q,"signature":%q}`,
			c.Algorithm, c.Challenge, number, c.Salt, c.Signature)
		return with(visitor, challenge.AltchaInput, base64.StdEncoding.EncodeToString([]byte(text)))
	}
	t.Fatal("the challenge has no solution")
	return nil
}

func with(visitor url.Values, name, value string) url.Values {
	all := maps.Clone(visitor)
	all.Set(name, value)
	return all
}

// outcomes counts an outcome in the logs of all nodes.
func (f *fleet) outcomes(outcome string) (n int) {
	for _, node := range f.nodes {
		n += strings.Count(node.earlier+node.Log(), `"outcome":"`+outcome+`"`)
	}
	return n
}

// The same post to several nodes at once is one lead, and all of its visitors are thanked for it.
func TestRepeatsOnOtherNodes(t *testing.T) {
	f := newOpenFleet(t, 3)
	const people = 30
	for n := range people {
		path, values := "/enquire", visitor(n)
		if n%3 == 0 {
			path, values = "/proven", f.nodes[0].prove(t, values)
		}
		answers := make([]answer, len(f.nodes))
		var posts sync.WaitGroup
		for i, node := range f.nodes {
			posts.Go(func() { answers[i] = f.send(t, node, path, values) })
		}
		posts.Wait()
		for i, a := range answers {
			if a.status != http.StatusOK || a.id != answers[0].id {
				t.Errorf("%s: node %d answered %d with the id %q, the first node %q", path, i+1, a.status, a.id, answers[0].id)
			}
		}
	}
	if repeats := f.outcomes("repeat"); repeats != 2*people {
		t.Errorf("%d posts were repeats, want %d", repeats, 2*people)
	}
	f.verify(t, time.Minute)
}

// A challenge's answer counts once in the whole fleet, except that the same lead may come again.
func TestAnswersOnOtherNodes(t *testing.T) {
	f := newOpenFleet(t, 2)
	for n := range 10 {
		first := f.nodes[0].prove(t, visitor(n))
		other := visitor(1000 + n)
		other.Set(challenge.AltchaInput, first.Get(challenge.AltchaInput))
		accepted := f.send(t, f.nodes[0], "/proven", first)
		if accepted.status != http.StatusOK {
			t.Fatalf("the first post got %d", accepted.status)
		}
		for range n % 3 {
			if a := f.send(t, f.nodes[1], "/proven", first); a != accepted {
				t.Errorf("the same lead with its own answer got %+v, want %+v", a, accepted)
			}
		}
		for _, node := range f.nodes {
			if a := f.send(t, node, "/proven", other); a.status != http.StatusUnprocessableEntity {
				t.Errorf("another lead with a used answer got %d, want %d", a.status, http.StatusUnprocessableEntity)
			}
		}
	}
	f.verify(t, time.Minute)
}

// Visitors whose node dies send their form again, to another node. Each lead is there once.
func TestSentAgainAfterKill(t *testing.T) {
	f := newOpenFleet(t, 2)
	again := 0
	for round := range sized(4, 50) {
		var visits sync.WaitGroup
		for n := range 20 {
			values := f.nodes[1].prove(t, visitor(100*round+n))
			visits.Go(func() {
				time.Sleep(rand.N(100 * time.Millisecond))
				if f.send(t, f.nodes[0], "/proven", values).status == http.StatusOK {
					return
				}
				f.mu.Lock()
				again++
				f.mu.Unlock()
				if a := f.send(t, f.nodes[1], "/proven", values); a.status != http.StatusOK {
					t.Errorf("a form that was sent again got %d", a.status)
				}
			})
		}
		time.Sleep(20*time.Millisecond + rand.N(80*time.Millisecond))
		f.nodes[0].Kill()
		visits.Wait()
		f.nodes[0].start(t, f.dsn)
		f.nodes[0].awaitDatabase(t)
	}
	t.Logf("%d forms were sent again, %d of which were stored before", again, f.outcomes("repeat"))
	f.verify(t, 3*lease+time.Minute)
}

// While the database is away, each node remembers by itself, and visitors are thanked.
func TestRepeatsWithoutDatabase(t *testing.T) {
	f := newOpenFleet(t, 2)
	if err := f.server.Kill(); err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		values := f.nodes[0].prove(t, visitor(n))
		begun := time.Now()
		first := f.send(t, f.nodes[1], "/proven", values)
		if took := time.Since(begun); first.status != http.StatusOK || took > 5*time.Second {
			t.Errorf("a post got %d after %v", first.status, took)
		}
		if again := f.send(t, f.nodes[1], "/proven", values); again != first {
			t.Errorf("a repeat got %+v, want %+v", again, first)
		}
		other := visitor(1000 + n)
		other.Set(challenge.AltchaInput, values.Get(challenge.AltchaInput))
		if a := f.send(t, f.nodes[1], "/proven", other); a.status != http.StatusUnprocessableEntity {
			t.Errorf("another lead with a used answer got %d", a.status)
		}
	}
	if n := strings.Count(f.nodes[1].Log(), "this one decides alone"); n != 1 {
		t.Errorf("the log says %d times that other machines cannot be asked, want once", n)
	}
	if err := f.server.Start(); err != nil {
		t.Fatal(err)
	}
	f.verify(t, 3*lease+time.Minute)
}
