// Package postgres registers the guest module `telecrm.outbox.postgres`. Build a Caddy with it:
//
//	xcaddy build --with github.com/leadwire/caddy-telecrm --with github.com/leadwire/caddy-telecrm/postgres
package postgres

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/internal/grammar"
	"github.com/leadwire/caddy-telecrm/internal/placeholder"
	"github.com/leadwire/caddy-telecrm/modules/outboxes"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/spool"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
	"github.com/leadwire/caddy-telecrm/postgres/pgstore"
)

func init() { caddy.RegisterModule(Outbox{}) }

// Outbox keeps leads in a PostgreSQL database, which several machines may share. Any of them takes
// posts and delivers leads.
//
// While the database is away or slow, leads are kept in a spool on this machine and delivered from
// there. They move to the database when it is back. The log says so as an error.
type Outbox struct {
	// How to reach the database, as `postgres://<user>:<password>@<host>:<port>/<database>` or in
	// PostgreSQL's other formats. Write `{env.NAME}` or `{file./path}`: the placeholder is resolved
	// when the config is loaded and the password stays out of the config. Several servers are
	// separated by commas; the one that accepts writes is used. Unless `sslmode` is set, the
	// certificate of a server on another machine is verified. Required.
	DSN string `json:"dsn,omitempty"`

	// The schema that contains the tables. It is created if necessary. Default: `telecrm`
	Schema string `json:"schema,omitempty"`

	// The maximum number of connections from this process. Default: 8
	PoolSize int `json:"pool_size,omitempty"`

	// How long a statement that reads may take. Default: 10s
	ReadTimeout caddy.Duration `json:"read_timeout,omitempty"`

	// How long to wait for the answer to a commit. It is not canceled after that. Default: 30s
	CommitTimeout caddy.Duration `json:"commit_timeout,omitempty"`

	// How long a post waits for the database. Then its lead goes to the spool. Default: 2s
	AppendTimeout caddy.Duration `json:"append_timeout,omitempty"`

	// How long the leads in flight stay with a machine that does not answer. At least 5s. Default: 1m
	Lease caddy.Duration `json:"lease,omitempty"`

	// The name of this machine in the list of nodes. Default: the host's name
	Node string `json:"node,omitempty"`

	// The beginning of the names of the spool's files, or `off`. Default:
	// `telecrm/spools/postgres-<id>` in Caddy's data directory
	Spool string `json:"spool,omitempty"`

	address pgstore.Address
}

// CaddyModule returns the Caddy module information.
func (Outbox) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "telecrm.outbox.postgres",
		New: func() caddy.Module { return new(Outbox) },
	}
}

const (
	defaultAppendTimeout = 2 * time.Second
	noSpool              = "off"
	minLease             = 5 * time.Second
)

// schemaName matches names that need no quotes in psql.
var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// Provision resolves placeholders and parses the DSN. It does not connect.
func (o *Outbox) Provision(caddy.Context) error {
	dsn := o.DSN // the config keeps the placeholder
	err := placeholder.Expand(caddy.NewReplacer(),
		placeholder.Setting{Name: "outbox dsn", Value: &dsn}, placeholder.Setting{Name: "outbox schema", Value: &o.Schema},
		placeholder.Setting{Name: "outbox node", Value: &o.Node}, placeholder.Setting{Name: "outbox spool", Value: &o.Spool})
	if err != nil {
		return err
	}
	if o.Schema == "" {
		o.Schema = pgstore.DefaultSchema
	}
	if !schemaName.MatchString(o.Schema) {
		return fmt.Errorf("outbox schema: must be lower-case letters, digits and underscores, got %q", o.Schema)
	}
	if o.Lease != 0 && time.Duration(o.Lease) < minLease {
		return fmt.Errorf("outbox lease: must be at least %v, got %v", minLease, time.Duration(o.Lease))
	}
	o.address, err = pgstore.ParseDSN(dsn)
	return err
}

// Resource returns the servers, the database and the schema.
func (o *Outbox) Resource() (string, error) {
	return "postgres " + o.address.String() + " " + o.Schema, nil
}

