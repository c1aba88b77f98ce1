package delivery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// memory is an outbox in memory. The durable ones have a conformance test of their own.
type memory struct {
	mu        sync.Mutex
	entries   map[string]outbox.Entry
	taken     map[string]bool
	known     map[string]string // lead ids by account and identifier
	err       error             // of every write
	health    error
	jammed    bool // nothing is taken or settled while there are delivered entries
	clock     outbox.Clock
	slow      time.Duration // how long an append takes
	slowErr   error         // of a slow append
	appending []func()      // appends in flight, which a crash may leave on disk
	queries   int           // calls of Take and NextDue
}

func newMemory() *memory {
	return &memory{entries: make(map[string]outbox.Entry), taken: make(map[string]bool), known: make(map[string]string)}
}

// jam fills the outbox's disk. Nothing is taken or settled until all delivered entries are removed.
func (m *memory) jam() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.jammed, m.health = true, outbox.ErrFull
}

// setHealth sets the health of the outbox.
func (m *memory) setHealth(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.health = err
}

func (m *memory) Clock(context.Context) (outbox.Clock, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clock, nil
}

func (m *memory) SetClock(_ context.Context, c outbox.Clock) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	m.clock = c
	return nil
}

func (m *memory) Adopt(_ context.Context, entries []outbox.Adoption) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		m.entries[e.ID] = e.Entry
	}
	return m.err
}

func (m *memory) Health() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.health
}

func (m *memory) setError(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

// reopen simulates a restart: attempts without a settlement become ambiguous and due.
func (m *memory) reopen(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.taken {
		e := m.entries[id]
		e.DueAt = now
		if e.AmbiguousSince.IsZero() {
			e.AmbiguousSince = e.BegunAt
		}
		m.entries[id] = e
	}
	clear(m.taken)
}

func (m *memory) Append(_ context.Context, e outbox.Entry) error {
	m.mu.Lock()
	slow, late, landed := m.slow, m.slowErr, false
	m.appending = append(m.appending, func() { landed = true; _ = m.put(e) })
	m.mu.Unlock()
	time.Sleep(slow)
	m.mu.Lock()
	defer m.mu.Unlock()
	if landed || late != nil {
		return late
	}
	return m.put(e)
}

// setDelay sets the duration and the error of later appends.
func (m *memory) setDelay(takes time.Duration, end error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.slow, m.slowErr = takes, end
}

// put adds an entry.
func (m *memory) put(e outbox.Entry) error {
	if m.err != nil {
		return m.err
	}
	if _, exists := m.entries[e.ID]; exists {
		return outbox.ErrExists
	}
	if !e.BegunAt.IsZero() {
		e.Attempts = 1
		m.taken[e.ID] = true
	}
	m.entries[e.ID] = e
	return nil
}

// finishAppends stores the appends in flight, as if the process crashed after writing them.
func (m *memory) finishAppends() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, put := range m.appending {
		put()
	}
}

func (m *memory) waiting(account string) []outbox.Entry {
	var list []outbox.Entry
	for id, e := range m.entries {
		if e.Account == account && e.State == outbox.Waiting && !m.taken[id] {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b outbox.Entry) int {
		return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID))
	})
	return list
}

func (m *memory) Take(_ context.Context, account string, due, now time.Time, limit int, busy func(string) bool) ([]outbox.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queries++
	if err := m.refusal(); err != nil {
		return nil, err
	}
	var list []outbox.Entry
	for _, e := range m.waiting(account) {
		if e.DueAt.After(due) || len(list) == limit {
			break
		}
		if busy(e.Identifier) {
			e.DueAt = now.Add(time.Second)
			m.entries[e.ID] = e
			continue
		}
		e.Attempts++
		e.BegunAt = now
		m.entries[e.ID] = e
		m.taken[e.ID] = true
		list = append(list, e)
	}
	return list, nil
}

func (m *memory) NextDue(_ context.Context, account string) (time.Time, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queries++
	list := m.waiting(account)
	if len(list) == 0 {
		return time.Time{}, false, nil
	}
	return list[0].DueAt, true, nil
}

func (m *memory) Ahead(_ context.Context, entry outbox.Entry, n int) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return false, m.err
	}
	list := m.waiting(entry.Account)
	ahead := slices.IndexFunc(list, func(e outbox.Entry) bool {
		return cmp.Or(e.DueAt.Compare(entry.DueAt), cmp.Compare(e.ID, entry.ID)) >= 0
	})
	if ahead < 0 {
		ahead = len(list)
	}
	return ahead >= n, nil
}

// refusal returns the error of the next take or settlement.
func (m *memory) refusal() error {
	for _, e := range m.entries {
		if m.jammed && e.State == outbox.Delivered {
			return outbox.ErrFull
		}
	}
	return m.err
}

