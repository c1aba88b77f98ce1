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

// situation is what TeleCRM is like when the enquiry comes.
type situation struct {
	known      bool // a lead has the identifier
	remembered bool // and the outbox remembers its id
	configure  func(*sandbox.Config)
	// meanwhile happens just before the lead that is there is asked about.
	meanwhile func(w *world)
	badField  bool // the update holds a value that TeleCRM refuses
}

func situations() map[string]situation {
	return map[string]situation{
		"new person":        {},
		"id remembered":     {known: true, remembered: true},
		"id in search":      {known: true},
		"live shapes":       {known: true, configure: func(c *sandbox.Config) { c.LiveShapes = true }},
		"id in the 409":     {known: true, configure: func(c *sandbox.Config) { c.ConflictID = true }},
		"no id":             {known: true, configure: func(c *sandbox.Config) { c.Search.HideIDs = true }},
		"two rows":          {known: true, configure: func(c *sandbox.Config) { c.Search.Twins = true }},
		"late index":        {known: true, configure: func(c *sandbox.Config) { c.Search.IndexSearches = 2 }},
		"update refused":    {known: true, remembered: true, badField: true},
		"update drops":      {known: true, remembered: true, badField: true, configure: func(c *sandbox.Config) { c.DropInvalid = true }},
		"deleted meanwhile": {known: true, remembered: true, meanwhile: (*world).deleteKnown},
	}
}

// way is how the form says to treat people whom TeleCRM knows.
type way struct {
	OnDuplicate
	asyncOnly bool
	noActions bool
}

func ways() map[string]way {
	list := map[string]way{
		"update":               {OnDuplicate: OnDuplicate{Policy: UpdateFields, Fields: []string{"city", "rating", "source"}}},
		"update, no actions":   {OnDuplicate: OnDuplicate{Policy: UpdateFields, Fields: []string{"city", "rating"}}, noActions: true},
		"async only":           {OnDuplicate: OnDuplicate{Policy: Upsert}, asyncOnly: true},
		"actions, none":        {OnDuplicate: OnDuplicate{Policy: AppendActions}, noActions: true},
		"from before policies": {},
	}
	for _, policy := range []Policy{AppendActions, Upsert, IgnoreDuplicate, ParkDuplicate} {
		list[string(policy)] = way{OnDuplicate: OnDuplicate{Policy: policy}}
	}
	return list
}

// world is a process that can die at any moment, between a journal that outlives it and a CRM that
// knows nothing of it.
type world struct {
	t      *testing.T
	way    way
	s      situation
	crm    *sandbox.Sandbox
	store  *mortal
	oldID  string
	engine *Engine
	hooks  Hooks
	asked  func() // called with each request

	mu       sync.Mutex
	moments  int // at which the process could die, so far
	dieAt    []int
	dead     bool
	died     chan struct{} // closed when it does
	acked    bool
	requests []string
}

func newWorld(t *testing.T, way way, s situation, dieAt ...int) *world {
	t.Helper()
	w := &world{t: t, way: way, s: s, dieAt: dieAt, died: make(chan struct{})}
	config := sandbox.Config{Token: syncToken, AsyncToken: asyncToken, EnterpriseID: enterprise}
	if s.configure != nil {
		s.configure(&config)
	}
	var err error
	if w.crm, err = sandbox.New(config); err != nil {
		t.Fatal(err)
	}
	w.store = &mortal{newMemory(), w}
	// A bubble's clock begins in 2000, when there was no TeleCRM yet.
	time.Sleep(time.Until(time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)))
	if s.known {
		w.createKnown()
		time.Sleep(7 * 24 * time.Hour)
	}
	return w
}

// createKnown lets TeleCRM have the person from now on, with an action that the new enquiry repeats
// to the letter but for its note.
func (w *world) createKnown() {
	w.create(telecrm.Lead{
		Fields: map[string]any{
			"phone": knownPhone, "name": "Ravi Menon", "status": "Won", "city": "Pune", "assignee": "agent7@example.org",
		},
		Actions: []telecrm.Action{{Type: "1042", Fields: map[string]any{"note": oldNote}}},
	})
}

