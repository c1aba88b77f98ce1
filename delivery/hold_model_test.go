package delivery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// end is a way for an attempt under hold to end.
type end struct {
	name  string
	entry outbox.Entry // its Step, LeadID, AmbiguousSince and Payload, as they are before
	crm   script
	// before runs before the attempt begins, and meanwhile when TeleCRM is first asked.
	before, meanwhile func(*holdModel)
}

// script is what TeleCRM answers to the requests of one attempt.
type script struct {
	create, update, append, upsert telecrm.Answer
	find                           telecrm.Found
	get                            telecrm.Shown
	hang                           bool // until the attempt is given up, or long
}

var (
	forbidden = telecrm.Answer{Verdict: telecrm.Hold, Status: http.StatusForbidden}
	unpaid    = telecrm.Answer{Verdict: telecrm.Hold, Status: http.StatusPaymentRequired, Code: telecrm.CodeBuyLicense}
	nowhere   = telecrm.Answer{Verdict: telecrm.Hold, Status: http.StatusNotFound}
	noMethod  = telecrm.Answer{Verdict: telecrm.Hold, Status: http.StatusMethodNotAllowed}
	missing   = telecrm.Answer{Verdict: telecrm.Missing, Status: http.StatusNotFound, Code: telecrm.CodeLeadNotFound}
	tooMany   = telecrm.Answer{Verdict: telecrm.Retry, Status: http.StatusTooManyRequests, RetryAfter: 5 * time.Minute}
	done      = telecrm.Answer{Verdict: telecrm.Done, Status: http.StatusOK}
	accepted  = telecrm.Answer{Verdict: telecrm.Accepted, Status: http.StatusOK}
)

const modelNote = "Please call me back"

// well is a TeleCRM that works, and does not know anybody yet.
var well = script{create: ok, update: done, append: done, upsert: accepted}

// theActions are what the attempts of the model append.
var theActions = []telecrm.Action{{Type: "1042", Fields: map[string]any{"note": modelNote}}}

// shows is a lead whose timeline has the actions.
func shows() telecrm.Shown {
	var shown telecrm.Shown
	for _, action := range theActions {
		shown.Actions = append(shown.Actions, telecrm.ShownAction{
			Type: action.Type, Fields: action.Fields, CreatedOn: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		})
	}
	return shown
}

