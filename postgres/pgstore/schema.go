package pgstore

// query is a statement in which {schema} stands for the quoted name of the schema.
type query string

// migration is a version of the schema.
type migration struct {
	// oldest is the oldest version that programs must know to use the schema from then on. While
	// machines are upgraded one after another, the old ones go on if they know it.
	oldest     int
	statements []query
}

// migrations are the versions of the schema. Do not change released versions.
//
// The rows of entries change several times, so they are narrow, and pages have room for new
// versions of rows. Payloads are written once. No row is changed by every commit, because that would
// let the fleet commit only one change at a time.
var migrations = []migration{{1, []query{
	`CREATE TABLE {schema}.ledger (
		one BIGINT PRIMARY KEY CHECK (one = 1),
		version BIGINT NOT NULL,
		oldest BIGINT NOT NULL,
		secret BYTEA NOT NULL,
		clock_seen_at BIGINT NOT NULL,
		clock_steady_since BIGINT NOT NULL
	)`,
	// A node is a process that has the store open. An id is never used again.
	`CREATE TABLE {schema}.nodes (
		id BYTEA PRIMARY KEY,
		name TEXT NOT NULL,
		joined_at TIMESTAMPTZ NOT NULL,
		leased_until TIMESTAMPTZ NOT NULL
	)`,
	`CREATE TABLE {schema}.entries (
		id BYTEA PRIMARY KEY,
		account TEXT NOT NULL,
		form TEXT NOT NULL,
		identifier TEXT NOT NULL,
		created_at BIGINT NOT NULL,
		state BIGINT NOT NULL,
		due_at BIGINT NOT NULL,
		attempts BIGINT NOT NULL,
		step TEXT NOT NULL,
		begun_at BIGINT NOT NULL,
		ambiguous_since BIGINT NOT NULL,
		failing_since BIGINT NOT NULL,
		reason TEXT NOT NULL,
		lead_id TEXT NOT NULL,
		settled_at BIGINT NOT NULL,
		-- The node that has taken the entry, or for which a new one is reserved.
		node BYTEA
	) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
		autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05)`,
	`CREATE TABLE {schema}.payloads (
		id BYTEA PRIMARY KEY,
		payload BYTEA NOT NULL
	) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000)`,
	`CREATE INDEX entries_list ON {schema}.entries (account, state, id)`,
	`CREATE INDEX entries_due ON {schema}.entries (account, due_at, id) WHERE state = 1`,
	`CREATE INDEX entries_settled ON {schema}.entries (state, settled_at, id) WHERE settled_at <> 0`,
	`CREATE INDEX entries_node ON {schema}.entries (node, id) WHERE node IS NOT NULL`,
	// At most one attempt at leads of an identifier is in flight, on all nodes together.
	`CREATE UNIQUE INDEX entries_busy ON {schema}.entries (account, identifier) WHERE state = 4 AND identifier <> ''`,
	`CREATE TABLE {schema}.known (
		hash BYTEA PRIMARY KEY,
		at BIGINT NOT NULL,
		lead_id TEXT NOT NULL
	)`,
	`CREATE INDEX known_at ON {schema}.known (at, hash)`,
	// For people: SELECT * FROM telecrm.leads.
	`CREATE VIEW {schema}.leads AS SELECT encode(entries.id, 'hex') AS id, account, form, identifier,
		CASE state WHEN 1 THEN 'waiting' WHEN 2 THEN 'delivered' WHEN 3 THEN 'parked' ELSE 'taken' END AS state,
		to_timestamp(created_at / 1000.0) AS created_at,
		CASE due_at WHEN 0 THEN NULL ELSE to_timestamp(due_at / 1000.0) END AS due_at,
		CASE settled_at WHEN 0 THEN NULL ELSE to_timestamp(settled_at / 1000.0) END AS settled_at,
		attempts, reason, lead_id, encode(payload, 'escape') AS payload, nodes.name AS node
		FROM {schema}.entries JOIN {schema}.payloads USING (id) LEFT JOIN {schema}.nodes ON nodes.id = entries.node`,
}}, {1, []query{
	// The pace and the state of an account. Times are in microseconds by the database's clock. A row is
	// changed by each loan, which does not wait for the disk, and by each change of the state.
	`CREATE TABLE {schema}.accounts (
		account TEXT PRIMARY KEY,
		-- The time at which all tokens that were lent are paid.
		paid_at BIGINT NOT NULL DEFAULT 0,
		version BIGINT NOT NULL DEFAULT 0,
		key TEXT NOT NULL DEFAULT '',
		paused_at BIGINT NOT NULL DEFAULT 0,
		paused_until BIGINT NOT NULL DEFAULT 0,
		trial BOOLEAN NOT NULL DEFAULT false,
		held_at BIGINT NOT NULL DEFAULT 0,
		probe_at BIGINT NOT NULL DEFAULT 0,
		fresh_at BIGINT NOT NULL DEFAULT 0,
		note TEXT NOT NULL DEFAULT ''
	) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500)`,
}}, {1, []query{
	// A mark reserves a key, which is stored as a keyed hash. The owner is an entry's id, or a keyed
	// hash too.
	`CREATE TABLE {schema}.marks (
		key BYTEA PRIMARY KEY,
		owner BYTEA NOT NULL,
		ends_at TIMESTAMPTZ NOT NULL
	) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000)`,
	`CREATE INDEX marks_end ON {schema}.marks (ends_at)`,
}}, inNodes}

