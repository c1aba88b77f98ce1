package sqlstore

// migrations are the versions of the schema. Each contains the statements that upgrade a database
// from the version before. Do not change released versions, not even their white space.
var migrations = [][]string{
	{
		// The ledger has one row with the database's identity and history. Sequence numbers are
		// never reused. If the table does not contain appended - removed - missing entries, some
		// are lost.
		`CREATE TABLE ledger (
			one INTEGER PRIMARY KEY,
			version BIGINT NOT NULL,
			store BLOB NOT NULL,
			secret BLOB NOT NULL,
			commits BIGINT NOT NULL,
			appended BIGINT NOT NULL,
			removed BIGINT NOT NULL,
			missing BIGINT NOT NULL,
			clock_seen_at BIGINT NOT NULL,
			clock_steady_since BIGINT NOT NULL
		)`,
		`CREATE TABLE entries (
			seq INTEGER PRIMARY KEY,
			id BLOB NOT NULL,
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
			crc BIGINT NOT NULL,
			payload BLOB NOT NULL
		)`,
		`CREATE UNIQUE INDEX entries_id ON entries (id)`,
		`CREATE INDEX entries_list ON entries (account, state, id)`,
		`CREATE INDEX entries_due ON entries (account, due_at, id) WHERE state = 1`,
		`CREATE INDEX entries_settled ON entries (state, settled_at, id) WHERE settled_at <> 0`,
		// Ids of delivered leads, under a keyed hash of account and identifier.
		`CREATE TABLE known (
			hash BLOB PRIMARY KEY,
			at BIGINT NOT NULL,
			lead_id TEXT NOT NULL,
			crc BIGINT NOT NULL
		)`,
		`CREATE INDEX known_at ON known (at, hash)`,
		// For people: SELECT * FROM leads.
		`CREATE VIEW leads AS SELECT lower(hex(id)) AS id, account, form, identifier,
			CASE state WHEN 1 THEN 'waiting' WHEN 2 THEN 'delivered' WHEN 3 THEN 'parked' WHEN 4 THEN 'taken' ELSE 'damaged' END AS state,
			datetime(created_at / 1000, 'unixepoch') AS created_at,
			CASE due_at WHEN 0 THEN NULL ELSE datetime(due_at / 1000, 'unixepoch') END AS due_at,
			CASE settled_at WHEN 0 THEN NULL ELSE datetime(settled_at / 1000, 'unixepoch') END AS settled_at,
			attempts, reason, lead_id, CAST(payload AS TEXT) AS payload FROM entries`,
	},
}

// query is a statement with a question mark for each argument.
type query string