func (m *memory) Settle(_ context.Context, id string, s outbox.Settlement) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refusal(); err != nil {
		return err
	}
	if !m.taken[id] {
		return outbox.ErrState
	}
	delete(m.taken, id)
	e := m.entries[id]
	e.State, e.DueAt, e.Step, e.Reason, e.LeadID = s.State, s.DueAt, s.Step, s.Reason, s.LeadID
	if s.State == outbox.Delivered && s.LeadID != "" {
		m.known[e.Account+" "+e.Identifier] = s.LeadID
	}
	e.AmbiguousSince, e.FailingSince, e.SettledAt = s.AmbiguousSince, s.FailingSince, s.At
	if s.Uncounted {
		e.Attempts--
	}
	m.entries[id] = e
	return nil
}

func (m *memory) Advance(_ context.Context, id string, p outbox.Progress) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	if !m.taken[id] {
		return outbox.ErrState
	}
	e := m.entries[id]
	e.Step, e.LeadID, e.Reason, e.BegunAt, e.AmbiguousSince = p.Step, p.LeadID, p.Reason, p.At, time.Time{}
	m.entries[id] = e
	return nil
}

func (m *memory) Recall(_ context.Context, account, identifier string) (string, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id, known := m.known[account+" "+identifier]
	return id, known, nil
}

func (m *memory) Forget(_ context.Context, account, identifier string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, account+" "+identifier)
	return nil
}

func (m *memory) ForgetBefore(context.Context, time.Time, int) (int, error) { return 0, nil }

func (m *memory) Get(_ context.Context, id string) (outbox.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[id]
	if !ok {
		return e, outbox.ErrNotFound
	}
	return e, nil
}

func (m *memory) Counts(context.Context) ([]outbox.Count, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := make(map[outbox.Count]int)
	for _, e := range m.entries {
		counts[outbox.Count{Account: e.Account, State: e.State}]++
	}
	list := make([]outbox.Count, 0, len(counts))
	for count, n := range counts {
		count.Entries = n
		list = append(list, count)
	}
	return list, nil
}

func (m *memory) Expire(_ context.Context, state outbox.State, before time.Time, _ int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	removed := 0
	for id, e := range m.entries {
		if e.State == state && e.SettledAt.Before(before) {
			delete(m.entries, id)
			removed++
		}
	}
	return removed, nil
}

func (m *memory) Retry(_ context.Context, id string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, exists := m.entries[id]
	if !exists {
		return outbox.ErrNotFound
	}
	if m.taken[id] || e.State == outbox.Delivered {
		return outbox.ErrState
	}
	e.State, e.DueAt, e.Attempts, e.FailingSince = outbox.Waiting, at, 0, time.Time{}
	m.entries[id] = e
	return nil
}

func (m *memory) RetryFailed(_ context.Context, account string, at time.Time, _ int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return 0, m.err
	}
	changed := 0
	for id, e := range m.entries {
		if e.Account == account && e.State == outbox.Waiting && !m.taken[id] && !e.FailingSince.IsZero() && e.DueAt.After(at) {
			e.DueAt = at
			m.entries[id] = e
			changed++
		}
	}
	return changed, nil
}

func (m *memory) Erase(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, exists := m.entries[id]; !exists {
		return outbox.ErrNotFound
	}
	if m.taken[id] {
		return outbox.ErrState
	}
	delete(m.entries, id)
	return nil
}

func (m *memory) Compact(context.Context) error { return nil }
func (m *memory) Close() error                  { return nil }

func (m *memory) List(context.Context, outbox.Filter) ([]outbox.Entry, error) {
	return nil, errors.ErrUnsupported
}

func (m *memory) Activity(context.Context, time.Time, time.Time) (outbox.Activity, error) {
	return outbox.Activity{}, errors.ErrUnsupported
}

// fakeCRM gives scripted answers and records the requests.
type fakeCRM struct {
	create func(ctx context.Context, n int, lead telecrm.Lead) telecrm.Answer
	find   func(n int) telecrm.Found

	mu       sync.Mutex
	creates  []call
	sent     map[string]any // the fields of the last create
	show     *telecrm.Shown // the answer to GetLead; nil: the last create
	searches []time.Time

	definitions     telecrm.Definitions // the zero one: TeleCRM does not answer
	definitionsTake time.Duration       // how long the answer takes
	asked           int                 // requests for them
}

type call struct {
	at    time.Time
	phone string
}

func (f *fakeCRM) CreateLead(ctx context.Context, lead telecrm.Lead) telecrm.Answer {
	f.mu.Lock()
	phone, _ := lead.Fields["phone"].(string)
	f.creates = append(f.creates, call{time.Now(), phone})
	f.sent = lead.Fields
	n := len(f.creates)
	f.mu.Unlock()
	return f.create(ctx, n, lead)
}

func (f *fakeCRM) FindLeads(context.Context, string, []string) telecrm.Found {
	f.mu.Lock()
	f.searches = append(f.searches, time.Now())
	n := len(f.searches)
	f.mu.Unlock()
	return f.find(n)
}

// GetLead shows the fields of the last create, unless the test sets another lead.
func (f *fakeCRM) GetLead(context.Context, string) telecrm.Shown {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.show != nil {
		return *f.show
	}
	return telecrm.Shown{Fields: f.sent}
}

func (f *fakeCRM) UpdateLead(context.Context, string, map[string]any) telecrm.Answer {
	return down
}

