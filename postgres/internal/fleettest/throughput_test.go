//go:build linux

package fleettest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/postgres/internal/pgtest"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// BenchmarkFleet measures how many leads a second one Caddy with SQLite and one to three Caddies
// with PostgreSQL deliver, until the CRM has the last one. The visitors, the CRM and the database are
// on this machine too. With PostgreSQL, it also counts what a lead costs there.
//
//	go test -run '^$' -bench Fleet -benchtime 20000x -timeout 1h ./postgres/internal/fleettest
func BenchmarkFleet(b *testing.B) {
	for _, setup := range []struct {
		name    string
		outbox  string
		caddies int
		with    standby
	}{
		{"outbox=sqlite/caddies=1", "sqlite", 1, noStandby},
		{"outbox=postgres/caddies=1", "postgres", 1, noStandby},
		{"outbox=postgres/caddies=2", "postgres", 2, noStandby},
		{"outbox=postgres/caddies=3", "postgres", 3, noStandby},
		{"outbox=synchronous/caddies=1", "postgres", 1, synchronousStandby},
		{"outbox=synchronous/caddies=3", "postgres", 3, synchronousStandby},
	} {
		b.Run(setup.name, func(b *testing.B) {
			crm, err := sandbox.New(sandbox.Config{Token: token, EnterpriseID: enterpriseID})
			if err != nil {
				b.Fatal(err)
			}
			api := httptest.NewServer(crm)
			b.Cleanup(func() {
				api.Close()
				crm.Close()
			})
			l := &load{crm: crm}
			dsn := ""
			if setup.outbox == "postgres" {
				l.server = pgtest.Start(b, "shared_preload_libraries=pg_stat_statements")
				execute(b, l.server, "CREATE EXTENSION pg_stat_statements")
				dsn = l.server.DSN()
				if setup.with == synchronousStandby {
					l.server.Standby(b, l.server.Address())
				}
			}
			for range setup.caddies {
				l.start(b, api.URL, setup.outbox, dsn)
			}
			l.awaitTables(b)
			for _, form := range []string{"now", "later"} {
				b.Run("deliver="+form, func(b *testing.B) { l.measure(b, form) })
			}
		})
	}
}