const (
	qHasSchema    query = `SELECT count(*) FROM information_schema.schemata WHERE schema_name = $1`
	qCreateSchema query = `CREATE SCHEMA IF NOT EXISTS {schema}`
	qHasLedger    query = `SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'ledger'`
	// The lock ends with the transaction, so it also works through a pooler.
	qMigrationLock query = `SELECT pg_advisory_xact_lock(hashtext('caddy-telecrm outbox ' || $1))`
	qVersion       query = `SELECT version, oldest FROM {schema}.ledger WHERE one = 1`
	qFound         query = `INSERT INTO {schema}.ledger (one, version, oldest, secret, clock_seen_at, clock_steady_since) VALUES (1, 0, 0, $1, 0, 0)`
	qMigrated      query = `UPDATE {schema}.ledger SET version = $1, oldest = $2 WHERE one = 1`
	qSecret        query = `SELECT secret FROM {schema}.ledger WHERE one = 1`
)

// Entries are read in the order of these columns.
const columns = `e.id, e.account, e.form, e.identifier, e.created_at, e.state, e.due_at, e.attempts, e.step, e.begun_at,
	e.ambiguous_since, e.failing_since, e.reason, e.lead_id, e.settled_at, p.payload`

// own is the condition that the entry is taken and its lease belongs to the node $1, and leased that
// the node's lease has not ended.
const (
	own    = `state = 4 AND node = $1`
	leased = `EXISTS (SELECT 1 FROM {schema}.nodes n WHERE n.id = $1 AND n.leased_until > clock_timestamp())`
)

