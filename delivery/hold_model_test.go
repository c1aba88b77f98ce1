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

// ending is one way in which an attempt during a hold can end.
type ending struct {
	name  string
	entry outbox.Entry // its Step, LeadID, AmbiguousSince and Payload before the attempt
	crm   script
	// before runs before the attempt, and meanwhile during its first request.
	before, meanwhile func(*holdModel)
}

// script holds TeleCRM's answers to the requests of one attempt.
type script struct {
	create, update, append, upsert telecrm.Answer
	find                           telecrm.Found
	get                            telecrm.Shown
	hang                           bool // until the attempt is canceled or times out
}

var (
	forbidden = telecrm.Answer{Verdict: telecrm.Hold, Status: http.StatusForbidden}
	unpaid    = telecrm.Answer{Verdict: telecrm.Hold, Status: http.StatusPaymentRequired, Code: telecrm.CodeBuyLicense}
	notFound  = telecrm.Answer{Verdict: telecrm.Hold, Status: http.StatusNotFound}
	noMethod  = telecrm.Answer{Verdict: telecrm.Hold, Status: http.StatusMethodNotAllowed}
	missing   = telecrm.Answer{Verdict: telecrm.Missing, Status: http.StatusNotFound, Code: telecrm.CodeLeadNotFound}
	tooMany   = telecrm.Answer{Verdict: telecrm.Retry, Status: http.StatusTooManyRequests, RetryAfter: 5 * time.Minute}
	done      = telecrm.Answer{Verdict: telecrm.Done, Status: http.StatusOK}
	accepted  = telecrm.Answer{Verdict: telecrm.Accepted, Status: http.StatusOK}
)

const modelNote = "Please call me back"

// working is a TeleCRM that works and has no leads.
var working = script{create: ok, update: done, append: done, upsert: accepted}

// modelActions are the actions of every lead of the model.
var modelActions = []telecrm.Action{{Type: "1042", Fields: map[string]any{"note": modelNote}}}

// leadWithActions returns a lead whose timeline shows the actions.
func leadWithActions() telecrm.Shown {
	var shown telecrm.Shown
	for _, action := range modelActions {
		shown.Actions = append(shown.Actions, telecrm.ShownAction{
			Type: action.Type, Fields: action.Fields, CreatedOn: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		})
	}
	return shown
}

// endings returns all ways in which an attempt during a hold can end.
func endings() []ending {
	toAppend := outbox.Entry{Step: stepAppend, LeadID: "64c1"}
	unsure := outbox.Entry{Step: stepAppend, LeadID: "64c1", AmbiguousSince: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)}
	toUpdate := outbox.Entry{Step: stepUpdate, LeadID: "64c1"}
	toUpsert := outbox.Entry{Step: stepUpsert}
	list := []ending{
		{name: "created", crm: working},
		{name: "unreadable", entry: outbox.Entry{Payload: []byte("{")}},
		{name: "timeout", crm: script{hang: true}},
		{name: "actions found", entry: unsure, crm: script{get: leadWithActions()}},
		{name: "actions uncertain", entry: unsure, crm: script{get: telecrm.Shown{MoreActions: true}}},
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
		{name: "resumed meanwhile, actions found", entry: unsure, crm: script{get: leadWithActions()}, meanwhile: func(m *holdModel) { m.resume() }},
		{name: "account removed meanwhile", crm: script{create: revoked}, meanwhile: (*holdModel).removeAccount},
		{name: "account removed meanwhile, actions found", entry: unsure, crm: script{get: leadWithActions()}, meanwhile: (*holdModel).removeAccount},
		{name: "another token meanwhile", crm: script{create: revoked}, meanwhile: func(m *holdModel) { m.reconfigure(func(a *Account) { a.Key += "+" }) }},
		{name: "reloaded meanwhile", entry: unsure, crm: script{get: leadWithActions()}, meanwhile: func(m *holdModel) { m.reconfigure(func(*Account) {}) }},
	}
	for name, answer := range map[string]telecrm.Answer{
		"401": revoked, "402": unpaid, "403": forbidden, "404": notFound, "405": noMethod,
		"400": rejected, "429": tooMany, "down": down, "lost": lost,
	} {
		failure := answer
		list = append(list,
			ending{name: "create " + name, crm: script{create: answer}},
			ending{name: "look " + name, entry: unsure, crm: script{get: telecrm.Shown{Failure: &failure}}},
			ending{name: "look, append " + name, entry: unsure, crm: script{append: answer}},
			ending{name: "append " + name, entry: toAppend, crm: script{append: answer}},
			ending{name: "update " + name, entry: toUpdate, crm: script{update: answer, append: done}},
			ending{name: "upsert " + name, entry: toUpsert, crm: script{upsert: answer}},
			ending{name: "search " + name, crm: script{create: duplicate, find: telecrm.Found{Failure: &failure}}},
		)
	}
	for name, s := range map[string]script{
		"append": {append: missing}, "update": {update: missing}, "look": {get: telecrm.Shown{Failure: &missing}},
	} {
		entry := map[string]outbox.Entry{"append": toAppend, "update": toUpdate, "look": unsure}[name]
		list = append(list, ending{name: name + " missing", entry: entry, crm: s})
	}
	return list
}