// ends are the ways for an attempt under hold to end.
func ends() []end {
	toAppend := outbox.Entry{Step: stepAppend, LeadID: "64c1"}
	unsure := outbox.Entry{Step: stepAppend, LeadID: "64c1", AmbiguousSince: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)}
	toUpdate := outbox.Entry{Step: stepUpdate, LeadID: "64c1"}
	toUpsert := outbox.Entry{Step: stepUpsert}
	list := []end{
		{name: "created", crm: well},
		{name: "unreadable", entry: outbox.Entry{Payload: []byte("{")}},
		{name: "given up", crm: script{hang: true}},
		{name: "all is there", entry: unsure, crm: script{get: shows()}},
		{name: "not sure what is there", entry: unsure, crm: script{get: telecrm.Shown{MoreActions: true}}},
		{name: "appended", entry: toAppend, crm: script{append: done}},
		{name: "no Sync token", entry: toAppend, before: func(m *holdModel) { m.reconfigure(func(a *Account) { a.Client = nil }) }},
		{name: "no Async token", entry: toUpsert, before: func(m *holdModel) { m.reconfigure(func(a *Account) { a.Async = nil }) }},
		{
			name: "found by a search", entry: outbox.Entry{AmbiguousSince: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)},
			crm: script{create: duplicate, find: telecrm.Found{Leads: []telecrm.FoundLead{{ID: "64c1", CreatedOn: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}}}},
		},
		{name: "not found by a search", crm: script{create: duplicate}},
		{name: "step not recorded", entry: unsure, meanwhile: (*holdModel).breakStore},
		{name: "outcome not recorded", crm: script{create: revoked}, meanwhile: (*holdModel).breakStore},
		{name: "erased meanwhile", crm: script{create: revoked}, meanwhile: (*holdModel).erase},
		{name: "resumed meanwhile", crm: script{create: revoked}, meanwhile: func(m *holdModel) { m.resume() }},
		{name: "resumed meanwhile, and all is there", entry: unsure, crm: script{get: shows()}, meanwhile: func(m *holdModel) { m.resume() }},
		{name: "account gone meanwhile", crm: script{create: revoked}, meanwhile: (*holdModel).removeAccount},
		{name: "account gone meanwhile, and all is there", entry: unsure, crm: script{get: shows()}, meanwhile: (*holdModel).removeAccount},
		{name: "another token meanwhile", crm: script{create: revoked}, meanwhile: func(m *holdModel) { m.reconfigure(func(a *Account) { a.Key += "+" }) }},
		{name: "reloaded meanwhile", entry: unsure, crm: script{get: shows()}, meanwhile: func(m *holdModel) { m.reconfigure(func(*Account) {}) }},
	}
	for name, answer := range map[string]telecrm.Answer{
		"401": revoked, "402": unpaid, "403": forbidden, "404": nowhere, "405": noMethod,
		"400": rejected, "429": tooMany, "down": down, "lost": lost,
	} {
		failure := answer
		list = append(list,
			end{name: "create " + name, crm: script{create: answer}},
			end{name: "look " + name, entry: unsure, crm: script{get: telecrm.Shown{Failure: &failure}}},
			end{name: "look, append " + name, entry: unsure, crm: script{append: answer}},
			end{name: "append " + name, entry: toAppend, crm: script{append: answer}},
			end{name: "update " + name, entry: toUpdate, crm: script{update: answer, append: done}},
			end{name: "upsert " + name, entry: toUpsert, crm: script{upsert: answer}},
			end{name: "search " + name, crm: script{create: duplicate, find: telecrm.Found{Failure: &failure}}},
		)
	}
	for name, s := range map[string]script{
		"append": {append: missing}, "update": {update: missing}, "look": {get: telecrm.Shown{Failure: &missing}},
	} {
		entry := map[string]outbox.Entry{"append": toAppend, "update": toUpdate, "look": unsure}[name]
		list = append(list, end{name: name + " missing", entry: entry, crm: s})
	}
	return list
}

// holdModel is an account that TeleCRM turns away, its leads, and what is done to it meanwhile.
type holdModel struct {
	*rig

	mu     sync.Mutex
	ends   map[string]*end // by phone number
	mended bool
	asked  map[string]int // requests, by phone number
	total  int
}

// modelClient is the workspace as the attempts at one lead see it.
type modelClient struct{ m *holdModel }

// longestRequest is how long a request may take.
const longestRequest = 10 * time.Second

// ask notes a request about the lead with the phone number, and returns what TeleCRM answers.
func (m *holdModel) ask(ctx context.Context, phone string) script {
	m.mu.Lock()
	e := m.ends[phone]
	m.asked[phone]++
	m.total++
	first, mended := m.asked[phone] == 1, m.mended
	m.mu.Unlock()
	if first && e != nil && e.meanwhile != nil {
		e.meanwhile(m)
	}
	switch {
	case mended:
		return well
	case e == nil:
		return script{create: revoked}
	case e.crm.hang:
		select {
		case <-ctx.Done():
		case <-time.After(longestRequest):
		}
		return script{create: lost}
	}
	return e.crm
}

func phoneOf(lead telecrm.Lead) string {
	phone, _ := lead.Fields["phone"].(string)
	return phone
}

func (c modelClient) CreateLead(ctx context.Context, lead telecrm.Lead) telecrm.Answer {
	return c.m.ask(ctx, phoneOf(lead)).create
}

func (c modelClient) UpsertLead(ctx context.Context, lead telecrm.Lead) telecrm.Answer {
	return c.m.ask(ctx, phoneOf(lead)).upsert
}

func (c modelClient) FindLeads(ctx context.Context, _ string, spellings []string) telecrm.Found {
	phone := strings.TrimPrefix(spellings[0], "+")
	found := c.m.ask(ctx, phone).find
	found.Leads = slices.Clone(found.Leads)
	for i := range found.Leads {
		found.Leads[i].ID, found.Leads[i].Identifier = modelID+phone, phone
	}
	return found
}

// The lead ids of the model are phone numbers with a prefix.
const modelID = "id-of-"

