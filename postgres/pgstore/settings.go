package pgstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// Each node publishes its settings in its row, as JSON, and compares them with those of the others
// whenever it renews its lease.

// inNodes adds what a node publishes about itself. Programs that do not know of it can use the
// schema.
var inNodes = migration{1, []query{
	`ALTER TABLE {schema}.nodes ADD COLUMN settings TEXT NOT NULL DEFAULT '', ADD COLUMN renewed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
		ADD COLUMN spooled BIGINT NOT NULL DEFAULT 0`,
	qCreateErased,
}}

// published is the settings of a node n. They are empty if its process has ended without leaving, and
// another one of the same name has taken its place.
const published = `CASE WHEN EXISTS (SELECT 1 FROM {schema}.nodes y WHERE y.name = n.name AND y.id <> n.id AND y.joined_at > n.renewed_at)
	THEN '' ELSE n.settings END`

const (
	qPublishNode query = `UPDATE {schema}.nodes SET settings = $2, spooled = $3 WHERE id = $1`
	// The settings are NULL if they are the same as $1, which saves sending them.
	qPublishedNodes query = `SELECT n.name, nullif(` + published + `, $1::text) FROM {schema}.nodes n
		WHERE n.leased_until > clock_timestamp() ORDER BY n.name, n.id`
)

// PublishSettings implements [outbox.SettingsPublisher].
func (s *Store) PublishSettings(settings outbox.Settings) {
	text, err := json.Marshal(settings)
	if err != nil { // it consists of texts
		return
	}
	s.mu.Lock()
	s.settings = clean(string(text))
	s.mu.Unlock()
	s.keepSoon()
}

// PublishSpooled implements [outbox.SpoolPublisher].
func (s *Store) PublishSpooled(entries int) {
	s.mu.Lock()
	isNews := s.spooled != entries
	s.spooled = entries
	s.mu.Unlock()
	if isNews {
		s.keepSoon()
	}
}

// keepSoon makes the background goroutine renew the lease now.
func (s *Store) keepSoon() {
	select {
	case s.soon <- struct{}{}:
	default:
	}
}

// agree publishes the settings, and compares them with those of the other nodes. It is called while
// the lease is renewed.
func (s *Store) agree(ctx context.Context) error {
	s.mu.Lock()
	n, own, spooled := s.node, s.settings, s.spooled
	s.mu.Unlock()
	if n.published != own || n.spooled != spooled {
		if _, err := s.pool.ExecContext(ctx, s.text(qPublishNode), n.id[:], own, spooled); err != nil {
			return err
		}
		n.published, n.spooled = own, spooled
	}
	if own == "" {
		return nil
	}
	var nodes []outbox.Node
	err := s.rows(ctx, qPublishedNodes, func(rows *sql.Rows) error {
		var name string
		var other sql.NullString
		err := rows.Scan(&name, &other)
		if !other.Valid {
			other.String = own
		}
		nodes = append(nodes, outbox.Node{Name: name, Settings: settingsIn(other.String)})
		return err
	}, own)
	if err == nil {
		s.differences.note(outbox.Disagreements(nodes))
	}
	return err
}

// settingsIn reads published settings. It returns nil if there are none.
func settingsIn(text string) (settings outbox.Settings) {
	if json.Unmarshal([]byte(text), &settings) != nil {
		return nil
	}
	return settings
}

// differences logs settings that differ between nodes: each once, and again when it has other values.
// It is used while the lease is renewed.
type differences struct {
	log  *zap.Logger
	name string

	known map[place]string // the values
}

// place is a setting of an account.
type place struct{ account, setting string }

func (d *differences) note(found []outbox.Disagreement) {
	before := d.known
	d.known = make(map[place]string, len(found))
	for _, f := range found {
		at := place{f.Account, f.Setting}
		values, on := make([]string, 0, len(f.Values)), make([]string, 0, len(f.Values))
		for _, v := range f.Values {
			values, on = append(values, v.Value), append(on, v.String())
		}
		slices.Sort(values)
		d.known[at] = strings.Join(values, "\n")
		if d.known[at] != before[at] {
			d.log.Warn("machines that share the outbox have different settings; give all of them the same config", d.fields(at, zap.Strings("values", on))...)
		}
		delete(before, at)
	}
	for at := range before {
		d.log.Info("the machines that share the outbox agree on a setting again", d.fields(at)...)
	}
}

func (d *differences) fields(at place, more ...zap.Field) []zap.Field {
	fields := []zap.Field{zap.String("outbox", d.name)}
	if at.account != "" {
		fields = append(fields, zap.String("account", at.account))
	}
	return append(append(fields, zap.String("setting", at.setting)), more...)
}