// The statements that change entries. Each of them commits alone, or is the last of a transaction.
const (
	// With a mark, the entry is inserted only if the mark is free, or belongs to the entry or to $20.
	// Two nodes that append entries with the same mark at once do so one after the other.
	// An entry that arrives late, at $21 or after, may have been sent from a spool meanwhile.
	qAppend query = `WITH m AS (INSERT INTO {schema}.marks AS own (key, owner, ends_at)
			SELECT $18::bytea, $2::bytea, clock_timestamp() + $19::bigint * interval '1 millisecond' WHERE $18::bytea IS NOT NULL
			ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, ends_at = excluded.ends_at
			WHERE own.ends_at <= clock_timestamp() OR own.owner = excluded.owner OR own.owner = $20::bytea RETURNING key),
		e AS (INSERT INTO {schema}.entries (node, id, account, form, identifier, created_at, state, due_at, attempts, step,
			begun_at, ambiguous_since, failing_since, reason, lead_id, settled_at)
		SELECT $1, $2, $3, $4, $5, $6::bigint, $7::bigint, $8, $9, $10, $11,
			CASE WHEN $12::bigint = 0 AND $7::bigint IN (1, 4) AND clock_timestamp() >= to_timestamp($21::bigint / 1000.0) THEN $6::bigint ELSE $12::bigint END,
			$13, $14, $15, $16
			WHERE $18::bytea IS NULL OR EXISTS (SELECT 1 FROM m) ON CONFLICT (id) DO NOTHING RETURNING id)
		INSERT INTO {schema}.payloads (id, payload) SELECT id, $17 FROM e`
	// A later version of an entry replaces the store's own, and of two equal ones that which is taken.
	qAdopt query = `WITH e AS (INSERT INTO {schema}.entries AS own (node, id, account, form, identifier, created_at, state, due_at, attempts, step,
			begun_at, ambiguous_since, failing_since, reason, lead_id, settled_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT (id) DO UPDATE
		SET node = excluded.node, account = excluded.account, form = excluded.form, identifier = excluded.identifier,
			created_at = excluded.created_at, state = excluded.state, due_at = excluded.due_at, attempts = excluded.attempts,
			step = excluded.step, begun_at = excluded.begun_at, ambiguous_since = excluded.ambiguous_since,
			failing_since = excluded.failing_since, reason = excluded.reason, lead_id = excluded.lead_id, settled_at = excluded.settled_at
		WHERE excluded.begun_at > own.begun_at OR excluded.begun_at = own.begun_at AND
			(own.state = 4 OR own.state = 1 AND excluded.state <> 1)
		RETURNING id)
		INSERT INTO {schema}.payloads (id, payload) SELECT id, $17 FROM e ON CONFLICT (id) DO UPDATE SET payload = excluded.payload`
	qDue query = `SELECT ` + columns + `, e.identifier <> '' AND EXISTS (SELECT 1 FROM {schema}.entries b
			WHERE b.account = e.account AND b.identifier = e.identifier AND b.identifier <> '' AND b.state = 4)
		FROM {schema}.entries e JOIN {schema}.payloads p USING (id)
		WHERE e.account = $1 AND e.state = 1 AND e.due_at <= $2 AND (e.due_at, e.id) > ($3, $4) AND
			(e.node IS NULL OR e.node = $6 OR e.due_at <= $2 - $7)
		ORDER BY e.due_at, e.id LIMIT $5 FOR UPDATE OF e SKIP LOCKED`
	qTake     query = `UPDATE {schema}.entries SET state = 4, node = $1, begun_at = $2, attempts = attempts + 1 WHERE id = ANY($3) AND ` + leased
	qPostpone query = `UPDATE {schema}.entries SET due_at = $1 WHERE id = ANY($2)`
	qAdvance  query = `UPDATE {schema}.entries SET step = $3, begun_at = $4, lead_id = $5, reason = $6, ambiguous_since = 0
		WHERE id = $2 AND ` + own + ` AND ` + leased
	// An attempt may be settled after its lease, as long as no other node has decided it.
	qSettle query = `WITH e AS (UPDATE {schema}.entries SET state = $3, node = NULL, due_at = $4, step = $5, reason = $6, lead_id = $7,
			ambiguous_since = $8, failing_since = $9, settled_at = $10, attempts = greatest(attempts - $11, 0)
		WHERE id = $2 AND ` + own + ` RETURNING settled_at, lead_id),
		k AS (INSERT INTO {schema}.known (hash, at, lead_id) SELECT $12, settled_at, lead_id FROM e WHERE $13
			ON CONFLICT (hash) DO UPDATE SET at = excluded.at, lead_id = excluded.lead_id)
		SELECT count(*) FROM e`
	qRetry query = `UPDATE {schema}.entries SET state = 1, node = NULL, due_at = $2, settled_at = 0, attempts = 0, failing_since = 0
		WHERE id = $1 AND state IN (1, 3)`
	qRetryFailed query = `UPDATE {schema}.entries SET due_at = $2 WHERE id IN (SELECT id FROM {schema}.entries
		WHERE account = $1 AND state = 1 AND due_at > $2 AND failing_since <> 0 ORDER BY due_at, id LIMIT $3 FOR UPDATE SKIP LOCKED)`
	qErase query = `WITH e AS (DELETE FROM {schema}.entries WHERE id = $1 AND state <> 4 RETURNING id)
		DELETE FROM {schema}.payloads USING e WHERE payloads.id = e.id`
	qExpire query = `WITH old AS (SELECT id FROM {schema}.entries WHERE state = $1 AND settled_at <> 0 AND settled_at < $2
			ORDER BY settled_at, id LIMIT $3 FOR UPDATE SKIP LOCKED),
		e AS (DELETE FROM {schema}.entries USING old WHERE entries.id = old.id RETURNING entries.id)
		DELETE FROM {schema}.payloads USING e WHERE payloads.id = e.id`
	qRememberLater query = `INSERT INTO {schema}.known (hash, at, lead_id) VALUES ($1, $2, $3)
		ON CONFLICT (hash) DO UPDATE SET at = excluded.at, lead_id = excluded.lead_id WHERE known.at <= excluded.at`
	qForget    query = `DELETE FROM {schema}.known WHERE hash = $1`
	qForgetOld query = `DELETE FROM {schema}.known WHERE hash IN (SELECT hash FROM {schema}.known WHERE at < $1
		ORDER BY at, hash LIMIT $2 FOR UPDATE SKIP LOCKED)`
	qSetClock query = `UPDATE {schema}.ledger SET clock_seen_at = $1, clock_steady_since = $2 WHERE one = 1`
)

