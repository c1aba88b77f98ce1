package handlertest

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
	"go.uber.org/zap/zaptest/observer"

	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/modules/outboxes"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// flakyOutbox is an outbox in a file whose disk can be full.
type flakyOutbox struct {
	outboxes.SQLite
	full atomic.Bool
}

var errDiskFull = errors.New("no space left on device")

func (f *flakyOutbox) Open(logger *zap.Logger) (outbox.Store, error) {
	store, err := f.SQLite.Open(logger)
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

// newFlakyOutbox returns an outbox in a new file.
func newFlakyOutbox(t testing.TB) *flakyOutbox {
	t.Helper()
	return &flakyOutbox{SQLite: outboxes.SQLite{File: filepath.Join(t.TempDir(), "outbox.db")}}
}

// withOutbox provisions the handler again, in a started config with an outbox.
func withOutbox(t testing.TB, h testHandler) (*flakyOutbox, *dispatch.Dispatcher, *observer.ObservedLogs) {
	t.Helper()
	guest := newFlakyOutbox(t)
	h.restart(t, guest)
	return guest, h.opened(t), h.logs.app
}

// restart provisions the handler again in a config with that outbox, and starts its app.
func (h *testHandler) restart(t testing.TB, guest dispatch.Guest) {
	t.Helper()
	h.guest = guest
	again := h.rig.handler(t)
	*h.Handler = *again.Handler
	if err := h.app.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.app.Cleanup(); err != nil {
			t.Error(err)
		}
	})
}

// opened returns the outbox of the handler's app.
func (h testHandler) opened(t testing.TB) *dispatch.Dispatcher {
	t.Helper()
	resource, err := h.guest.Resource()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dispatch.All() {
		if d.Resource == resource {
			return d
		}
	}
	t.Fatal("the outbox is not open")
	return nil
}

var meera = url.Values{"name": {"Meera Iyer"}, "phone": {"08123456789"}}

func TestDeliverNowReportsTheResult(t *testing.T) {
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
		"no token": {sandbox.FaultUnauthorizedToken, http.StatusSeeOther, outcomeWaiting, "on hold"},
		"down":     {sandbox.FaultDropped, http.StatusSeeOther, outcomeWaiting, "lead waiting"},
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
			crm.Close() // ends the slow request
			if test.logged != "" {
				eventually(t, "the log entry", func() bool {
					return slices.ContainsFunc(log.All(), func(e observer.LoggedEntry) bool { return strings.Contains(e.Message, test.logged) })
				})
			}
		})
	}
}

func TestDeliverLaterDoesNotWait(t *testing.T) {
	crm := newCRM(t)
	r := newRig(crm.url, simpleBlock+"\ndeliver later")
	r.guest = newFlakyOutbox(t)
	h := r.handler(t)
	h.restart(t, r.guest)
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

// When the disk is full, the lead is sent once directly. Only if that fails too does the visitor
// get an error.
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
		t.Errorf("with free space again: status %d, error %v", w.Code, err)
	}
}

// Configs that use the same file share one open outbox. Rolling back a config puts the previous one
// in force again.
func TestOutboxIsSharedByConfigs(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, simpleBlock)
	guest, running, _ := withOutbox(t, h)

	next := newRig(crm.url, simpleBlock)
	next.guest, next.settings.EnterpriseID = guest, testEnterprise+"0"
	next.handler(t)
	if err := next.app.Start(); err != nil {
		t.Fatal(err)
	}
	if len(dispatch.All()) != 1 {
		t.Error("the file was opened twice")
	}
	described := running.Engine.Status()
	if err := next.app.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if n := len(running.Engine.Status()); n != 1 || len(described) != 1 {
		t.Errorf("%d accounts with the other config, %d after it was rolled back; want 1", len(described), n)
	}
	if w, _, err := h.serve(postForm(meera)); err != nil || w.Code != http.StatusSeeOther || len(crm.Leads()) != 1 {
		t.Errorf("status %d, %d leads, error %v", w.Code, len(crm.Leads()), err)
	}
}

// Cleaning up a config that never started does not release the outbox.
func TestCleanupWithoutStart(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, simpleBlock)
	guest, running, _ := withOutbox(t, h)
	never := newRig(crm.url, simpleBlock)
	never.guest = guest
	never.handler(t)
	if err := never.app.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if _, err := running.Store.Counts(context.Background()); err != nil {
		t.Errorf("the running config's outbox is closed: %v", err)
	}
}

// A request that arrives before the app has started waits for it.
func TestRequestBeforeStart(t *testing.T) {
	crm := newCRM(t)
	r := newRig(crm.url, simpleBlock)
	r.guest = newFlakyOutbox(t)
	h := r.handler(t)
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

// When TeleCRM refuses one lead after the other, only the first visitor is told to correct their
// input, also without an outbox. The others are told that their lead could not be kept.
func TestEveryLeadRefusedWithoutOutbox(t *testing.T) {
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
	post("08123456704", http.StatusSeeOther) // accepted
	refuse(1)
	post("08123456705", http.StatusUnprocessableEntity)
}

// Without an outbox, or while its disk is full, an account's pace never loses a lead that TeleCRM
// would accept. The lead is sent ahead of its turn, and the log says so.
func TestPaceDoesNotRefuseVisitors(t *testing.T) {
	for _, keeps := range []bool{false, true} {
		t.Run(fmt.Sprintf("outbox %t", keeps), func(t *testing.T) {
			crm := newCRM(t)
			r := newRig(crm.url, simpleBlock+"\nrate_limit off\ndeliver now 3s")
			r.settings.CRMRate = ""
			h := r.handler(t)
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
			if h.logs.app.FilterMessageSnippet("ahead of its turn").Len() == 0 {
				t.Error("the log does not say that a lead was sent ahead of its turn")
			}
		})
	}
}
