// Package pgstore keeps an outbox in a PostgreSQL database, which several machines may share.
//
// # Nodes
//
// Each process that has the store open is a node. It leases the entries that it takes, by one lease
// for all of them, which it renews. When a node dies, its lease ends, and another node makes its
// entries due again and marks them as ambiguous. The lease is checked by the statement that records
// the start of an attempt or of one of its steps. So a node that was stopped for a while starts
// nothing that another node has started meanwhile. The database's clock decides when a lease ends.
//
// # Commits
//
// A statement that changes the database commits by itself, or is the last of a short transaction. A
// commit is never canceled. If its answer is lost, the store looks for the change by the entry's id,
// and does not repeat it. If the server stops waiting for its standby, the change counts as not
// durable, although it can be seen.
//
// Nothing depends on the session of a connection, so a pooler may assign connections to
// transactions.
package pgstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/record"
)

// Defaults of [Options].
const (
	DefaultSchema        = "telecrm"
	DefaultPoolSize      = 8
	DefaultReadTimeout   = 10 * time.Second
	DefaultCommitTimeout = 30 * time.Second
	DefaultLease         = time.Minute
)

const (
	connectTimeout   = 5 * time.Second
	maxConnectionAge = time.Hour
)

// Options are the settings of a store. The zero value is ready to use.
type Options struct {
	// Schema contains the tables. It is created if necessary.
	Schema string
	// PoolSize is the maximum number of connections.
	PoolSize int
	// ReadTimeout limits a statement that reads. CommitTimeout limits the wait for a commit, after
	// which it may still happen.
	ReadTimeout, CommitTimeout time.Duration
	// Node names this process for people. Default: the host's name
	Node string
	// Lease is how long entries stay with a node that does not renew its lease.
	Lease time.Duration
	// Logger logs events that operators must know about. Nil disables logging.
	Logger *zap.Logger
	// Now returns the current time. Nil means the time at the start and what has passed since, however
	// the machine's clock is set meanwhile. Leases use the database's time.
	Now func() time.Time

	clock func() time.Time // this machine's, which is compared with the database's
}