// Open opens the database, or a spool while it is away.
func (o *Outbox) Open(logger *zap.Logger) (outbox.Store, error) {
	resource, err := o.Resource()
	if err != nil {
		return nil, err
	}
	if !o.address.IsVerified() {
		logger.Warn("the certificate of the PostgreSQL server is not verified, so others on the network may read the leads; set sslmode=verify-full in the DSN",
			zap.String("outbox", resource))
	}
	patience := time.Duration(o.AppendTimeout)
	if patience <= 0 {
		patience = defaultAppendTimeout
	}
	prefixes := sync.OnceValue(func() []string { return o.prefixes(resource) })
	return spool.Open(context.Background(), spool.Options{
		Name: resource,
		Open: func(ctx context.Context) (outbox.Store, error) { return o.open(ctx, logger) },
		OpenSpool: func(ctx context.Context, file string) (spool.Spool, error) {
			outboxes.Note{Resource: resource, Prefixes: prefixes()}.Keep(logger)
			return openSpool(ctx, file, logger)
		},
		Prefixes:       prefixes,
		AppendPatience: patience,
		Logger:         logger,
	}), nil
}

func (o *Outbox) open(ctx context.Context, logger *zap.Logger) (outbox.Store, error) {
	store, err := pgstore.Open(ctx, o.address, pgstore.Options{
		Schema: o.Schema, PoolSize: o.PoolSize, ReadTimeout: time.Duration(o.ReadTimeout), CommitTimeout: time.Duration(o.CommitTimeout),
		Lease: time.Duration(o.Lease), Node: o.Node, Logger: logger,
	})
	if err != nil {
		return nil, err // a nil pointer must not become an interface
	}
	return store, nil
}

// OpenToMove implements [dispatch.Mover].
func (o *Outbox) OpenToMove(ctx context.Context, logger *zap.Logger, away bool) (outbox.Store, error) {
	resource, err := o.Resource()
	if err != nil {
		return nil, err
	}
	if !away {
		return o.open(ctx, logger)
	}
	if err := spool.Unused(o.prefixes(resource)); err != nil {
		return nil, err
	}
	store, err := o.open(ctx, logger)
	if err != nil {
		return nil, err
	}
	fleet, err := store.(outbox.Shared).Fleet(ctx)
	for _, n := range fleet.Nodes {
		if !n.Self && err == nil {
			err = fmt.Errorf("%s is in use by node %s; stop Caddy there, or wait until its lease ends: %w", resource, n.Name, outbox.ErrInUse)
		}
	}
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}

func openSpool(ctx context.Context, file string, logger *zap.Logger) (spool.Spool, error) {
	store, err := sqlstore.Open(ctx, file, sqlstore.Options{Logger: logger, LockTimeout: time.Millisecond})
	if err != nil {
		return nil, err
	}
	return store, nil
}

// prefixes returns the beginnings of the paths of spools, which are the same in all processes of
// this machine.
func (o *Outbox) prefixes(resource string) []string {
	switch o.Spool {
	case noSpool:
		return []string{}
	case "":
		sum := sha256.Sum256([]byte(resource))
		return []string{filepath.Join(caddy.AppDataDir(), "telecrm", "spools", fmt.Sprintf("postgres-%x.spool-", sum[:4]))}
	}
	path, err := filepath.Abs(o.Spool)
	if err != nil {
		path = o.Spool
	}
	return []string{path + ".spool-"}
}

// UnmarshalCaddyfile sets up the outbox from Caddyfile tokens. Syntax:
//
//	postgres <dsn> {
//	    schema         <name>
//	    pool_size      <n>
//	    read_timeout   <duration>
//	    commit_timeout <duration>
//	    append_timeout <duration>
//	    lease          <duration>
//	    node           <name>
//	    spool          <file>|off
//	}
func (o *Outbox) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	args := d.RemainingArgs()
	if len(args) != 1 {
		return d.Errf("outbox postgres takes one DSN, such as {env.TELECRM_DSN}")
	}
	o.DSN = args[0]
	checkSchema := func(name string) error {
		if !schemaName.MatchString(name) {
			return errors.New("must be lower-case letters, digits and underscores")
		}
		return nil
	}
	return grammar.Block(d, "outbox postgres", []grammar.Word{
		grammar.Text("schema", &o.Schema, checkSchema),
		grammar.Whole("pool_size", &o.PoolSize),
		grammar.Duration("read_timeout", &o.ReadTimeout),
		grammar.Duration("commit_timeout", &o.CommitTimeout),
		grammar.Duration("append_timeout", &o.AppendTimeout),
		grammar.Duration("lease", &o.Lease),
		grammar.Text("node", &o.Node),
		grammar.Text("spool", &o.Spool),
	})
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Outbox)(nil)
	_ caddyfile.Unmarshaler = (*Outbox)(nil)
	_ dispatch.Mover        = (*Outbox)(nil)
)