// The statements of nodes and their leases. Lease lengths are in milliseconds.
const (
	qJoin query = `INSERT INTO {schema}.nodes (id, name, joined_at, leased_until)
		VALUES ($1, $2, clock_timestamp(), clock_timestamp() + $3 * interval '1 millisecond') RETURNING clock_timestamp()`
	qRenew query = `UPDATE {schema}.nodes SET leased_until = clock_timestamp() + $2 * interval '1 millisecond', renewed_at = clock_timestamp()
		WHERE id = $1 AND leased_until > clock_timestamp() RETURNING clock_timestamp()`
	qLeave query = `DELETE FROM {schema}.nodes WHERE id = $1`
	// Deleting a node waits for the renewal of its lease, if there is one in flight.
	qBury query = `DELETE FROM {schema}.nodes WHERE leased_until <= clock_timestamp()`
	// The outcome of attempts is unknown, so the entries that were taken are ambiguous.
	qRelease query = `UPDATE {schema}.entries SET state = 1, node = NULL, due_at = CASE state WHEN 4 THEN $1 ELSE due_at END, ambiguous_since =
			CASE WHEN state = 1 OR ambiguous_since <> 0 THEN ambiguous_since WHEN begun_at <> 0 THEN begun_at ELSE created_at END
		WHERE id IN (SELECT id FROM {schema}.entries e WHERE node IS NOT NULL AND (node = $2
			OR NOT EXISTS (SELECT 1 FROM {schema}.nodes n WHERE n.id = e.node)) ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED)
		RETURNING ambiguous_since <> 0`
	// Nothing was sent for these, because the process did not learn that it has them.
	qGiveBack query = `UPDATE {schema}.entries SET state = 1, node = NULL, attempts = greatest(attempts - 1, 0) WHERE id = ANY($2) AND ` + own
	qNodes    query = `SELECT n.name, n.id = $1, n.joined_at, ` + published + `, n.spooled,
		(SELECT count(*) FROM {schema}.entries e WHERE e.state = 4 AND e.node = n.id)
		FROM {schema}.nodes n WHERE n.leased_until > clock_timestamp() ORDER BY n.name, n.id`
	qHealth query = `SELECT (SELECT coalesce(sum(n_dead_tup), 0) FROM pg_stat_user_tables WHERE schemaname = $1)::bigint,
		(SELECT coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)), 0) FROM pg_stat_activity
			WHERE backend_xmin IS NOT NULL AND datname = current_database() AND pid <> pg_backend_pid())::double precision`
)