func (o *Options) setDefaults() {
	if o.Schema == "" {
		o.Schema = DefaultSchema
	}
	if o.PoolSize <= 0 {
		o.PoolSize = DefaultPoolSize
	}
	if o.Node == "" {
		o.Node, _ = os.Hostname()
	}
	for value, fallback := range map[*time.Duration]time.Duration{
		&o.ReadTimeout: DefaultReadTimeout, &o.CommitTimeout: DefaultCommitTimeout, &o.Lease: DefaultLease,
	} {
		if *value <= 0 {
			*value = fallback
		}
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.clock == nil {
		start := time.Now()
		o.clock = func() time.Time { return start.Add(time.Since(start)) }
	}
	if o.Now == nil {
		o.Now = o.clock
	}
}

// Store is an outbox in a PostgreSQL database.
type Store struct {
	opts   Options
	name   string // of the database, for people
	pool   *sql.DB
	words  *strings.Replacer
	secret []byte
	health health
	floors floors
	skew   atomic.Int64 // how far the database's clock is ahead, in nanoseconds

	stop    context.CancelFunc
	keeping sync.WaitGroup
	gate    sync.RWMutex // held by operations, and to close the store
	closed  bool

	mu   sync.Mutex
	node *node
	// taken has the entries that this process has taken, even under an earlier node.
	taken map[uuid.UUID]attempt
	// strays are entries that this process may have taken without having learned it.
	strays map[uuid.UUID]*node
	// orphans are entries that this node has taken in the database only, and since when.
	orphans map[uuid.UUID]time.Time
	// settings are what this process publishes, and empty if it has not said so yet.
	settings string
	// spooled is the number of entries in the spools of this process.
	spooled int

	soon        chan struct{} // holds one signal to renew the lease now
	renewing    sync.Mutex    // held while the lease is renewed
	differences differences
	// migrations are the versions of the schema that this program knows.
	migrations []migration
	// forgotErased is when this node last forgot what was erased long ago.
	forgotErased time.Time
}

// attempt is an entry that this process has taken.
type attempt struct {
	node                *node
	account, identifier string
}

var (
	_ outbox.Shared            = (*Store)(nil)
	_ outbox.SettingsPublisher = (*Store)(nil)
	_ outbox.Holding           = (*Store)(nil)
	_ outbox.Eraser            = (*Store)(nil)
	_ outbox.SpoolPublisher    = (*Store)(nil)
)

// Open opens the outbox and joins it as a node. It creates the schema and its tables, or brings them
// up to date. The error wraps [outbox.ErrNewer] if a later version has done that in a way that this
// one does not know.
func Open(ctx context.Context, address Address, opts Options) (*Store, error) {
	opts.setDefaults()
	s := &Store{
		opts:   opts,
		name:   address.String(),
		pool:   address.open(opts.PoolSize),
		words:  strings.NewReplacer("{schema}", pgx.Identifier{opts.Schema}.Sanitize()),
		taken:  make(map[uuid.UUID]attempt),
		strays: make(map[uuid.UUID]*node),
		soon:   make(chan struct{}, 1),

		migrations: migrations,
	}
	s.health = health{log: opts.Logger, name: s.name}
	s.differences = differences{log: opts.Logger, name: s.name}
	if err := s.open(ctx); err != nil {
		_ = s.pool.Close()
		return nil, fmt.Errorf("opening outbox %s: %w", s.name, explain(err))
	}
	var keeping context.Context
	keeping, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.keeping.Go(func() { s.keepLease(keeping) })
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if err := s.join(ctx); err != nil {
		return err
	}
	return s.releaseDead(ctx)
}

// Close implements [outbox.Store]. Entries that are still taken are due again.
func (s *Store) Close() error {
	s.gate.Lock()
	was := s.closed
	s.closed = true
	s.gate.Unlock()
	if was {
		return nil
	}
	s.stop()
	s.keeping.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), s.opts.CommitTimeout)
	defer cancel()
	if err := s.leave(ctx); err != nil {
		s.opts.Logger.Warn("leads in flight stay with this node until its lease ends", zap.String("outbox", s.name), zap.Error(explain(err)))
	}
	return s.pool.Close()
}

// Health implements [outbox.Store].
func (s *Store) Health() error { return s.health.get() }

// Compact implements [outbox.Store]. It does nothing, because PostgreSQL's autovacuum does it.
func (s *Store) Compact(ctx context.Context) error {
	leave, err := s.enter(ctx)
	if err == nil {
		leave()
	}
	return err
}

// enter begins an operation. The caller must call leave at its end.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.gate.RLock()
	if s.closed {
		s.gate.RUnlock()
		return nil, outbox.ErrClosed
	}
	return s.gate.RUnlock, nil
}

func (s *Store) text(q query) string { return s.words.Replace(string(q)) }

// health records why the store cannot be used. It logs each problem once.
type health struct {
	log  *zap.Logger
	name string

	mu      sync.Mutex
	trouble error // nil if the store is healthy
}

func (h *health) get() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.trouble
}

// note records the result of a statement, which nil says was carried out.
func (h *health) note(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	was := h.trouble
	h.trouble = err
	switch {
	case err != nil && was == nil:
		h.log.Error("outbox cannot be used at present", zap.String("outbox", h.name), zap.Error(err))
	case err == nil && was != nil:
		h.log.Info("outbox can be used again", zap.String("outbox", h.name))
	}
}

// isAnswer reports whether an error is about an entry and not about the database.
func isAnswer(err error) bool {
	return slices.ContainsFunc([]error{
		outbox.ErrNotFound, outbox.ErrExists, outbox.ErrState, outbox.ErrBusy, outbox.ErrRepeat, outbox.ErrClosed, context.Canceled, sql.ErrNoRows,
	}, func(answer error) bool { return errors.Is(err, answer) })
}

// parseID parses the id of an entry that should exist.
func parseID(doing, text string) (uuid.UUID, error) {
	id, err := record.ParseID(text)
	if err != nil {
		return id, fmt.Errorf("%s entry: %w: %w", doing, err, outbox.ErrNotFound)
	}
	return id, nil
}
