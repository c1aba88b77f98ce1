package delivery

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/sandbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

const (
	knownPhone  = "918123456789"
	ourNote     = "Please call me back"
	oldNote     = "From last week"
	syncToken   = "sync-token"
	asyncToken  = "async-token"
	enterprise  = "66aa00bb11cc22dd33ee44ff"
	entryID     = "01900000-0000-7000-8000-000000000001"
	sandboxBase = "http://localhost/autoupdate/v2"
)

// scenario is the state of TeleCRM when the lead is submitted.
type scenario struct {
	exists     bool // a lead with the identifier exists
	remembered bool // the outbox remembers its id
	configure  func(*sandbox.Config)
	// meanwhile runs before each request for the existing lead.
	meanwhile func(sim *simulation)
	badField  bool // the update contains a value that TeleCRM refuses
}

func scenarios() map[string]scenario {
	return map[string]scenario{
		"new person":        {},
		"id remembered":     {exists: true, remembered: true},
		"id in search":      {exists: true},
		"live shapes":       {exists: true, configure: func(c *sandbox.Config) { c.LiveShapes = true }},
		"id in the 409":     {exists: true, configure: func(c *sandbox.Config) { c.ConflictID = true }},
		"no id":             {exists: true, configure: func(c *sandbox.Config) { c.Search.HideIDs = true }},
		"two rows":          {exists: true, configure: func(c *sandbox.Config) { c.Search.Twins = true }},
		"late index":        {exists: true, configure: func(c *sandbox.Config) { c.Search.IndexSearches = 2 }},
		"update refused":    {exists: true, remembered: true, badField: true},
		"update drops":      {exists: true, remembered: true, badField: true, configure: func(c *sandbox.Config) { c.DropInvalid = true }},
		"deleted meanwhile": {exists: true, remembered: true, meanwhile: (*simulation).deleteExisting},
	}
}

// policyCase is the configuration of a form for existing leads.
type policyCase struct {
	OnDuplicate
	asyncOnly bool
	noActions bool
}

func policyCases() map[string]policyCase {
	list := map[string]policyCase{
		"update":             {OnDuplicate: OnDuplicate{Policy: UpdateFields, Fields: []string{"city", "rating", "source"}}},
		"update, no actions": {OnDuplicate: OnDuplicate{Policy: UpdateFields, Fields: []string{"city", "rating"}}, noActions: true},
		"async only":         {OnDuplicate: OnDuplicate{Policy: Upsert}, asyncOnly: true},
		"actions, none":      {OnDuplicate: OnDuplicate{Policy: AppendActions}, noActions: true},
		"no policy":          {},
	}
	for _, policy := range []Policy{AppendActions, Upsert, IgnoreDuplicate, ParkDuplicate} {
		list[string(policy)] = policyCase{OnDuplicate: OnDuplicate{Policy: policy}}
	}
	return list
}

// simulation runs an engine that can crash at any point, with an outbox that survives the crash and
// a sandbox of TeleCRM.
type simulation struct {
	t          *testing.T
	policy     policyCase
	s          scenario
	crm        *sandbox.Sandbox
	store      *crashingStore
	existingID string
	engine     *Engine
	hooks      Hooks
	asked      func() // called for each request

	mu           sync.Mutex
	crashPoints  int // passed so far
	crashAt      []int
	dead         bool
	crashed      chan struct{} // closed by a crash
	acknowledged bool
	requests     []string
}

func newSimulation(t *testing.T, policy policyCase, s scenario, crashAt ...int) *simulation {
	t.Helper()
	sim := &simulation{t: t, policy: policy, s: s, crashAt: crashAt, crashed: make(chan struct{})}
	config := sandbox.Config{Token: syncToken, AsyncToken: asyncToken, EnterpriseID: enterprise}
	if s.configure != nil {
		s.configure(&config)
	}
	var err error
	if sim.crm, err = sandbox.New(config); err != nil {
		t.Fatal(err)
	}
	sim.store = &crashingStore{newMemory(), sim}
	// The clock of a synctest bubble starts in 2000, before TeleCRM existed.
	time.Sleep(time.Until(time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)))
	if s.exists {
		sim.createExisting()
		time.Sleep(7 * 24 * time.Hour)
	}
	return sim
}

// createExisting creates the existing lead, with an action that differs from that of the new lead
// only by its note.
func (sim *simulation) createExisting() {
	sim.create(telecrm.Lead{
		Fields: map[string]any{
			"phone": knownPhone, "name": "Ravi Menon", "status": "Won", "city": "Pune", "assignee": "agent7@example.org",
		},
		Actions: []telecrm.Action{{Type: "1042", Fields: map[string]any{"note": oldNote}}},
	})
}