func (c modelClient) GetLead(ctx context.Context, leadID string) telecrm.Shown {
	return c.m.ask(ctx, leadID[len(modelID):]).get
}

func (c modelClient) UpdateLead(ctx context.Context, leadID string, _ map[string]any) telecrm.Answer {
	return c.m.ask(ctx, leadID[len(modelID):]).update
}

func (c modelClient) AppendActions(ctx context.Context, leadID string, _ []telecrm.Action) telecrm.Answer {
	return c.m.ask(ctx, leadID[len(modelID):]).append
}

func (modelClient) FieldDefinitions(context.Context) telecrm.Definitions {
	return telecrm.Definitions{}
}

func newHoldModel(t *testing.T) *holdModel {
	t.Helper()
	m := &holdModel{ends: make(map[string]*end), asked: make(map[string]int)}
	m.rig = newRig(t, &fakeCRM{create: created})
	m.stop()
	m.config.Accounts = []Account{m.modelAccount()}
	m.start()
	return m
}

func (m *holdModel) modelAccount() Account {
	account := m.account("default", nil)
	account.Client, account.Async = modelClient{m}, modelClient{m}
	return account
}

// reconfigure loads another config, and soon the one before again; a key that was changed stays.
func (m *holdModel) reconfigure(change func(*Account)) {
	account := m.config.Accounts[0]
	change(&account)
	config := m.config
	config.Accounts = []Account{account}
	m.engine.Configure(config)
	m.config.Accounts[0].Key = account.Key
}

func (m *holdModel) removeAccount() {
	config := m.config
	config.Accounts = nil
	m.engine.Configure(config)
}

func (m *holdModel) breakStore() { m.store.fail(errors.New("no space left on device")) }

// erase removes everything that has an attempt in flight.
func (m *holdModel) erase() {
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	for id := range m.store.taken {
		delete(m.store.entries, id)
	}
	clear(m.store.taken)
}

func (m *holdModel) resume() {
	if _, err := m.engine.Resume("default"); err != nil && !errors.Is(err, errNotConfigured) {
		m.t.Error(err)
	}
}

// mendAround undoes what an end has done around TeleCRM.
func (m *holdModel) mendAround() {
	m.store.fail(nil)
	m.engine.Configure(m.config)
}

// restart ends the process and starts another.
func (m *holdModel) restart() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = m.engine.Stop(ctx)
	m.store.reopen(time.Now())
	m.start()
}

// add puts a lead into the outbox whose attempt ends like that, due before all others.
func (m *holdModel) add(n int, e end) (id string) {
	m.t.Helper()
	phone := fmt.Sprintf("9181234560%02d", n)
	m.mu.Lock()
	m.ends[phone] = &e
	m.mu.Unlock()
	job := Job{Lead: telecrm.Lead{Fields: map[string]any{"phone": phone, "city": "Pune"}, Actions: theActions}}
	if e.entry.Step == stepUpdate {
		job.OnDuplicate = OnDuplicate{Policy: UpdateFields, Fields: []string{"city"}}
	}
	payload, err := EncodeJob(job)
	if err != nil {
		m.t.Fatal(err)
	}
	entry := e.entry
	if entry.Payload == nil {
		entry.Payload = payload
	}
	if entry.LeadID != "" {
		entry.LeadID = modelID + phone
	}
	entry.ID = fmt.Sprintf("01900000-0000-7000-9000-%012d", n)
	entry.Account, entry.Form, entry.Identifier = "default", "enquiry", phone
	entry.State = outbox.Waiting
	entry.CreatedAt = time.Now()
	entry.DueAt = time.Date(1999, 12, 31, 0, 0, n, 0, time.UTC)
	m.store.mu.Lock()
	m.store.entries[entry.ID] = entry
	m.store.known["default "+phone] = "" // which nobody remembers
	m.store.mu.Unlock()
	return entry.ID
}

// begun reports whether an attempt at the entry has begun, or it is gone.
func (m *holdModel) begun(id string) bool {
	e, err := m.store.Get(context.Background(), id)
	return err != nil || !e.BegunAt.IsZero()
}

