package caddytelecrm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// flakyOutbox is an outbox in a file that refuses to write when told to.
type flakyOutbox struct {
	BoltOutbox
	full atomic.Bool
}

var errDiskFull = errors.New("no space left on device")

func (f *flakyOutbox) Open(logger *zap.Logger) (outbox.Store, error) {
	store, err := f.BoltOutbox.Open(logger)
	return &flakyStore{store, f}, err
}

type flakyStore struct {
	outbox.Store

	outbox *flakyOutbox
}

func (s *flakyStore) Append(ctx context.Context, e outbox.Entry) error {
	if s.outbox.full.Load() {
		return errDiskFull
	}
	return s.Store.Append(ctx, e)
}

// withOutbox starts the handler's app with an outbox of its own.
func withOutbox(t *testing.T, h testHandler) (*flakyOutbox, *App, *observer.ObservedLogs) {
	t.Helper()
	core, log := observer.New(zapcore.InfoLevel)
	guest := &flakyOutbox{BoltOutbox: BoltOutbox{File: filepath.Join(t.TempDir(), "outbox.db")}}
	h.app.outbox, h.app.resource, h.app.logger = guest, guest.File, zap.New(core)
	if err := h.app.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.app.Cleanup(); err != nil {
			t.Error(err)
		}
	})
	return guest, h.app, log
}

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

var meera = url.Values{"name": {"Meera Iyer"}, "phone": {"08123456789"}}

func TestDeliverNowTellsWhatBecameOfTheLead(t *testing.T) {
	for name, test := range map[string]struct {
		fault   string
		status  int
		outcome outcome
		logged  string
	}{
		"created":  {sandbox.FaultStatus200, http.StatusSeeOther, outcomeCreated, "lead delivered"},
		"remarks":  {sandbox.FaultRemarks, http.StatusSeeOther, outcomeCreated, "not stored as sent"},
		"refused":  {sandbox.FaultInvalidLead, http.StatusUnprocessableEntity, outcomeRefused, "lead parked"},
		"known":    {sandbox.FaultConflict, http.StatusSeeOther, outcomeKnown, "lead parked"},
		"no token": {sandbox.FaultUnauthorizedToken, http.StatusSeeOther, outcomeWaiting, "everything is kept"},
		"down":     {sandbox.FaultDropped, http.StatusSeeOther, outcomeWaiting, "lead waits"},
		"slow":     {sandbox.FaultSlow, http.StatusSeeOther, outcomeWaiting, ""},
	} {
		t.Run(name, func(t *testing.T) {
			crm := newCRM(t)
			h := newHandler(t, crm.url, simpleBlock+"\ndeliver now 200ms")
			_, _, log := withOutbox(t, h)
			crm.Inject(sandbox.Faults()[test.fault])
			w, _, err := h.serve(postForm(meera))
			if err != nil {
				t.Fatal(err)
			}
			if w.Code != test.status || h.submission(t)["outcome"] != string(test.outcome) {
				t.Errorf("status %d, outcome %v; want %d, %s", w.Code, h.submission(t)["outcome"], test.status, test.outcome)
			}
			if test.logged != "" {
				eventually(t, "the word in the log", func() bool {
					return slices.ContainsFunc(log.All(), func(e observer.LoggedEntry) bool { return strings.Contains(e.Message, test.logged) })
				})
			}
		})
	}
}

func TestDeliverLaterWaitsForNobody(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, simpleBlock)
	h.Deliver = deliverLater
	withOutbox(t, h)
	crm.Inject(sandbox.Fault{Delay: 300 * time.Millisecond, Store: true, Status: http.StatusCreated, Body: `{"lead_id":"{lead_id}"}`})
	w, _, err := h.serve(postForm(meera))
	if err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusSeeOther || h.submission(t)["outcome"] != string(outcomeWaiting) {
		t.Errorf("status %d, outcome %v", w.Code, h.submission(t)["outcome"])
	}
	eventually(t, "the delivery", func() bool { return len(crm.Leads()) == 1 })
}

// A full disk alone loses nothing: the CRM is tried once, and only if it fails
// too is the visitor told so.
func TestFullDisk(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, simpleBlock)
	disk, _, _ := withOutbox(t, h)
	disk.full.Store(true)
	w, _, err := h.serve(postForm(meera))
	if err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusSeeOther || len(crm.Leads()) != 1 || h.submission(t)["outcome"] != string(outcomeCreated) {
		t.Errorf("status %d, %d leads, outcome %v", w.Code, len(crm.Leads()), h.submission(t)["outcome"])
	}
	if len(h.logged("could not keep a lead")) != 1 {
		t.Errorf("logged %v", h.log.All())
	}
	crm.Inject(sandbox.Faults()[sandbox.FaultServerError])
	w, _, err = h.serve(postForm(url.Values{"name": {"Meera Iyer"}, "phone": {"08123456780"}}))
	if err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `value="Meera Iyer"`) {
		t.Errorf("status %d, page %s", w.Code, w.Body)
	}
	disk.full.Store(false)
	if w, _, err = h.serve(postForm(url.Values{"phone": {"08123456781"}})); err != nil || w.Code != http.StatusSeeOther {
		t.Errorf("status %d once there is room, error %v", w.Code, err)
	}
}