// The statements of the writer.
const (
	qBegin  query = `BEGIN IMMEDIATE`
	qCommit query = `COMMIT`
	qInsert query = `INSERT INTO entries (` + columns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`
	qUpdate query = `UPDATE entries SET state = ?, due_at = ?, attempts = ?, step = ?, begun_at = ?, ambiguous_since = ?,
		failing_since = ?, reason = ?, lead_id = ?, settled_at = ?, crc = ? WHERE seq = ?`
	qSetAside    query = `UPDATE entries SET state = 5, settled_at = ? WHERE seq = ?`
	qPostpone    query = `UPDATE entries SET due_at = ? WHERE seq = ?`
	qRetryFailed query = `UPDATE entries SET due_at = ? WHERE seq IN (SELECT seq FROM entries
		WHERE account = ? AND state = 1 AND due_at > ? AND failing_since <> 0 ORDER BY due_at, id LIMIT ?)`
	qBySeq    query = `SELECT ` + columns + ` FROM entries WHERE seq = ?`
	qDelete   query = `DELETE FROM entries WHERE seq = ?`
	qDue      query = `SELECT ` + columns + ` FROM entries WHERE account = ? AND state = 1 AND due_at <= ? AND (due_at, id) > (?, ?) ORDER BY due_at, id LIMIT ?`
	qSettled  query = `SELECT seq, account, length(payload) FROM entries WHERE state = ? AND settled_at <> 0 AND settled_at < ? ORDER BY settled_at, id LIMIT ?`
	qRemember query = `INSERT INTO known (hash, at, lead_id, crc) VALUES (?, ?, ?, ?) ON CONFLICT (hash) DO UPDATE SET at = excluded.at, lead_id = excluded.lead_id, crc = excluded.crc`
	// qRememberLater keeps an id that was remembered later.
	qRememberLater query = `INSERT INTO known (hash, at, lead_id, crc) VALUES (?, ?, ?, ?) ON CONFLICT (hash) DO UPDATE SET at = excluded.at, lead_id = excluded.lead_id, crc = excluded.crc WHERE known.at <= excluded.at`
	qForget        query = `DELETE FROM known WHERE hash = ?`
	qForgetOld     query = `DELETE FROM known WHERE hash IN (SELECT hash FROM known WHERE at < ? ORDER BY at, hash LIMIT ?)`
	qLedger        query = `UPDATE ledger SET commits = ?, appended = ?, removed = ?, missing = ? WHERE one = 1`
	qSetClock      query = `UPDATE ledger SET clock_seen_at = ?, clock_steady_since = ? WHERE one = 1`
	qInState       query = `SELECT ` + columns + ` FROM entries WHERE account = ? AND state = ? AND id > ? ORDER BY id LIMIT ?`
	qInsertKnown   query = `INSERT INTO known (hash, at, lead_id, crc) VALUES (?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING`
)

// The statements of the readers, which also use qInState. The writer uses qByID and qNextDue too.
const (
	qByID query = `SELECT ` + columns + ` FROM entries WHERE id = ?`
	// qNextDue selects the first time in the index of due entries, and the one in the row that it stands
	// for. If the index is damaged, they differ.
	qNextDue query = `SELECT due_at, (SELECT r.due_at FROM entries r WHERE r.seq = entries.seq)
		FROM entries WHERE account = ? AND state = 1 ORDER BY due_at, id LIMIT 1`
	// qHidden finds a waiting entry although the index of due entries is empty, which means that the
	// index is damaged. Both indices are read in one snapshot.
	qHidden query = `SELECT 1 FROM entries INDEXED BY entries_list WHERE account = ? AND state = 1
		AND NOT EXISTS (SELECT 1 FROM entries INDEXED BY entries_due WHERE account = ? AND state = 1) LIMIT 1`
	qAhead  query = `SELECT 1 FROM entries WHERE account = ? AND state = 1 AND (due_at, id) < (?, ?) ORDER BY due_at, id LIMIT 1 OFFSET ?`
	qRecall query = `SELECT at, lead_id, crc FROM known WHERE hash = ?`
	qSearch query = `SELECT ` + columns + ` FROM entries WHERE id > ? AND created_at >= ? AND created_at < ?
		AND (? = 0 OR state IN (?, ?)) AND ? IN ('', account) AND ? IN ('', form) AND ? IN ('', identifier) ORDER BY id LIMIT ?`
	qClock       query = `SELECT clock_seen_at, clock_steady_since FROM ledger WHERE one = 1`
	qDefinitions query = `SELECT count(*) FROM sqlite_schema WHERE sql = ?`
	qCounts      query = `SELECT account, state, count(*) FROM entries GROUP BY account, state`
	qGetLedger   query = `SELECT store, secret, commits, appended, removed, missing FROM ledger WHERE one = 1`
	qLastPlace   query = `SELECT coalesce(max(seq), 0) FROM entries`
	qMissing     query = `SELECT appended - removed - missing - (SELECT count(*) FROM entries) FROM ledger WHERE one = 1`
	qNewLedger   query = `INSERT INTO ledger (one, version, store, secret, commits, appended, removed, missing, clock_seen_at, clock_steady_since) VALUES (1, 1, ?, ?, 0, 0, 0, 0, 0, 0)`
	qCarryLedger query = `UPDATE ledger SET secret = ?, clock_seen_at = ?, clock_steady_since = ? WHERE one = 1`
)