// longestSilence is how long a held account may go without a probe: the longest wait, and what
// TeleCRM has asked for.
const longestSilence = lastProbe*(100+15)/100 + 5*time.Minute

// play has one attempt after the other end under hold, then TeleCRM mended, and expects every lead
// to be settled.
func (m *holdModel) play(resume bool, sequence ...end) {
	m.t.Helper()
	m.submit("918123456999", 0) // which is turned away
	synctest.Wait()
	for n, e := range sequence {
		id := m.add(n, e)
		if e.before != nil {
			e.before(m)
		}
		for start := time.Now(); !m.begun(id); time.Sleep(time.Second) {
			if time.Since(start) > longestSilence {
				m.t.Errorf("no probe in %v", longestSilence)
				return
			}
		}
		time.Sleep(5 * time.Second)
		if e.crm.hang {
			m.restart()
		}
		m.mendAround()
		synctest.Wait()
	}
	m.mu.Lock()
	m.mended = true
	before := m.total
	m.mu.Unlock()
	if resume {
		m.checkResume(before)
	}
	time.Sleep(longestSilence + 30*time.Minute) // and for those that failed on their own
	synctest.Wait()
	m.checkSettled()
	// If all that waited were erased, this one is the probe.
	id, _ := m.submit("918123456998", 0)
	time.Sleep(time.Second)
	synctest.Wait()
	if e := m.entry(id); e.State != outbox.Delivered {
		m.t.Errorf("the account is mended, and a new lead is %s: %s", e.State, e.Reason)
	}
}

// checkResume resumes the account, and expects TeleCRM to be asked at once if it was held and
// anything waits.
func (m *holdModel) checkResume(before int) {
	m.t.Helper()
	status := m.engine.Status()[0]
	waiting := m.waits()
	m.resume()
	if status.UnderWay > 0 {
		time.Sleep(longestRequest + time.Second) // the next probe follows the one in flight
	}
	synctest.Wait()
	m.mu.Lock()
	asked := m.total - before
	m.mu.Unlock()
	if status.Held && waiting > 0 && asked == 0 {
		m.t.Errorf("resumed, with %d leads waiting, and TeleCRM was not asked", waiting)
	}
}

func (m *holdModel) waits() int {
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	return len(m.store.waiting("default"))
}

func (m *holdModel) checkSettled() {
	m.t.Helper()
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	for _, e := range m.store.entries {
		if e.State == outbox.Waiting {
			m.t.Errorf("lead %s waits still: %s", e.ID, e.Reason)
		}
	}
}

// However an attempt under hold ends, and another after it: the account is probed again, a
// resumption probes at once, and everything is delivered or parked once TeleCRM is mended.
func TestHoldOutlivesNoEnd(t *testing.T) {
	t.Parallel()
	all := ends()
	for _, first := range all {
		t.Run(first.name, func(t *testing.T) {
			t.Parallel()
			for i := range len(all) + 1 {
				sequence := []end{first}
				if i < len(all) {
					sequence = append(sequence, all[i])
				}
				for _, resume := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s, resumed %t", sequence[len(sequence)-1].name, resume), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							m := newHoldModel(t)
							m.play(resume, sequence...)
							m.stop()
						})
					})
				}
			}
		})
	}
}

// A lead that is to be looked at while nothing of TeleCRM can be reached is not parked for that: it
// waits, as all others do.
func TestLookWhileNothingIsReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newHoldModel(t)
		defer m.stop()
		unsure := outbox.Entry{Step: stepAppend, LeadID: "64c1", AmbiguousSince: time.Now()}
		gone := nowhere
		id := m.add(0, end{entry: unsure, crm: script{get: telecrm.Shown{Failure: &gone}}})
		m.engine.Configure(m.config)
		synctest.Wait()
		if e := m.entry(id); e.State != outbox.Waiting || !m.engine.Status()[0].Held {
			t.Errorf("the lead is %s (%s), status %+v", e.State, e.Reason, m.engine.Status())
		}
		m.mu.Lock()
		m.mended = true
		m.mu.Unlock()
		time.Sleep(longestSilence)
		if e := m.entry(id); e.State != outbox.Delivered {
			t.Errorf("the lead is %s: %s", e.State, e.Reason)
		}
	})
}