// create creates a lead in TeleCRM without the engine.
func (sim *simulation) create(lead telecrm.Lead) {
	body, err := json.Marshal(lead)
	if err != nil {
		sim.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, sandboxBase+"/enterprise/"+enterprise+"/lead", bytes.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+syncToken)
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	sim.crm.ServeHTTP(rec, r)
	var created struct {
		LeadID string `json:"lead_id"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &created); err != nil || created.LeadID == "" {
		sim.t.Fatalf("creating lead: %v %s", err, rec.Body)
	}
	sim.existingID = created.LeadID
	if sim.s.remembered {
		sim.store.known["default "+knownPhone] = sim.existingID
	}
}

func (sim *simulation) deleteExisting() { sim.crm.Delete(sim.existingID) }

var errCrashed = errors.New("the process has crashed")

// crashPoint crashes the process if that is planned here. It returns false after a crash.
func (sim *simulation) crashPoint() bool {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	if sim.dead {
		return false
	}
	sim.crashPoints++
	if len(sim.crashAt) > 0 && sim.crashPoints == sim.crashAt[0] {
		sim.dead = true
		close(sim.crashed)
	}
	return !sim.dead
}

// await waits until everything has ended, or the process has crashed.
func (sim *simulation) await() {
	select {
	case <-sim.crashed:
	case <-time.After(time.Hour):
	}
	synctest.Wait()
}

// RoundTrip sends a request to the sandbox. The process can crash before the request and before the
// answer.
func (sim *simulation) RoundTrip(r *http.Request) (*http.Response, error) {
	if !sim.crashPoint() {
		return nil, errCrashed
	}
	sim.mu.Lock()
	path := r.URL.Path[strings.LastIndex(r.URL.Path, enterprise)+len(enterprise):]
	sim.requests = append(sim.requests, r.Method+" "+strings.Replace(path, cmp.Or(sim.existingID, "none"), "old", 1))
	meanwhile := sim.s.meanwhile
	if sim.asked != nil {
		sim.asked()
	}
	sim.mu.Unlock()
	if meanwhile != nil && sim.existingID != "" && strings.Contains(r.URL.Path, sim.existingID) {
		meanwhile(sim)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.RequestURI = r.URL.RequestURI()
	answer, err := sim.serve(r)
	if !sim.crashPoint() {
		return nil, errCrashed
	}
	return answer, err
}

// serve returns the sandbox's answer, or an error if it drops the connection.
func (sim *simulation) serve(r *http.Request) (answer *http.Response, err error) {
	defer func() {
		if cut := recover(); cut == http.ErrAbortHandler { //nolint:errorlint // handlers panic with this value
			err = io.ErrUnexpectedEOF
		} else if cut != nil {
			panic(cut)
		}
	}()
	rec := httptest.NewRecorder()
	sim.crm.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// crashingStore is an outbox whose process can crash before and after each write.
type crashingStore struct {
	*memory
	sim *simulation
}

func (m *crashingStore) write(f func() error) error {
	if !m.sim.crashPoint() {
		return errCrashed
	}
	err := f()
	if err == nil && !m.sim.crashPoint() {
		return errCrashed
	}
	return err
}

func (m *crashingStore) Append(ctx context.Context, e outbox.Entry) error {
	return m.write(func() error { return m.memory.Append(ctx, e) })
}

func (m *crashingStore) Take(ctx context.Context, account string, due, now time.Time, limit int, busy func(string) bool) (list []outbox.Entry, err error) {
	err = m.write(func() (err error) {
		list, err = m.memory.Take(ctx, account, due, now, limit, busy)
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (m *crashingStore) Advance(ctx context.Context, id string, p outbox.Progress) error {
	return m.write(func() error { return m.memory.Advance(ctx, id, p) })
}

func (m *crashingStore) Settle(ctx context.Context, id string, s outbox.Settlement) error {
	return m.write(func() error { return m.memory.Settle(ctx, id, s) })
}

func (m *crashingStore) Forget(ctx context.Context, account, identifier string) error {
	return m.write(func() error { return m.memory.Forget(ctx, account, identifier) })
}

// start starts the engine.
func (sim *simulation) start(t *testing.T) {
	t.Helper()
	sim.startWith(t, sim.account(t))
}

func (sim *simulation) startWith(t *testing.T, account Account) {
	t.Helper()
	sim.engine = New(sim.store)
	sim.engine.Configure(Config{
		Accounts:      []Account{account},
		RetryFor:      72 * time.Hour,
		KeepDelivered: 365 * 24 * time.Hour,
		KeepParked:    365 * 24 * time.Hour,
		Hooks:         sim.hooks,
	})
	synctest.Wait()
}

func (sim *simulation) account(t *testing.T) Account {
	t.Helper()
	account := Account{
		Name: "default", Key: "a", Identifier: "phone", IdentifierKind: telecrm.PhoneIdentifier,
		Rate: 1000, Burst: 1000, Updates: sim.policy.Policy == UpdateFields,
	}
	async, err := telecrm.NewAsync(telecrm.Config{Token: asyncToken, EnterpriseID: enterprise, BaseURL: "http://localhost", Transport: sim})
	if err != nil {
		t.Fatal(err)
	}
	account.Async = async
	if !sim.policy.asyncOnly {
		client, err := telecrm.New(telecrm.Config{Token: syncToken, EnterpriseID: enterprise, BaseURL: sandboxBase, Transport: sim})
		if err != nil {
			t.Fatal(err)
		}
		account.Client = client
	}
	return account
}

// submission returns the visitor's submission with the id.
func (sim *simulation) submission(id string) Submission {
	lead := telecrm.Lead{Fields: map[string]any{
		"phone": knownPhone, "name": "R Menon", "city": "Chennai", "rating": json.Number("4"), "source": "Website",
	}}
	if sim.s.badField {
		lead.Fields["rating"] = json.Number("9")
	}
	if !sim.policy.noActions {
		lead.Actions = []telecrm.Action{{Type: "1042", Fields: map[string]any{"note": ourNote}}}
	}
	return Submission{
		ID: id, Account: "default", Form: "enquiry",
		Job: Job{Lead: lead, OnDuplicate: sim.policy.OnDuplicate},
	}
}

// submit submits the visitor's lead.
func (sim *simulation) submit() Outcome { return sim.submitAs(entryID) }

// submitAs submits the visitor's lead with the id.
func (sim *simulation) submitAs(id string) Outcome {
	outcome, err := sim.engine.Submit(context.Background(), sim.submission(id), 3*time.Second)
	sim.mu.Lock()
	defer sim.mu.Unlock()
	sim.acknowledged = err == nil
	return outcome
}

// crash ends the process without a clean stop and reopens the outbox.
func (sim *simulation) crash() {
	sim.mu.Lock()
	sim.dead = true
	sim.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = sim.engine.Stop(ctx)
	sim.mu.Lock()
	sim.dead = false
	if len(sim.crashAt) > 0 {
		sim.crashAt = sim.crashAt[1:]
	}
	sim.crashPoints = 0
	sim.crashed = make(chan struct{})
	sim.mu.Unlock()
	sim.store.reopen(time.Now())
}

// run submits the lead, crashes as planned, and waits until everything has ended. It returns the
// number of crash points before the first crash.
func (sim *simulation) run(t *testing.T) (crashPoints int) {
	t.Helper()
	defer sim.crm.Close()
	sim.start(t)
	sim.mu.Lock()
	sim.crashPoints = 0 // the locked fields have been fetched
	sim.mu.Unlock()
	sim.submit()
	sim.await()
	sim.mu.Lock()
	crashPoints = sim.crashPoints
	sim.mu.Unlock()
	for crashes := len(sim.crashAt); crashes > 0; crashes-- {
		sim.crash()
		time.Sleep(time.Second)
		sim.start(t)
		sim.await()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if err := sim.engine.Stop(ctx); err != nil {
		t.Error(err)
	}
	return crashPoints
}

// countNotes counts the actions with our note in all leads.
func (sim *simulation) countNotes() int {
	n := 0
	for _, lead := range sim.crm.Leads() {
		for _, action := range lead.Actions {
			if action.Fields["note"] == ourNote {
				n++
			}
		}
	}
	return n
}

// changedFields lists the fields of the existing lead that were changed.
func (sim *simulation) changedFields() []string {
	names := make(map[string]bool)
	for _, lead := range sim.crm.Leads() {
		if lead.ID != sim.existingID {
			continue
		}
		for _, change := range lead.Changes {
			for name := range change.Fields {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// countUpdates counts the updates of the existing lead.
func (sim *simulation) countUpdates() int {
	for _, lead := range sim.crm.Leads() {
		if lead.ID == sim.existingID {
			return len(lead.Changes)
		}
	}
	return 0
}

// check checks the invariants of every run.
func (sim *simulation) check(t *testing.T) {
	t.Helper()
	entry, err := sim.store.Get(t.Context(), entryID)
	if err != nil {
		if sim.acknowledged {
			t.Error("the visitor was thanked but the entry is gone")
		}
		return
	}
	if entry.State == outbox.Waiting {
		t.Errorf("still waiting: step %q, %s", entry.Step, entry.Reason)
	}
	if n := sim.countNotes(); n > 1 {
		t.Errorf("the action was stored %d times", n)
	}
	if n := len(sim.crm.Leads()); n != 1 {
		t.Errorf("%d leads, want 1", n)
	}
	if entry.State == outbox.Delivered {
		sim.checkDelivered(t, entry)
	}
	if n := sim.countUpdates(); sim.policy.Policy == UpdateFields && n > 1 && !sim.s.badField {
		t.Errorf("the existing lead was updated %d times", n)
	}
	for _, name := range sim.changedFields() {
		if !sim.mayChange(name) {
			t.Errorf("field %s of the existing lead was changed", name)
		}
	}
}

// checkDelivered checks that TeleCRM has stored a delivered lead.
func (sim *simulation) checkDelivered(t *testing.T, entry outbox.Entry) {
	t.Helper()
	if sim.policy.Policy == IgnoreDuplicate {
		return
	}
	if !sim.policy.noActions && sim.countNotes() != 1 {
		t.Errorf("delivered (%s), but the action is missing", entry.Reason)
	}
	lead := sim.crm.Leads()[0]
	if sim.policy.noActions && sim.policy.Policy == UpdateFields && !sim.s.badField && lead.Fields["city"] != "Chennai" {
		t.Errorf("delivered (%s), but the city is %v", entry.Reason, lead.Fields["city"])
	}
}

func (sim *simulation) mayChange(name string) bool {
	if sim.policy.Policy == Upsert {
		return name != "phone"
	}
	return sim.policy.Policy == UpdateFields && slices.Contains(sim.policy.Fields, name) && name != "source" // it is locked
}

// Under every policy, in every scenario, and with up to two crashes at any point, no action is
// stored twice, no lead is lost, and only the listed fields change.
func TestPoliciesWithCrashes(t *testing.T) {
	t.Parallel()
	for policyName, policy := range policyCases() {
		for name, s := range scenarios() {
			t.Run(policyName+"/"+name, func(t *testing.T) {
				t.Parallel()
				crashPoints := runWithCrashes(t, policy, s)
				for first := 1; first <= crashPoints; first++ {
					runWithCrashes(t, policy, s, first)
					for _, second := range secondCrashes(first) {
						runWithCrashes(t, policy, s, first, second)
					}
				}
			})
		}
	}
}

// secondCrashes returns the points of the second crash to try after a first one. With -short it
// returns one point after every third first crash.
func secondCrashes(first int) []int {
	all := []int{1, 2, 3, 4, 5, 6}
	if !testing.Short() {
		return all
	}
	if first%3 != 0 {
		return nil
	}
	next := first / 3 % len(all)
	return all[next : next+1]
}

func runWithCrashes(t *testing.T, policy policyCase, s scenario, crashAt ...int) (crashPoints int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulation(t, policy, s, crashAt...)
		crashPoints = sim.run(t)
		sim.check(t)
		if t.Failed() {
			t.Fatalf("crashes at %v: %v", crashAt, sim.requests)
		}
	})
	return crashPoints
}

// Without a crash, each policy sends these requests and settles the entry like this.
func TestPolicies(t *testing.T) {
	t.Parallel()
	const (
		create = "POST /lead"
		search = "POST /lead/search"
		update = "POST /lead/old"
		add    = "POST /lead/old/action"
		upsert = "POST /autoupdatelead"
	)
	type want struct {
		state    outbox.State
		reason   string // a part of it
		requests []string
	}
	delivered := func(reason string, requests ...string) want { return want{outbox.Delivered, reason, requests} }
	parked := func(reason string, requests ...string) want { return want{outbox.Parked, reason, requests} }
	for policyName, byName := range map[string]map[string]want{
		"actions": {
			"new person":        delivered("", create),
			"id remembered":     delivered("added to the existing lead", create, add),
			"id in search":      delivered("added to the existing lead", create, search, add),
			"id in the 409":     delivered("added to the existing lead", create, add),
			"no id":             parked("does not return the id", create, search),
			"two rows":          parked("several leads", create, search),
			"late index":        delivered("added to the existing lead", create, search, create, search, create, search, add),
			"deleted meanwhile": delivered("", create, add, create),
		},
		"update": {
			"new person":        delivered("", create),
			"id remembered":     delivered("added to the existing lead", create, update, add),
			"id in search":      delivered("added to the existing lead", create, search, update, add),
			"no id":             parked("does not return the id", create, search),
			"two rows":          parked("several leads", create, search),
			"update refused":    delivered("refused to change", create, update, add),
			"update drops":      delivered("added to the existing lead", create, update, add),
			"deleted meanwhile": delivered("", create, update, create),
		},
		"update, no actions": {
			"id remembered":  delivered("added to the existing lead", create, update),
			"update refused": parked("refused to change", create, update),
		},
		"actions, none": {
			"id remembered": parked("nothing to add", create),
		},
		"upsert": {
			"new person":   delivered("", create),
			"id in search": delivered("accepted, unconfirmed", create, upsert),
			"two rows":     delivered("accepted, unconfirmed", create, upsert),
		},
		"ignore": {
			"new person":   delivered("", create),
			"id in search": delivered("ignored", create),
		},
		"park": {
			"new person":   delivered("", create),
			"id in search": parked("another lead", create),
		},
		"async only": {
			"new person":   delivered("accepted, unconfirmed", upsert),
			"id in search": delivered("accepted, unconfirmed", upsert),
		},
	} {
		for name, want := range byName {
			t.Run(policyName+"/"+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					sim := newSimulation(t, policyCases()[policyName], scenarios()[name])
					sim.run(t)
					sim.check(t)
					entry, err := sim.store.Get(t.Context(), entryID)
					if err != nil || entry.State != want.state || !strings.Contains(entry.Reason, want.reason) || want.reason == "" && entry.Reason != "" {
						t.Errorf("entry is %s: %s, want %s: %s", entry.State, entry.Reason, want.state, want.reason)
					}
					asked := slices.DeleteFunc(sim.requests, func(r string) bool { return r == "GET /custom-fields" })
					if !slices.Equal(asked, want.requests) {
						t.Errorf("requests %v, want %v", asked, want.requests)
					}
				})
			})
		}
	}
}

// withLatency returns the scenario with a TeleCRM that takes that long to answer.
func (s scenario) withLatency(latency time.Duration) scenario {
	configure := s.configure
	s.configure = func(c *sandbox.Config) {
		if configure != nil {
			configure(c)
		}
		c.Latency = latency
	}
	return s
}

// The visitor waits for one answer, whether TeleCRM has a lead with the identifier or not.
func TestKnownPeopleWaitNoLonger(t *testing.T) {
	t.Parallel()
	for policyName, policy := range policyCases() {
		t.Run(policyName, func(t *testing.T) {
			t.Parallel()
			const latency = 200 * time.Millisecond
			for name, s := range scenarios() {
				synctest.Test(t, func(t *testing.T) {
					sim := newSimulation(t, policy, s.withLatency(latency))
					defer sim.crm.Close()
					sim.start(t)
					time.Sleep(time.Second)
					start := time.Now()
					sim.submit()
					if waited := time.Since(start); waited != latency {
						t.Errorf("%s: visitor waited %v, want %v", name, waited, latency)
					}
					time.Sleep(time.Hour)
					if err := sim.engine.Stop(context.Background()); err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
}

// A visitor who submits the same number again always waits the same time, so the time does not tell
// whether TeleCRM had a lead with it before.
func TestSecondPostTellsNothing(t *testing.T) {
	t.Parallel()
	const latency = 200 * time.Millisecond
	gaps := []time.Duration{0, time.Millisecond, latency / 2, latency, time.Second, 5 * time.Second, time.Minute, 5 * time.Minute, recentWindow, time.Hour}
	for policyName, policy := range policyCases() {
		t.Run(policyName, func(t *testing.T) {
			t.Parallel()
			for _, gap := range gaps {
				waits := make(map[time.Duration][]string)
				for name, s := range scenarios() {
					synctest.Test(t, func(t *testing.T) {
						sim := newSimulation(t, policy, s.withLatency(latency))
						defer sim.crm.Close()
						sim.start(t)
						time.Sleep(time.Second)
						sim.submit()
						time.Sleep(gap)
						start := time.Now()
						sim.submitAs(secondID)
						waited := time.Since(start)
						waits[waited] = append(waits[waited], name)
						time.Sleep(time.Hour)
						if err := sim.engine.Stop(context.Background()); err != nil {
							t.Error(err)
						}
					})
				}
				if len(waits) != 1 {
					t.Errorf("second submission after %v: %v", gap, waits)
				}
			}
		})
	}
}

const secondID = "01900000-0000-7000-8000-0000000000ff"