// holdModel is an account that TeleCRM turns away, with scripted leads and events.
type holdModel struct {
	*rig

	mu      sync.Mutex
	endings map[string]*ending // by phone number
	fixed   bool
	asked   map[string]int // requests, by phone number
	total   int
}

// modelClient is the workspace of the model.
type modelClient struct{ m *holdModel }

// maxRequestTime limits the duration of a request.
const maxRequestTime = 10 * time.Second

// ask records a request for the lead with the phone number and returns its script.
func (m *holdModel) ask(ctx context.Context, phone string) script {
	m.mu.Lock()
	e := m.endings[phone]
	m.asked[phone]++
	m.total++
	first, fixed := m.asked[phone] == 1, m.fixed
	m.mu.Unlock()
	if first && e != nil && e.meanwhile != nil {
		e.meanwhile(m)
	}
	switch {
	case fixed:
		return working
	case e == nil:
		return script{create: revoked}
	case e.crm.hang:
		select {
		case <-ctx.Done():
		case <-time.After(maxRequestTime):
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
	m := &holdModel{endings: make(map[string]*ending), asked: make(map[string]int)}
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

// reconfigure changes the account until repair restores it. A changed key stays.
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

func (m *holdModel) breakStore() { m.store.setError(errors.New("no space left on device")) }

// erase removes all entries with an attempt in flight.
func (m *holdModel) erase() {
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	for id := range m.store.taken {
		delete(m.store.entries, id)
	}
	clear(m.store.taken)
}

func (m *holdModel) resume() {
	if _, err := m.engine.Resume(context.Background(), "default"); err != nil && !errors.Is(err, ErrNotConfigured) {
		m.t.Error(err)
	}
}

// repair restores the outbox and the configuration.
func (m *holdModel) repair() {
	m.store.setError(nil)
	m.engine.Configure(m.config)
}

// restart crashes the process and starts another.
func (m *holdModel) restart() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = m.engine.Stop(ctx)
	m.store.reopen(time.Now())
	m.start()
}

// add adds a lead with this ending to the outbox, due before all others.
func (m *holdModel) add(n int, e ending) (id string) {
	m.t.Helper()
	phone := fmt.Sprintf("9181234560%02d", n)
	m.mu.Lock()
	m.endings[phone] = &e
	m.mu.Unlock()
	job := Job{Lead: telecrm.Lead{Fields: map[string]any{"phone": phone, "city": "Pune"}, Actions: modelActions}}
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
	m.store.known["default "+phone] = "" // not remembered
	m.store.mu.Unlock()
	return entry.ID
}

// begun reports whether an attempt at the entry has begun. It returns true if the entry is gone.
func (m *holdModel) begun(id string) bool {
	e, err := m.store.Get(context.Background(), id)
	return err != nil || !e.BegunAt.IsZero()
}

// maxProbeGap limits the time between two probes: the longest interval with jitter, and a
// Retry-After.
const maxProbeGap = lastProbe*(100+15)/100 + 5*time.Minute

// run makes attempts with the given endings during a hold, then fixes TeleCRM, and expects every
// lead to be settled.
func (m *holdModel) run(resume bool, sequence ...ending) {
	m.t.Helper()
	m.submit("918123456999", 0) // it is turned away
	synctest.Wait()
	for n, e := range sequence {
		id := m.add(n, e)
		if e.before != nil {
			e.before(m)
		}
		for start := time.Now(); !m.begun(id); time.Sleep(time.Second) {
			if time.Since(start) > maxProbeGap {
				m.t.Errorf("no probe in %v", maxProbeGap)
				return
			}
		}
		time.Sleep(5 * time.Second)
		if e.crm.hang {
			m.restart()
		}
		m.repair()
		synctest.Wait()
	}
	m.mu.Lock()
	m.fixed = true
	before := m.total
	m.mu.Unlock()
	if resume {
		m.checkResume(before)
	}
	time.Sleep(maxProbeGap + 30*time.Minute) // for leads that are retried
	synctest.Wait()
	m.checkSettled()
	// If all waiting leads were erased, this one is the probe.
	id, _ := m.submit("918123456998", 0)
	time.Sleep(time.Second)
	synctest.Wait()
	if e := m.entry(id); e.State != outbox.Delivered {
		m.t.Errorf("TeleCRM is fixed, but a new lead is %s: %s", e.State, e.Reason)
	}
}

// checkResume resumes the account and expects a request at once if it was on hold and has waiting
// leads.
func (m *holdModel) checkResume(before int) {
	m.t.Helper()
	status := m.engine.Status()[0]
	waiting := m.countWaiting()
	m.resume()
	if status.InFlight > 0 {
		time.Sleep(maxRequestTime + time.Second) // the next probe follows the one in flight
	}
	synctest.Wait()
	m.mu.Lock()
	asked := m.total - before
	m.mu.Unlock()
	if status.Held && waiting > 0 && asked == 0 {
		m.t.Errorf("resumed with %d leads waiting, but no request was sent", waiting)
	}
}

func (m *holdModel) countWaiting() int {
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
			m.t.Errorf("lead %s is still waiting: %s", e.ID, e.Reason)
		}
	}
}

