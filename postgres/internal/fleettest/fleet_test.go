//go:build linux

// Package fleettest tests several real Caddies with one outbox in a real PostgreSQL, against a
// stand-in for TeleCRM that outlives them. It compares the answers to visitors with the leads there.
//
//	go test ./postgres/internal/fleettest
//	FAULT_FULL=1 go test -v -timeout 2h ./postgres/internal/fleettest
package fleettest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/postgres/internal/pgtest"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

var binary string

func TestMain(m *testing.M) { os.Exit(caddyproc.BuildAndRun(m, &binary)) }

// sized returns the first value in CI and the second at full size.
func sized[T any](ci, full T) T {
	if os.Getenv("FAULT_FULL") != "" {
		return full
	}
	return ci
}

const (
	enterpriseID = "66aa00bb11cc22dd33ee44ff"
	token        = "11111111-8888-7777-1700000000000:66666666-5555-4444"
	lease        = 5 * time.Second
)

// fleet is several Caddies, their database and their CRM.
type fleet struct {
	server, standby *pgtest.Server
	network         *pgtest.Proxy // between the two
	dsn             string
	crm             *sandbox.Sandbox
	pace            string // crm_rate
	door            *door
	nodes           []*node

	mu    sync.Mutex
	posts []*post
}

// standby says whether the database has one.
type standby bool

const (
	noStandby          standby = false
	synchronousStandby standby = true
)

// node is one of the Caddies.
type node struct {
	*caddyproc.Process

	config, home, site string
	admin              string
	earlier            string // logs of its earlier processes
}

// post is one visitor's post and the answer.
type post struct {
	name   string
	person int
	status int // 0: no answer
}

// fast is a crm_rate that limits nothing.
const fast = "1000/s 1000"

func newFleet(t *testing.T, nodes int, with standby) *fleet {
	t.Helper()
	return newPacedFleet(t, nodes, with, fast)
}

func newPacedFleet(t *testing.T, nodes int, with standby, pace string) *fleet {
	t.Helper()
	crm, err := sandbox.New(sandbox.Config{Token: token, EnterpriseID: enterpriseID, Latency: 30 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	d := &door{crm: crm}
	api := httptest.NewServer(d)
	t.Cleanup(func() {
		api.Close()
		crm.Close()
	})
	f := &fleet{server: pgtest.Start(t), crm: crm, pace: pace, door: d}
	f.dsn = f.server.DSN()
	if with == synchronousStandby {
		f.network = pgtest.NewProxy(t, f.server.Address())
		f.standby = f.server.Standby(t, f.network.Address())
		f.dsn = strings.Replace(f.dsn, f.server.Address(), f.server.Address()+","+f.standby.Address(), 1)
	}
	for i := range nodes {
		f.add(t, fmt.Sprintf("web-%d", i+1), api.URL)
	}
	return f
}

// add starts another node.
func (f *fleet) add(t *testing.T, name, api string) {
	t.Helper()
	port := caddyproc.FreePort(t)
	n := &node{home: t.TempDir(), site: "127.0.0.1:" + port, admin: "127.0.0.1:" + caddyproc.FreePort(t)}
	n.config = filepath.Join(n.home, "Caddyfile")
	caddyfile := fmt.Sprintf(`{
	admin %s
	grace_period 5s
	telecrm {
		account {
			token {env.TELECRM_TOKEN}
			enterprise_id %s
			base_url %s/autoupdate/v2
			country IN
			crm_rate %s
		}
		outbox postgres {env.TELECRM_DSN} {
			node %s
			lease %v
			spool %s/spool
		}
	}
}
(form) {
	field name
	field phone
	action 1042 {
		field note name
	}
	deliver now 500ms
	rate_limit off
	thank_you /thanks
}
http://:%s {
	bind 127.0.0.1
	telecrm /enquire {
		import form
	}
	telecrm /proven {
		import form
		challenge altcha {
			complexity 1000
			fail closed
		}
	}
}
`, n.admin, enterpriseID, api, f.pace, name, lease, n.home, port)
	if err := os.WriteFile(n.config, []byte(caddyfile), 0o600); err != nil {
		t.Fatal(err)
	}
	f.nodes = append(f.nodes, n)
	n.start(t, f.dsn)
}

func (n *node) start(t *testing.T, dsn string) {
	t.Helper()
	if n.Process != nil {
		n.earlier += n.Log()
	}
	n.Process = caddyproc.Start(t, binary, n.config, n.home, "http://"+n.site+"/", "TELECRM_TOKEN="+token, "TELECRM_DSN="+dsn)
}

// awaitDatabase waits until a node that has started uses the database.
func (n *node) awaitDatabase(t *testing.T) {
	t.Helper()
	c := adminapi.Client{HTTP: http.DefaultClient, Origin: "http://" + n.admin}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		status, err := c.Status(t.Context())
		if err == nil && len(status.Outboxes) == 1 && status.Outboxes[0].Fleet != nil && status.Outboxes[0].Trouble == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the node does not use the database: %+v, error %v", status, err)
		}
	}
}