// However many configs use a file, it is open once; a refused one leaves the
// one before it in force, and the last to go closes it.
func TestOutboxIsSharedByConfigs(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, simpleBlock)
	guest, running, _ := withOutbox(t, h)

	refused := &App{
		accounts: map[string]*account{}, inline: map[settingsKey]*account{},
		outbox: guest, resource: guest.File, logger: zap.NewNop(), started: make(chan struct{}),
	}
	if err := refused.Start(); err != nil {
		t.Fatal(err)
	}
	if refused.pooled != running.pooled {
		t.Error("the file was opened twice")
	}
	if n := len(running.pooled.engine.Status()); n != 0 {
		t.Errorf("%d accounts while the other config is in force", n)
	}
	if err := refused.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if n := len(running.pooled.engine.Status()); n != 1 {
		t.Errorf("%d accounts after the other config was refused, want 1", n)
	}
	if w, _, err := h.serve(postForm(meera)); err != nil || w.Code != http.StatusSeeOther || len(crm.Leads()) != 1 {
		t.Errorf("status %d, %d leads, error %v", w.Code, len(crm.Leads()), err)
	}
}

// A config that never started lets go of nothing.
func TestCleanupOfAConfigThatDidNotStart(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, simpleBlock)
	guest, running, _ := withOutbox(t, h)
	never := &App{outbox: guest, resource: guest.File, logger: zap.NewNop(), started: make(chan struct{})}
	if err := never.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if _, err := running.pooled.store.Counts(context.Background()); err != nil {
		t.Errorf("the running config's outbox is closed: %v", err)
	}
}

// A request that arrives before the app has started waits for it.
func TestRequestBeforeTheStart(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, simpleBlock)
	guest := &flakyOutbox{BoltOutbox: BoltOutbox{File: filepath.Join(t.TempDir(), "outbox.db")}}
	h.app.outbox, h.app.resource = guest, guest.File
	answered := make(chan int)
	go func() {
		w, _, _ := h.serve(postForm(meera))
		answered <- w.Code
	}()
	if err := h.app.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.app.Cleanup() }()
	if status := <-answered; status != http.StatusSeeOther {
		t.Errorf("status %d", status)
	}
}

// Without an outbox, too, no more than one visitor is told to correct what
// they typed when one lead after the other is refused; the others learn that
// theirs could not be kept, and what to do instead.
func TestEveryLeadRefusedWithoutAnOutbox(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, simpleBlock)
	post := func(phone string, want int) {
		t.Helper()
		w, _, err := h.serve(postForm(url.Values{"name": {"Ravi Menon"}, "phone": {phone}}))
		if err != nil || w.Code != want {
			t.Errorf("status %d, error %v, want %d", w.Code, err, want)
		}
	}
	refuse := func(n int) {
		for range n {
			crm.Inject(sandbox.Faults()[sandbox.FaultInvalidLead])
		}
	}
	refuse(4)
	post("08123456701", http.StatusUnprocessableEntity)
	post("08123456701", http.StatusUnprocessableEntity) // the same person
	post("08123456702", http.StatusServiceUnavailable)
	post("08123456703", http.StatusServiceUnavailable)
	if len(h.logged("one lead after the other")) != 2 {
		t.Error("the log does not say what is at fault")
	}
	post("08123456704", http.StatusSeeOther) // which is taken
	refuse(1)
	post("08123456705", http.StatusUnprocessableEntity)
}

// Without an outbox, and while its disk is full, the pace of an account turns away no visitor
// whom TeleCRM would take, and the log says that it was not kept.
func TestPaceTurnsNobodyAway(t *testing.T) {
	for _, keeps := range []bool{false, true} {
		t.Run(fmt.Sprintf("outbox %t", keeps), func(t *testing.T) {
			crm := newCRM(t)
			ctx := newAppContext(t, &Account{Token: testToken, EnterpriseID: testEnterprise, BaseURL: crm.url, Country: "IN"})
			h, err := provisionIn(ctx, simpleBlock+"\nrate_limit off\ndeliver now 3s")
			if err != nil {
				t.Fatal(err)
			}
			if keeps {
				guest, _, _ := withOutbox(t, h)
				guest.full.Store(true)
			}
			const posts = 20
			var visits sync.WaitGroup
			var thanked atomic.Int32
			for i := range posts {
				visits.Go(func() {
					w, _, err := h.serve(postForm(url.Values{"name": {"Ravi Menon"}, "phone": {fmt.Sprintf("81234567%02d", i)}}))
					if err == nil && w.Code == http.StatusSeeOther {
						thanked.Add(1)
					}
				})
			}
			visits.Wait()
			if thanked.Load() != posts || len(crm.Leads()) != posts {
				t.Errorf("%d of %d thanked, %d in TeleCRM", thanked.Load(), posts, len(crm.Leads()))
			}
			if h.log.FilterMessageSnippet("ahead of its turn").Len() == 0 {
				t.Error("the log does not say that the pace was not kept")
			}
		})
	}
}
