package pgstore

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// The pace of an account is one bucket of tokens in the database, kept as the time at which all
// tokens that were lent are paid. Nodes borrow what they are about to use. A token that is not used
// soon is lost, so that a node cannot save tokens for a burst on top of the others'.

const (
	// maxUsable and minUsable limit how long lent tokens may be used. A node that dies wastes no more
	// than it borrowed for that time.
	maxUsable = time.Second
	minUsable = 50 * time.Millisecond
	// probeFor is how long after the loan for a probe the next probe is lent, and trialFor the same for
	// the requests to a CRM that did not answer. An answer ends both earlier.
	probeFor = 15 * time.Second
	trialFor = 5 * time.Second
)

// terms are the terms of loans at a pace.
type terms struct {
	interval time.Duration // between two tokens
	room     time.Duration // how far ahead tokens are lent
	usable   time.Duration
	most     int // tokens at once
}

// termsOf returns the terms of loans. Tokens are used up to usable later than they are lent, so the
// bucket is that much smaller than the burst. Then no time sees more requests than the pace allows.
func termsOf(r outbox.LoanRequest) terms {
	burst := float64(max(r.Burst, 1))
	t := terms{interval: max(time.Duration(float64(time.Second)/r.Rate), time.Microsecond)}
	if burst > 1 {
		t.usable = min(maxUsable, time.Duration(burst/2/r.Rate*float64(time.Second)))
	}
	saved := r.Rate * t.usable.Seconds()
	t.room = time.Duration(max(burst-saved, 1) * float64(t.interval))
	t.most = max(int(math.Ceil(saved)), 1)
	t.usable = max(t.usable, minUsable)
	return t
}

// qLend lends tokens. The commit does not wait for the disk: if the server dies, tokens of the last
// moment are lent again. Without tokens, nothing is changed.
const (
	qLend query = `WITH own AS (SELECT * FROM {schema}.accounts WHERE account = $1 FOR UPDATE),
		at AS MATERIALIZED (SELECT own.*, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now, key = $2 AS same FROM own),
		free AS MATERIALIZED (SELECT at.*, greatest(paid_at, now) + $4::bigint * $5::bigint AS paid, CASE
			WHEN $7::boolean OR NOT same THEN $3::bigint
			WHEN paused_until > now OR held_at <> 0 AND now < CASE WHEN $8::boolean THEN least(probe_at, fresh_at) ELSE probe_at END THEN 0
			WHEN held_at <> 0 OR trial THEN least($3::bigint, 1)
			ELSE $3::bigint END AS allowed FROM at),
		loan AS MATERIALIZED (SELECT free.*, greatest(least(allowed, (now + $6::bigint - paid) / $5::bigint), 0) AS tokens FROM free),
		lent AS (UPDATE {schema}.accounts a SET paid_at = paid + tokens * $5::bigint,
				probe_at = CASE WHEN same AND loan.held_at <> 0 AND tokens > 0 AND NOT $7 THEN now + $9::bigint ELSE loan.probe_at END,
				fresh_at = CASE WHEN same AND loan.held_at <> 0 AND tokens > 0 AND NOT $7 THEN now + $9::bigint ELSE loan.fresh_at END,
				paused_until = CASE WHEN same AND loan.held_at = 0 AND loan.trial AND tokens > 0 AND NOT $7 THEN now + $10::bigint ELSE loan.paused_until END
			FROM loan WHERE a.account = loan.account AND (tokens > 0 OR $4 > 0))
		SELECT tokens, greatest(paid + $5::bigint - now - $6::bigint, 0), version, key,
			greatest(paused_until - now, 0), CASE WHEN paused_until > now THEN now - paused_at ELSE 0 END, trial,
			held_at <> 0, CASE WHEN held_at <> 0 THEN now - held_at ELSE 0 END,
			greatest(probe_at - now, 0), greatest(fresh_at - now, 0), note,
			(SELECT count(*) FROM {schema}.nodes WHERE leased_until > clock_timestamp()),
			set_config('synchronous_commit', 'off', true)
		FROM loan`
	qNewAccount query = `INSERT INTO {schema}.accounts (account) VALUES ($1) ON CONFLICT (account) DO NOTHING`
	qPublish    query = `UPDATE {schema}.accounts SET version = version + 1, key = $3, trial = $4, note = $5,
			paused_until = CASE WHEN $6::bigint > 0 THEN now + $6::bigint ELSE 0 END, paused_at = now - $7::bigint,
			held_at = CASE WHEN $8::boolean THEN now - $9::bigint ELSE 0 END, probe_at = now + $10::bigint, fresh_at = now + $11::bigint
		FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now) at
		WHERE account = $1 AND version = $2`
)

// Lend implements [outbox.Shared].
func (s *Store) Lend(ctx context.Context, want outbox.LoanRequest) (loan outbox.Loan, err error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return loan, err
	}
	defer leave()
	loan, err = s.lend(ctx, want)
	if errors.Is(err, sql.ErrNoRows) {
		if _, err = s.pool.ExecContext(ctx, s.text(qNewAccount), want.Account); err == nil {
			loan, err = s.lend(ctx, want)
		}
	}
	return loan, wrap("borrowing requests", uuid.Nil, contextError(ctx, err))
}

func (s *Store) lend(ctx context.Context, want outbox.LoanRequest) (loan outbox.Loan, err error) {
	t, state := termsOf(want), &loan.State
	asks := max(min(want.Want, t.most), 0)
	var synchronous string
	err = s.pool.QueryRowContext(ctx, s.text(qLend), want.Account, want.Key, asks, max(want.Paid, 0),
		t.interval.Microseconds(), t.room.Microseconds(), want.Continues, want.Fresh, probeFor.Microseconds(), trialFor.Microseconds()).
		Scan(&loan.Tokens, micros{&loan.Wait}, &state.Version, &state.Key,
			micros{&state.PausedFor}, micros{&state.PausedAgo}, &state.Trial,
			&state.Held, micros{&state.HeldAgo}, micros{&state.ProbeIn}, micros{&state.FreshIn}, &state.Note,
			&loan.Nodes, &synchronous)
	loan.Usable = t.usable
	return loan, err
}

// Publish implements [outbox.Shared].
func (s *Store) Publish(ctx context.Context, account string, state outbox.AccountState) (published bool, err error) {
	err = s.change(ctx, func(t tx) error {
		rows, err := t.exec(qPublish, account, state.Version, state.Key, state.Trial, state.Note,
			state.PausedFor.Microseconds(), state.PausedAgo.Microseconds(),
			state.Held, state.HeldAgo.Microseconds(), state.ProbeIn.Microseconds(), state.FreshIn.Microseconds())
		published = rows > 0
		return err
	})
	return published, wrap("publishing the state of an account", uuid.Nil, err)
}

// micros scans microseconds.
type micros struct{ d *time.Duration }

// Scan implements [sql.Scanner].
func (m micros) Scan(value any) error {
	n, ok := value.(int64)
	if !ok {
		return errors.New("not a number of microseconds")
	}
	*m.d = time.Duration(n) * time.Microsecond
	return nil
}