// awaitTables waits until a Caddy has made the tables.
func (l *load) awaitTables(b *testing.B) {
	b.Helper()
	if l.server == nil {
		return
	}
	deadline := time.Now().Add(time.Minute)
	for l.server.Exec(b.Context(), "SELECT 1 FROM telecrm.entries LIMIT 1") != nil {
		if time.Now().After(deadline) {
			b.Fatal("no Caddy has made the tables")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// start starts another Caddy.
func (l *load) start(b *testing.B, api, outbox, dsn string) {
	b.Helper()
	home := b.TempDir()
	site := "http://127.0.0.1:" + caddyproc.FreePort(b)
	use := "sqlite " + home + "/outbox.db"
	if outbox == "postgres" {
		use = "postgres {env.TELECRM_DSN}"
	}
	config := filepath.Join(home, "Caddyfile")
	caddyfile := fmt.Sprintf(`{
	admin 127.0.0.1:%s
	log {
		level ERROR
	}
	telecrm {
		account {
			token {env.TELECRM_TOKEN}
			enterprise_id %s
			base_url %s/autoupdate/v2
			country IN
			crm_rate 100000/s 100000
		}
		outbox %s
	}
}
(form) {
	field name
	field phone
	field email
	field company
	field city
	field product
	field budget budget money
	field message
	rate_limit off
	thank_you /thanks
}
%s {
	bind 127.0.0.1
	telecrm /now {
		import form
		deliver now
	}
	telecrm /later {
		import form
		deliver later
	}
}
`, caddyproc.FreePort(b), enterpriseID, api, use, site)
	if err := os.WriteFile(config, []byte(caddyfile), 0o600); err != nil {
		b.Fatal(err)
	}
	caddyproc.Start(b, binary, config, home, site+"/", "TELECRM_TOKEN="+token, "TELECRM_DSN="+dsn)
	l.sites = append(l.sites, site)
}

// load is what posts to the Caddies.
type load struct {
	sites  []string
	crm    *sandbox.Sandbox
	server *pgtest.Server // nil without PostgreSQL
	posted atomic.Int64
}

// visitors post at the same time.
const visitors = 64

// measure posts b.N forms, each from another person, and waits until the CRM has all leads.
func (l *load) measure(b *testing.B, form string) {
	before := len(l.crm.Leads())
	cost := l.startCosts(b)
	client := &http.Client{
		Timeout:       time.Minute,
		Transport:     &http.Transport{MaxIdleConnsPerHost: visitors},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var work sync.WaitGroup
	for i := range visitors {
		work.Go(func() {
			for left.Add(-1) >= 0 {
				if err := l.post(client, l.sites[i%len(l.sites)]+"/"+form); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
	for deadline := time.Now().Add(2 * time.Minute); l.crm.Creates() < int(l.posted.Load()) || len(l.crm.Leads()) < before+b.N; {
		if b.Failed() || time.Now().After(deadline) {
			b.Fatalf("%d of %d leads were delivered", len(l.crm.Leads())-before, b.N)
		}
		time.Sleep(time.Millisecond)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "leads/s")
	cost.report(b)
}

func (l *load) post(client *http.Client, url string) error {
	n := l.posted.Add(1)
	body := fmt.Sprintf("name=Load+Tester&phone=%%2B91+8%09d&email=load.tester.%d%%40example.com&company=Example+Traders"+
		"&city=Pune&product=Rooftop+solar&budget=2%%2C50%%2C000&message=%s", n, n, strings.Repeat("please+call+me+", 10))
	resp, err := client.Post(url, "application/x-www-form-urlencoded", bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusSeeOther {
		return fmt.Errorf("%s answered %s", url, resp.Status)
	}
	return nil
}

// costs are what the server has done for leads. Each statement is a round trip.
type costs struct {
	server                    *pgtest.Server
	leads, statements, writes int64 // writes are transactions that have changed something
	log, size                 int64 // in bytes
}

func (l *load) startCosts(b *testing.B) costs {
	c := costs{server: l.server}
	if c.server == nil {
		return c
	}
	execute(b, c.server, "CHECKPOINT")
	c.read(b)
	return c
}

func (c *costs) read(b *testing.B) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), c.server.DSN())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close(b.Context()) }()
	row := conn.QueryRow(b.Context(), `SELECT
		(SELECT count(*) FROM telecrm.entries WHERE state = 2),
		(SELECT sum(calls)::bigint FROM pg_stat_statements),
		pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
		(pg_current_wal_insert_lsn() - '0/0')::bigint,
		(SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class WHERE relnamespace = 'telecrm'::regnamespace AND relkind = 'r')`)
	if err := row.Scan(&c.leads, &c.statements, &c.writes, &c.log, &c.size); err != nil {
		b.Fatal(err)
	}
}

// report waits until all results are recorded, and reports the costs of a lead since then.
func (c *costs) report(b *testing.B) {
	if c.server == nil {
		return
	}
	now := costs{server: c.server}
	for deadline := time.Now().Add(time.Minute); now.leads-c.leads < int64(b.N); time.Sleep(100 * time.Millisecond) {
		if now.read(b); time.Now().After(deadline) {
			b.Fatalf("%d of %d results were recorded", now.leads-c.leads, b.N)
		}
	}
	report := func(from, to int64, unit string) { b.ReportMetric(float64(to-from)/float64(b.N), unit+"/lead") }
	report(c.statements, now.statements, "statements")
	report(c.writes, now.writes, "commits")
	report(c.log, now.log, "WAL-B")
	report(c.size, now.size, "B")
}

func execute(b *testing.B, server *pgtest.Server, statement string) {
	b.Helper()
	if err := server.Exec(b.Context(), statement); err != nil {
		b.Fatal(err)
	}
}
