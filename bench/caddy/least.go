package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
	_ "modernc.org/sqlite" // the driver

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Least does the least for a lead that is kept: it stores the form in a table of an SQLite file,
// sends it once, and records that. It checks, guards and retries nothing.
type Least struct {
	File string `json:"file"`
	URL  string `json:"url,omitempty"` // without one, nothing is sent

	db           *sql.DB
	insert, mark *sql.Stmt
	changes      chan change
	done         chan struct{}
	client       *http.Client
	logger       *zap.Logger
}

// change inserts a lead, or without a payload records that it was sent.
type change struct {
	id, payload []byte
	stored      chan<- error
}

// CaddyModule returns the Caddy module information.
func (*Least) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.least", New: func() caddy.Module { return new(Least) }}
}

// UnmarshalCaddyfile reads the file and the URL.
func (l *Least) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.Args(&l.File) {
		return d.ArgErr()
	}
	d.Args(&l.URL)
	return nil
}

const (
	leastTable = `CREATE TABLE IF NOT EXISTS leads (seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, at INTEGER NOT NULL, sent INTEGER NOT NULL, payload BLOB NOT NULL)`
	insertLead = `INSERT INTO leads (id, at, sent, payload) VALUES (?, ?, 0, ?)`
	markLead   = `UPDATE leads SET sent = 1 WHERE id = ?`
)

// Provision opens the file.
func (l *Least) Provision(ctx caddy.Context) (err error) {
	l.logger = ctx.Logger()
	l.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}
	pragmas := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)"}}
	if l.db, err = sql.Open("sqlite", "file:"+filepath.ToSlash(l.File)+"?"+pragmas.Encode()); err != nil {
		return err
	}
	l.db.SetMaxOpenConns(1)
	if _, err := l.db.Exec(leastTable); err != nil {
		return err
	}
	if l.insert, err = l.db.Prepare(insertLead); err != nil {
		return err
	}
	if l.mark, err = l.db.Prepare(markLead); err != nil {
		return err
	}
	l.changes, l.done = make(chan change, 1024), make(chan struct{})
	go l.write()
	return nil
}

// Cleanup closes the file.
func (l *Least) Cleanup() error {
	close(l.changes)
	<-l.done
	return l.db.Close()
}

// write writes the changes that wait together in one transaction.
func (l *Least) write() {
	defer close(l.done)
	for first := range l.changes {
		batch := []change{first}
		for more := len(l.changes); more > 0; more-- {
			batch = append(batch, <-l.changes)
		}
		err := l.commit(batch)
		for _, c := range batch {
			c.stored <- err
		}
	}
}

func (l *Least) commit(batch []change) error {
	ctx := context.Background()
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, c := range batch {
		if c.payload != nil {
			_, err = tx.StmtContext(ctx, l.insert).ExecContext(ctx, c.id, time.Now().UnixMilli(), c.payload) //nolint:sqlclosecheck // with the transaction
		} else {
			_, err = tx.StmtContext(ctx, l.mark).ExecContext(ctx, c.id) //nolint:sqlclosecheck // with the transaction
		}
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

func (l *Least) store(c change) error {
	stored := make(chan error, 1)
	c.stored = stored
	l.changes <- c
	return <-stored
}

// ServeHTTP answers a form's POST.
func (l *Least) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	if err := r.ParseForm(); err != nil {
		return caddyhttp.Error(http.StatusBadRequest, fmt.Errorf("parsing form: %w", err))
	}
	fields := make(map[string]string, len(r.PostForm))
	for name := range r.PostForm {
		fields[name] = r.PostForm.Get(name)
	}
	payload, err := json.Marshal(map[string]any{"fields": fields})
	if err != nil {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	if err := l.store(change{id: id[:], payload: payload}); err != nil {
		return err
	}
	if l.URL != "" {
		go func() {
			if err := l.send(id[:], payload); err != nil {
				l.logger.Error("sending a lead", zap.Error(err))
			}
		}()
	}
	http.Redirect(w, r, "/thanks", http.StatusSeeOther)
	return nil
}

func (l *Least) send(id, payload []byte) error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, l.URL, bytes.NewReader(payload))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer bench-token")
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		LeadID string `json:"lead_id"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.LeadID == "" {
		return fmt.Errorf("status %d without a lead id: %w", resp.StatusCode, err)
	}
	return l.store(change{id: id})
}