// The statements of marks. Lengths are in milliseconds.
const (
	// The commit does not wait for a standby: a mark without an entry is not worth that.
	qMark query = `WITH alone AS (SELECT set_config('synchronous_commit', 'local', true))
		INSERT INTO {schema}.marks AS own (key, owner, ends_at)
		SELECT $1::bytea, $2::bytea, clock_timestamp() + $3::bigint * interval '1 millisecond' FROM alone ON CONFLICT (key) DO UPDATE
		SET owner = excluded.owner, ends_at = greatest(excluded.ends_at, own.ends_at)
		WHERE own.ends_at <= clock_timestamp() OR own.owner = excluded.owner`
	qUnmark query = `DELETE FROM {schema}.marks WHERE key = $1 AND owner = $2`
	qMarked query = `SELECT owner, EXISTS (SELECT 1 FROM {schema}.entries e WHERE e.id = owner) FROM {schema}.marks
		WHERE key = $1 AND ends_at > clock_timestamp()`
	qEndMarks query = `DELETE FROM {schema}.marks WHERE key IN (SELECT key FROM {schema}.marks WHERE ends_at <= clock_timestamp()
		ORDER BY ends_at LIMIT $1 FOR UPDATE SKIP LOCKED)`
)

// The statements that read.
const (
	qByID    query = `SELECT ` + columns + ` FROM {schema}.entries e JOIN {schema}.payloads p USING (id) WHERE e.id = ANY($1)`
	qOwned   query = `SELECT count(*) FROM {schema}.entries WHERE id = ANY($2) AND ` + own
	qNextDue query = `SELECT least(
		(SELECT due_at FROM {schema}.entries WHERE account = $1 AND state = 1 AND due_at >= $4 AND (node IS NULL OR node = $2) ORDER BY due_at, id LIMIT 1),
		(SELECT due_at + $3 FROM {schema}.entries WHERE account = $1 AND state = 1 AND due_at >= $4 AND node <> $2 ORDER BY due_at, id LIMIT 1)),
		(SELECT due_at FROM {schema}.entries WHERE account = $1 AND state = 1 AND due_at >= $4 ORDER BY due_at, id LIMIT 1)`
	qAhead  query = `SELECT 1 FROM {schema}.entries WHERE account = $1 AND state = 1 AND due_at >= $5 AND (due_at, id) < ($2, $3) ORDER BY due_at, id LIMIT 1 OFFSET $4`
	qRecall query = `SELECT lead_id FROM {schema}.known WHERE hash = $1`
	qSearch query = `SELECT ` + columns + ` FROM {schema}.entries e JOIN {schema}.payloads p USING (id)
		WHERE e.id > $1 AND e.created_at >= $2 AND e.created_at < $3 AND e.state = ANY($4::bigint[])
		AND $5 IN ('', e.account) AND $6 IN ('', e.form) AND $7 IN ('', e.identifier) ORDER BY e.id LIMIT $8`
	// It reads a page of each account and state at most, and finds the accounts one after another in
	// the index.
	qList query = `WITH RECURSIVE a (account) AS (
			(SELECT account FROM {schema}.entries WHERE $1 = '' OR account = $1 ORDER BY account LIMIT 1)
			UNION ALL
			SELECT (SELECT e.account FROM {schema}.entries e WHERE $1 = '' AND e.account > a.account ORDER BY e.account LIMIT 1)
			FROM a WHERE a.account IS NOT NULL),
		e AS (SELECT l.* FROM a CROSS JOIN unnest($2::bigint[]) s (state) CROSS JOIN LATERAL (SELECT * FROM {schema}.entries x
			WHERE x.account = a.account AND x.state = s.state AND x.id > $3 ORDER BY x.id LIMIT $4) l ORDER BY l.id LIMIT $4)
		SELECT ` + columns + ` FROM e JOIN {schema}.payloads p USING (id) ORDER BY e.id`
	qCounts query = `SELECT account, CASE state WHEN 4 THEN 1 ELSE state END, count(*) FROM {schema}.entries GROUP BY 1, 2 ORDER BY 1, 2`
	// The activity of a time reads indices only.
	qActivity query = `SELECT (SELECT count(*) FROM {schema}.entries WHERE id >= $1 AND id < $2),
		(SELECT count(*) FROM {schema}.entries WHERE state = 2 AND settled_at <> 0 AND settled_at >= $3 AND settled_at < $4),
		(SELECT count(*) FROM {schema}.entries WHERE state = 3 AND settled_at <> 0 AND settled_at >= $3 AND settled_at < $4)`
	qClock query = `SELECT clock_seen_at, clock_steady_since FROM {schema}.ledger WHERE one = 1`
)