// However two attempts in a row end during a hold, the account is probed again, Resume sends a
// probe at once, and every lead is delivered or parked after TeleCRM is fixed.
func TestHoldOutlivesNoEnd(t *testing.T) {
	t.Parallel()
	all := endings()
	step := 1
	if testing.Short() {
		step = 15 // each ending still comes first and second
	}
	for n, first := range all {
		t.Run(first.name, func(t *testing.T) {
			t.Parallel()
			for i := n % step; i < len(all)+1; i += step {
				sequence := []ending{first}
				if i < len(all) {
					sequence = append(sequence, all[i])
				}
				for _, resume := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s, resumed %t", sequence[len(sequence)-1].name, resume), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							m := newHoldModel(t)
							m.run(resume, sequence...)
							m.stop()
						})
					})
				}
			}
		})
	}
}

// If TeleCRM turns every request away, a lead whose next step reads the existing lead waits like
// all others and is not parked.
func TestUnreadableLeadWhileAccountFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newHoldModel(t)
		defer m.stop()
		unsure := outbox.Entry{Step: stepAppend, LeadID: "64c1", AmbiguousSince: time.Now()}
		gone := notFound
		id := m.add(0, ending{entry: unsure, crm: script{get: telecrm.Shown{Failure: &gone}}})
		m.engine.Configure(m.config)
		synctest.Wait()
		if e := m.entry(id); e.State != outbox.Waiting || !m.engine.Status()[0].Held {
			t.Errorf("the lead is %s (%s), status %+v", e.State, e.Reason, m.engine.Status())
		}
		m.mu.Lock()
		m.fixed = true
		m.mu.Unlock()
		time.Sleep(maxProbeGap)
		if e := m.entry(id); e.State != outbox.Delivered {
			t.Errorf("the lead is %s: %s", e.State, e.Reason)
		}
	})
}