func (f *fakeCRM) AppendActions(context.Context, string, []telecrm.Action) telecrm.Answer {
	return down
}

func (f *fakeCRM) FieldDefinitions(ctx context.Context) telecrm.Definitions {
	select {
	case <-time.After(f.definitionsTake):
	case <-ctx.Done():
		return telecrm.Definitions{Failure: &down}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.definitions.Fields == nil {
		return telecrm.Definitions{Failure: &down}
	}
	return f.definitions
}

// timesAsked returns how often the fields were asked for.
func (f *fakeCRM) timesAsked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

func (f *fakeCRM) calls() []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.creates)
}

func created(context.Context, int, telecrm.Lead) telecrm.Answer {
	return telecrm.Answer{Verdict: telecrm.Created, Status: 201, LeadID: "64c1f0aa12bb34cc56dd78ee"}
}

// answers returns the answers in order, and then repeats the last one.
func answers(list ...telecrm.Answer) func(context.Context, int, telecrm.Lead) telecrm.Answer {
	return func(_ context.Context, n int, _ telecrm.Lead) telecrm.Answer {
		return list[min(n, len(list))-1]
	}
}

// brokenUntil returns a TeleCRM that gives the answer until it is fixed.
func brokenUntil(fixed *atomic.Bool, answer telecrm.Answer) *fakeCRM {
	return &fakeCRM{create: func(ctx context.Context, n int, lead telecrm.Lead) telecrm.Answer {
		if fixed.Load() {
			return created(ctx, n, lead)
		}
		return answer
	}}
}

var (
	down      = telecrm.Answer{Verdict: telecrm.Retry, Err: errors.New("connection refused")}
	lost      = telecrm.Answer{Verdict: telecrm.Retry, Ambiguous: true, Err: errors.New("connection reset")}
	revoked   = telecrm.Answer{Verdict: telecrm.Hold, Status: 401, Code: telecrm.CodeNotAuthorized}
	rejected  = telecrm.Answer{Verdict: telecrm.Rejected, Status: 400, Code: telecrm.CodeInvalidLead}
	duplicate = telecrm.Answer{Verdict: telecrm.Duplicate, Status: 409, Code: telecrm.CodeLeadAlreadyExists}
	ok        = created(context.Background(), 0, telecrm.Lead{})
)

// rig is an engine with an outbox and a TeleCRM.
type rig struct {
	t      *testing.T
	store  *memory
	crm    *fakeCRM
	engine *Engine
	config Config

	mu        sync.Mutex
	submitted int
	settled   []outbox.Settlement
	events    []string
}

func newRig(t *testing.T, crm *fakeCRM) *rig {
	t.Helper()
	r := &rig{t: t, store: newMemory(), crm: crm}
	r.config = Config{
		Accounts:      []Account{r.account("default", crm)},
		RetryFor:      72 * time.Hour,
		KeepDelivered: 7 * 24 * time.Hour,
		KeepParked:    90 * 24 * time.Hour,
		Hooks: Hooks{
			Settled: func(report Report) {
				s := report.Settlement
				r.mu.Lock()
				defer r.mu.Unlock()
				r.settled = append(r.settled, s)
			},
			Held:     func(account, _ string) { r.event("held " + account) },
			Resumed:  func(e Recovery) { r.event("resumed " + e.Account) },
			Orphaned: func(account string, n int) { r.event(fmt.Sprintf("orphaned %s %d", account, n)) },
		},
	}
	r.start()
	return r
}

func (r *rig) account(name string, crm *fakeCRM) Account {
	return Account{Name: name, Client: crm, Key: "a", Identifier: "phone", IdentifierKind: telecrm.PhoneIdentifier, Rate: 1000, Burst: 1000}
}

func (r *rig) start() {
	r.engine = New(r.store)
	r.engine.Configure(r.config)
}

func (r *rig) event(e string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *rig) settledAs(state outbox.State) []outbox.Settlement {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.settled), func(s outbox.Settlement) bool { return s.State != state })
}

func (r *rig) eventLog() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

func (r *rig) stop() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if err := r.engine.Stop(ctx); err != nil {
		r.t.Error(err)
	}
}

// submit submits a lead and returns its id.
func (r *rig) submit(phone string, wait time.Duration) (string, Outcome) {
	r.t.Helper()
	return r.submitTo("default", phone, wait)
}

func (r *rig) submitTo(account, phone string, wait time.Duration) (string, Outcome) {
	r.t.Helper()
	r.mu.Lock()
	r.submitted++
	id := fmt.Sprintf("01900000-0000-7000-8000-%012d", r.submitted)
	r.mu.Unlock()
	outcome, err := r.engine.Submit(context.Background(), Submission{
		ID: id, Account: account, Form: "enquiry",
		Job: Job{Lead: telecrm.Lead{Fields: map[string]any{"phone": phone}}},
	}, wait)
	if err != nil {
		r.t.Fatal(err)
	}
	return id, outcome
}

func (r *rig) entry(id string) outbox.Entry {
	r.t.Helper()
	e, err := r.store.Get(context.Background(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return e
}