// create lets TeleCRM have a lead that no process of the world's sent.
func (w *world) create(lead telecrm.Lead) {
	body, err := json.Marshal(lead)
	if err != nil {
		w.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, sandboxBase+"/enterprise/"+enterprise+"/lead", bytes.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+syncToken)
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	w.crm.ServeHTTP(rec, r)
	var created struct {
		LeadID string `json:"lead_id"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &created); err != nil || created.LeadID == "" {
		w.t.Fatalf("creating a lead: %v %s", err, rec.Body)
	}
	w.oldID = created.LeadID
	if w.s.remembered {
		w.store.known["default "+knownPhone] = w.oldID
	}
}

func (w *world) deleteKnown() { w.crm.Delete(w.oldID) }

var errDead = errors.New("the process is dead")

// moment is one at which the process can die; false if it is dead.
func (w *world) moment() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return false
	}
	w.moments++
	if len(w.dieAt) > 0 && w.moments == w.dieAt[0] {
		w.dead = true
		close(w.died)
	}
	return !w.dead
}

// pass lets the time pass in which everything ends, be it by death.
func (w *world) pass() {
	select {
	case <-w.died:
	case <-time.After(time.Hour):
	}
	synctest.Wait()
}

// RoundTrip carries a request to the CRM. The process can die before it leaves, and before its
// answer is seen.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	if !w.moment() {
		return nil, errDead
	}
	w.mu.Lock()
	path := r.URL.Path[strings.LastIndex(r.URL.Path, enterprise)+len(enterprise):]
	w.requests = append(w.requests, r.Method+" "+strings.Replace(path, cmp.Or(w.oldID, "none"), "old", 1))
	meanwhile := w.s.meanwhile
	if w.asked != nil {
		w.asked()
	}
	w.mu.Unlock()
	if meanwhile != nil && w.oldID != "" && strings.Contains(r.URL.Path, w.oldID) {
		meanwhile(w)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.RequestURI = r.URL.RequestURI()
	answer, err := w.serve(r)
	if !w.moment() {
		return nil, errDead
	}
	return answer, err
}

// serve has the CRM answer, or cut the connection.
func (w *world) serve(r *http.Request) (answer *http.Response, err error) {
	defer func() {
		if cut := recover(); cut == http.ErrAbortHandler { //nolint:errorlint // it is what handlers panic with
			err = io.ErrUnexpectedEOF
		} else if cut != nil {
			panic(cut)
		}
	}()
	rec := httptest.NewRecorder()
	w.crm.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// mortal is an outbox whose process can die before each of its writes, and right after it.
type mortal struct {
	*memory
	w *world
}

func (m *mortal) write(f func() error) error {
	if !m.w.moment() {
		return errDead
	}
	err := f()
	if err == nil && !m.w.moment() {
		return errDead
	}
	return err
}

func (m *mortal) Append(ctx context.Context, e outbox.Entry) error {
	return m.write(func() error { return m.memory.Append(ctx, e) })
}

func (m *mortal) Take(ctx context.Context, account string, due, now time.Time, limit int, busy func(string) bool) (list []outbox.Entry, err error) {
	err = m.write(func() (err error) {
		list, err = m.memory.Take(ctx, account, due, now, limit, busy)
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (m *mortal) Advance(ctx context.Context, id string, p outbox.Progress) error {
	return m.write(func() error { return m.memory.Advance(ctx, id, p) })
}

func (m *mortal) Settle(ctx context.Context, id string, s outbox.Settlement) error {
	return m.write(func() error { return m.memory.Settle(ctx, id, s) })
}

func (m *mortal) Forget(ctx context.Context, account, identifier string) error {
	return m.write(func() error { return m.memory.Forget(ctx, account, identifier) })
}

// live starts a process, which lives until it dies or everything is done.
func (w *world) live(t *testing.T) {
	t.Helper()
	w.liveWith(t, w.account(t))
}

func (w *world) liveWith(t *testing.T, account Account) {
	t.Helper()
	w.engine = New(w.store)
	w.engine.Configure(Config{
		Accounts:      []Account{account},
		RetryFor:      72 * time.Hour,
		KeepDelivered: 365 * 24 * time.Hour,
		KeepParked:    365 * 24 * time.Hour,
		Hooks:         w.hooks,
	})
	synctest.Wait()
}

func (w *world) account(t *testing.T) Account {
	t.Helper()
	account := Account{
		Name: "default", Key: "a", Identifier: "phone", IdentifierKind: telecrm.PhoneIdentifier,
		Rate: 1000, Burst: 1000, Updates: w.way.Policy == UpdateFields,
	}
	async, err := telecrm.NewAsync(telecrm.Config{Token: asyncToken, EnterpriseID: enterprise, BaseURL: "http://localhost", Transport: w})
	if err != nil {
		t.Fatal(err)
	}
	account.Async = async
	if !w.way.asyncOnly {
		client, err := telecrm.New(telecrm.Config{Token: syncToken, EnterpriseID: enterprise, BaseURL: sandboxBase, Transport: w})
		if err != nil {
			t.Fatal(err)
		}
		account.Client = client
	}
	return account
}

// submission is what the visitor sends, under that id.
func (w *world) submission(id string) Submission {
	lead := telecrm.Lead{Fields: map[string]any{
		"phone": knownPhone, "name": "R Menon", "city": "Chennai", "rating": json.Number("4"), "source": "Website",
	}}
	if w.s.badField {
		lead.Fields["rating"] = json.Number("9")
	}
	if !w.way.noActions {
		lead.Actions = []telecrm.Action{{Type: "1042", Fields: map[string]any{"note": ourNote}}}
	}
	return Submission{
		ID: id, Account: "default", Form: "enquiry",
		Job: Job{Lead: lead, OnDuplicate: w.way.OnDuplicate},
	}
}

// submit is the visitor's post.
func (w *world) submit() Outcome { return w.submitAs(entryID) }

// submitAs submits the lead as the one of that id.
func (w *world) submitAs(id string) Outcome {
	outcome, err := w.engine.Submit(context.Background(), w.submission(id), 3*time.Second)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked = err == nil
	return outcome
}

// die ends the process, dead or alive, and leaves what a crash leaves.
func (w *world) die() {
	w.mu.Lock()
	w.dead = true
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = w.engine.Stop(ctx)
	w.mu.Lock()
	w.dead = false
	if len(w.dieAt) > 0 {
		w.dieAt = w.dieAt[1:]
	}
	w.moments = 0
	w.died = make(chan struct{})
	w.mu.Unlock()
	w.store.reopen(time.Now())
}

// run plays the whole story: the post, the deaths, and long enough after them for everything to
// end.
func (w *world) run(t *testing.T) (moments int) {
	t.Helper()
	defer w.crm.Close()
	w.live(t)
	w.mu.Lock()
	w.moments = 0 // the locks have been asked for by now
	w.mu.Unlock()
	w.submit()
	w.pass()
	w.mu.Lock()
	moments = w.moments
	w.mu.Unlock()
	for deaths := len(w.dieAt); deaths > 0; deaths-- {
		w.die()
		time.Sleep(time.Second)
		w.live(t)
		w.pass()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if err := w.engine.Stop(ctx); err != nil {
		t.Error(err)
	}
	return moments
}

// notes counts the actions with our note, in all leads.
func (w *world) notes() int {
	n := 0
	for _, lead := range w.crm.Leads() {
		for _, action := range lead.Actions {
			if action.Fields["note"] == ourNote {
				n++
			}
		}
	}
	return n
}

// changed lists the fields that were set in the lead that was there.
func (w *world) changed() []string {
	names := make(map[string]bool)
	for _, lead := range w.crm.Leads() {
		if lead.ID != w.oldID {
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

// updates counts the requests that changed the lead that was there.
func (w *world) updates() int {
	for _, lead := range w.crm.Leads() {
		if lead.ID == w.oldID {
			return len(lead.Changes)
		}
	}
	return 0
}

// check checks what must hold whatever happened.
func (w *world) check(t *testing.T) {
	t.Helper()
	entry, err := w.store.Get(t.Context(), entryID)
	if err != nil {
		if w.acked {
			t.Error("the visitor was thanked and the entry is gone")
		}
		return
	}
	if entry.State == outbox.Waiting {
		t.Errorf("it waits still: step %q, %s", entry.Step, entry.Reason)
	}
	if n := w.notes(); n > 1 {
		t.Errorf("the action is there %d times", n)
	}
	if n := len(w.crm.Leads()); n != 1 {
		t.Errorf("there are %d leads", n)
	}
	if entry.State == outbox.Delivered {
		w.checkDelivered(t, entry)
	}
	if n := w.updates(); w.way.Policy == UpdateFields && n > 1 && !w.s.badField {
		t.Errorf("the lead that was there was updated %d times", n)
	}
	for _, name := range w.changed() {
		if !w.mayChange(name) {
			t.Errorf("%s of the lead that was there was changed", name)
		}
	}
}

// checkDelivered: what counts as delivered is in TeleCRM.
func (w *world) checkDelivered(t *testing.T, entry outbox.Entry) {
	t.Helper()
	if w.way.Policy == IgnoreDuplicate {
		return
	}
	if !w.way.noActions && w.notes() != 1 {
		t.Errorf("delivered (%s), and the action is not there", entry.Reason)
	}
	lead := w.crm.Leads()[0]
	if w.way.noActions && w.way.Policy == UpdateFields && !w.s.badField && lead.Fields["city"] != "Chennai" {
		t.Errorf("delivered (%s), and the city is %v", entry.Reason, lead.Fields["city"])
	}
}

func (w *world) mayChange(name string) bool {
	if w.way.Policy == Upsert {
		return name != "phone"
	}
	return w.way.Policy == UpdateFields && slices.Contains(w.way.Fields, name) && name != "source" // which is locked
}

// Whatever the policy, whatever TeleCRM shows, and at whatever moment the process dies: no action
// twice, no enquiry lost, no field changed that was not listed.
func TestKnownPeople(t *testing.T) {
	t.Parallel()
	for wayName, way := range ways() {
		for name, s := range situations() {
			t.Run(wayName+"/"+name, func(t *testing.T) {
				t.Parallel()
				moments := play(t, way, s)
				for first := 1; first <= moments; first++ {
					play(t, way, s, first)
					for second := 1; second <= 6; second++ {
						play(t, way, s, first, second)
					}
				}
			})
		}
	}
}

func play(t *testing.T, way way, s situation, dieAt ...int) (moments int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, way, s, dieAt...)
		moments = w.run(t)
		w.check(t)
		if t.Failed() {
			t.Fatalf("dying at %v: %v", dieAt, w.requests)
		}
	})
	return moments
}

// Without a crash, this is what becomes of each, and what TeleCRM is asked.
func TestWhatBecomesOfKnownPeople(t *testing.T) {
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
		reason   string // what it holds
		requests []string
	}
	delivered := func(reason string, requests ...string) want { return want{outbox.Delivered, reason, requests} }
	parked := func(reason string, requests ...string) want { return want{outbox.Parked, reason, requests} }
	for wayName, byName := range map[string]map[string]want{
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
			t.Run(wayName+"/"+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, ways()[wayName], situations()[name])
					w.run(t)
					w.check(t)
					entry, err := w.store.Get(t.Context(), entryID)
					if err != nil || entry.State != want.state || !strings.Contains(entry.Reason, want.reason) || want.reason == "" && entry.Reason != "" {
						t.Errorf("entry is %s: %s, want %s: %s", entry.State, entry.Reason, want.state, want.reason)
					}
					asked := slices.DeleteFunc(w.requests, func(r string) bool { return r == "GET /custom-fields" })
					if !slices.Equal(asked, want.requests) {
						t.Errorf("requests %v, want %v", asked, want.requests)
					}
				})
			})
		}
	}
}

// A visitor whom TeleCRM knows waits for no more than one whom it does not: one answer.
func TestKnownPeopleWaitNoLonger(t *testing.T) {
	t.Parallel()
	for wayName, way := range ways() {
		t.Run(wayName, func(t *testing.T) {
			t.Parallel()
			const latency = 200 * time.Millisecond
			for name, s := range situations() {
				synctest.Test(t, func(t *testing.T) {
					configure := s.configure
					s.configure = func(c *sandbox.Config) {
						if configure != nil {
							configure(c)
						}
						c.Latency = latency
					}
					w := newWorld(t, way, s)
					defer w.crm.Close()
					w.live(t)
					time.Sleep(time.Second)
					start := time.Now()
					w.submit()
					if waited := time.Since(start); waited != latency {
						t.Errorf("%s: the visitor waited %v, want %v", name, waited, latency)
					}
					time.Sleep(time.Hour)
					if err := w.engine.Stop(context.Background()); err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
}

// A visitor who posts the same number again is not told by the time whether TeleCRM knew it before
// the first post, whenever the second comes, and whatever is still to be done about the first.
func TestSecondPostTellsNothing(t *testing.T) {
	t.Parallel()
	const latency = 200 * time.Millisecond
	gaps := []time.Duration{0, time.Millisecond, latency / 2, latency, time.Second, 5 * time.Second, time.Minute, 5 * time.Minute, recentWindow, time.Hour}
	for wayName, way := range ways() {
		t.Run(wayName, func(t *testing.T) {
			t.Parallel()
			for _, gap := range gaps {
				waits := make(map[time.Duration][]string)
				for name, s := range situations() {
					synctest.Test(t, func(t *testing.T) {
						configure := s.configure
						s.configure = func(c *sandbox.Config) {
							if configure != nil {
								configure(c)
							}
							c.Latency = latency
						}
						w := newWorld(t, way, s)
						defer w.crm.Close()
						w.live(t)
						time.Sleep(time.Second)
						w.submit()
						time.Sleep(gap)
						start := time.Now()
						w.submitAs(secondID)
						waited := time.Since(start)
						waits[waited] = append(waits[waited], name)
						time.Sleep(time.Hour)
						if err := w.engine.Stop(context.Background()); err != nil {
							t.Error(err)
						}
					})
				}
				if len(waits) != 1 {
					t.Errorf("the second post after %v: %v", gap, waits)
				}
			}
		})
	}
}

const secondID = "01900000-0000-7000-8000-0000000000ff"
