package pgstore

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// Address is a parsed DSN.
type Address struct {
	config *pgx.ConnConfig
}

// errDSN does not contain anything of the DSN, which has a password.
var errDSN = errors.New("postgres DSN: cannot be parsed; write postgres://<user>:<password>@<host>:<port>/<database>")

// ParseDSN parses a DSN in one of PostgreSQL's formats. Unless the DSN says otherwise, the server's
// certificate is verified if the server is on another machine. Errors do not contain the DSN.
func ParseDSN(dsn string) (Address, error) {
	if dsn == "" {
		return Address{}, errDSN
	}
	config, err := parse(dsn)
	if err != nil {
		return Address{}, err
	}
	if config.Host == "" || config.Database == "" {
		return Address{}, errors.New("postgres DSN: lacks the host or the database; write postgres://<user>:<password>@<host>:<port>/<database>")
	}
	if !saysMode(dsn) && !isLocal(config) {
		if config, err = parse(withMode(dsn, "verify-full")); err != nil {
			return Address{}, err
		}
	}
	config.ValidateConnect = validate
	// A pooler may give each transaction another connection, so nothing is prepared.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.StatementCacheCapacity, config.DescriptionCacheCapacity = 0, 0
	config.OnNotice = noteDoubt
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "caddy-telecrm"
	}
	return Address{config}, nil
}

func parse(dsn string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(dsn)
	if err == nil {
		return config, nil
	}
	if _, isFile := errors.AsType[*os.PathError](err); isFile {
		return nil, errors.New("postgres DSN: a certificate or key that it names cannot be read; check its sslrootcert, sslcert and sslkey")
	}
	return nil, errDSN
}

// saysMode reports whether the DSN or the environment chooses a TLS mode.
func saysMode(dsn string) bool {
	return strings.Contains(dsn, "sslmode") || os.Getenv("PGSSLMODE") != ""
}

// withMode returns the DSN with a TLS mode.
func withMode(dsn, mode string) string {
	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		return dsn + " sslmode=" + mode
	}
	separator := "?"
	if strings.Contains(dsn, "?") {
		separator = "&"
	}
	return dsn + separator + url.Values{"sslmode": {mode}}.Encode()
}

// isLocal reports whether all servers of a config are on this machine.
func isLocal(config *pgx.ConnConfig) bool {
	local := isLocalHost(config.Host)
	for _, f := range config.Fallbacks {
		local = local && isLocalHost(f.Host)
	}
	return local
}

func isLocalHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasPrefix(host, "/") || ip != nil && ip.IsLoopback()
}

// IsVerified reports whether nobody on the network can read or change what is sent to the servers.
func (a Address) IsVerified() bool {
	safe := isVerified(a.config.Host, a.config.TLSConfig)
	for _, f := range a.config.Fallbacks {
		safe = safe && isVerified(f.Host, f.TLSConfig)
	}
	return safe
}

func isVerified(host string, config *tls.Config) bool {
	if isLocalHost(host) {
		return true
	}
	// With verify-ca, a function verifies the certificate.
	return config != nil && (!config.InsecureSkipVerify || config.VerifyPeerCertificate != nil)
}

// String returns the servers and the database, without the user and the password.
func (a Address) String() string {
	hosts := []string{hostPort(a.config.Host, a.config.Port)}
	for _, f := range a.config.Fallbacks {
		if host := hostPort(f.Host, f.Port); host != hosts[len(hosts)-1] {
			hosts = append(hosts, host)
		}
	}
	return strings.Join(hosts, ",") + "/" + a.config.Database
}

func hostPort(host string, port uint16) string { return net.JoinHostPort(host, fmt.Sprint(port)) }

// open returns a pool of at most size connections.
func (a Address) open(size int) *sql.DB {
	pool := stdlib.OpenDB(*a.config)
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	pool.SetConnMaxLifetime(maxConnectionAge)
	return pool
}

// Errors of servers that are not suitable.
var (
	errStandby = errors.New("the server is a standby or read-only; name the primary in the DSN, or all servers, separated by commas")
	errLosing  = errors.New("synchronous_commit is off or local, so the server may lose leads that visitors were thanked for; set it to on for the role or the database")
)

// validate accepts a connection only to a server that accepts writes and keeps what it confirms.
func validate(ctx context.Context, conn *pgconn.PgConn) error {
	results, err := conn.Exec(ctx, "SELECT current_setting('transaction_read_only'), current_setting('synchronous_commit')").ReadAll()
	if err != nil {
		return err
	}
	row := results[0].Rows[0]
	if string(row[0]) == "on" {
		return errStandby
	}
	if commit := string(row[1]); commit == "off" || commit == "local" {
		return fmt.Errorf("%w, got %q", errLosing, commit)
	}
	return nil
}