// during posts to the nodes in turn while do runs.
func (f *fleet) during(t *testing.T, rate int, do func()) {
	t.Helper()
	client := &http.Client{
		Timeout:       time.Minute,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	stop := make(chan struct{})
	var visits sync.WaitGroup
	visits.Go(func() {
		ticker := time.NewTicker(time.Second / time.Duration(rate))
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
			f.mu.Lock()
			n := len(f.posts)
			p := &post{name: fmt.Sprintf("visitor %d", n), person: n}
			f.posts = append(f.posts, p)
			f.mu.Unlock()
			site := f.nodes[n%len(f.nodes)].site
			visits.Go(func() {
				resp, err := client.PostForm("http://"+site+"/enquire", url.Values{"name": {p.name}, "phone": {fmt.Sprintf("+9180%08d", p.person)}})
				if err != nil {
					return // the node is down
				}
				defer resp.Body.Close()
				f.mu.Lock()
				defer f.mu.Unlock()
				p.status = resp.StatusCode
			})
		}
	})
	do()
	close(stop)
	visits.Wait()
}

// verify waits until the leads of all thanked visitors are in the CRM, and checks that none is there
// twice.
func (f *fleet) verify(t *testing.T, within time.Duration) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		leads := make(map[string]int)
		for _, l := range f.crm.Leads() {
			name, _ := l.Fields["name"].(string)
			leads[name]++
			if leads[name] > 1 || len(l.Actions) != 1 {
				t.Errorf("DOUBLED: %d leads of %s, %d actions", leads[name], name, len(l.Actions))
			}
		}
		thanked, missing, cut := 0, 0, 0
		f.mu.Lock()
		for _, p := range f.posts {
			switch {
			case p.status == 0:
				cut++
			case p.status != http.StatusSeeOther:
				t.Errorf("%s got the status %d", p.name, p.status)
			default:
				if thanked++; leads[p.name] == 0 {
					missing++
				}
			}
		}
		f.mu.Unlock()
		if missing == 0 {
			t.Logf("%d visitors thanked, %d cut off, %d leads in the CRM", thanked, cut, len(leads))
			break
		}
		if t.Failed() || time.Now().After(deadline) {
			t.Errorf("LOST: %d of %d thanked visitors are not in the CRM", missing, thanked)
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	for _, n := range f.nodes {
		if log := n.earlier + n.Log(); strings.Contains(log, "panic") || strings.Contains(log, "DATA RACE") || strings.Contains(log, "lead parked") {
			t.Errorf("a node panicked, raced or parked a lead:\n%s", log[max(0, len(log)-6000):])
		}
	}
}

// Nodes that are killed at any moment lose and double nothing.
func TestKilledNodes(t *testing.T) {
	f := newFleet(t, 3, noStandby)
	kills := sized(6, 100)
	f.during(t, sized(40, 100), func() {
		for range kills {
			time.Sleep(200*time.Millisecond + rand.N(500*time.Millisecond))
			n := f.nodes[rand.IntN(len(f.nodes))]
			n.Kill()
			n.start(t, f.dsn)
		}
		time.Sleep(500 * time.Millisecond)
	})
	f.verify(t, 3*lease+sized(60*time.Second, 2*time.Minute))
}

// A server that is killed under load, and then away for a while, loses and doubles nothing.
func TestKilledServer(t *testing.T) {
	f := newFleet(t, 3, noStandby)
	kills := sized(3, 20)
	f.during(t, sized(40, 100), func() {
		for range kills {
			time.Sleep(500*time.Millisecond + rand.N(time.Second))
			if err := f.server.Kill(); err != nil {
				t.Error(err)
			}
			time.Sleep(rand.N(3 * time.Second))
			if err := f.server.Start(); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(500 * time.Millisecond)
	})
	f.verify(t, 3*lease+sized(2*time.Minute, 5*time.Minute))
}

// When the primary is lost and the standby promoted, nothing is lost or doubled. The nodes find the
// new primary by themselves.
func TestPromotedStandby(t *testing.T) {
	f := newFleet(t, 3, synchronousStandby)
	f.during(t, sized(40, 100), func() {
		time.Sleep(2 * time.Second)
		if err := f.server.Kill(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if err := f.standby.Promote(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(sized(5*time.Second, 30*time.Second))
	})
	f.verify(t, 3*lease+sized(2*time.Minute, 5*time.Minute))
}

// While the standby receives nothing, no visitor is thanked for what only the primary has. So nothing
// is lost when the primary is then destroyed, with all that it has sent and the standby has not got.
func TestStalledStandby(t *testing.T) {
	f := newFleet(t, 3, synchronousStandby)
	f.during(t, sized(40, 100), func() {
		time.Sleep(2 * time.Second)
		f.network.Stall(true)
		time.Sleep(sized(4*time.Second, 30*time.Second))
		if err := f.server.Kill(); err != nil {
			t.Error(err)
		}
		f.network.Refuse(true)
		if err := f.standby.Promote(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(sized(5*time.Second, 30*time.Second))
	})
	f.verify(t, 3*lease+sized(2*time.Minute, 5*time.Minute))
}

// A node that is stopped for longer than its lease, and then goes on, does nothing twice.
func TestStoppedNode(t *testing.T) {
	f := newFleet(t, 3, noStandby)
	f.during(t, sized(40, 100), func() {
		for range sized(2, 5) {
			time.Sleep(time.Second + rand.N(500*time.Millisecond))
			n := f.nodes[rand.IntN(len(f.nodes))]
			if err := syscall.Kill(n.PID(), syscall.SIGSTOP); err != nil {
				t.Error(err)
			}
			time.Sleep(sized(3*lease, 2*time.Minute))
			if err := syscall.Kill(n.PID(), syscall.SIGCONT); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Second)
	})
	f.verify(t, 3*lease+sized(2*time.Minute, 5*time.Minute))
}
