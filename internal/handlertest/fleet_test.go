package handlertest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// commonOutbox is an outbox that several machines share.
type commonOutbox struct {
	*flakyOutbox
}

func (c *commonOutbox) Open(logger *zap.Logger) (outbox.Store, error) {
	store, err := c.flakyOutbox.Open(logger)
	return &commonStore{Store: store, marks: make(map[string]string)}, err
}

// commonStore is a store with marks.
type commonStore struct {
	outbox.Store

	mu    sync.Mutex
	marks map[string]string // owners by key
}

var _ outbox.Shared = (*commonStore)(nil)

func (*commonStore) IsShared() bool                                      { return true }
func (*commonStore) Skew() time.Duration                                 { return 0 }
func (*commonStore) LeasedUntil(string) (until time.Time, leased bool)   { return time.Time{}, false }
func (*commonStore) Fleet(context.Context) (fleet outbox.Fleet, _ error) { return fleet, nil }

func (*commonStore) Lend(_ context.Context, want outbox.LoanRequest) (outbox.Loan, error) {
	return outbox.Loan{Tokens: want.Want, Usable: time.Minute, Nodes: 1}, nil
}

func (*commonStore) Publish(context.Context, string, outbox.AccountState) (bool, error) {
	return true, nil
}

func (s *commonStore) Append(ctx context.Context, e outbox.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := e.Mark.Key
	if key == "" {
		return s.Store.Append(ctx, e)
	}
	if earlier, is := s.marks[key]; is && earlier != e.ID {
		if _, err := s.Get(ctx, earlier); !errors.Is(err, outbox.ErrNotFound) {
			return &outbox.RepeatError{ID: earlier}
		}
	}
	err := s.Store.Append(ctx, e)
	if err == nil {
		s.marks[key] = e.ID
	}
	return err
}

func (s *commonStore) Mark(_ context.Context, m outbox.Mark, owner string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.marks[m.Key] == "" {
		s.marks[m.Key] = owner
	}
	return s.marks[m.Key] == owner, nil
}

func (s *commonStore) Unmark(_ context.Context, m outbox.Mark, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.marks[m.Key] == id {
		delete(s.marks, m.Key)
	}
	return nil
}

func (s *commonStore) endMarks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.marks)
}

// machines returns handlers with the same form and a common outbox. Their guards remember separately,
// because their rate limits differ.
func machines(t *testing.T, crm crm, block string) (a, b testHandler) {
	t.Helper()
	guest := &commonOutbox{newFlakyOutbox(t)}
	open := func(words string) testHandler {
		r := newRig(crm.url, block+words)
		r.guest = guest
		h := r.handler(t)
		h.restart(t, guest)
		return h
	}
	return open("\nrate_limit 100 1m"), open("\nrate_limit 200 1m")
}

// idOf returns the id in an answer that thanks the visitor.
func idOf(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	location, err := url.Parse(w.Header().Get("Location"))
	if err != nil || location.Query().Get("id") == "" {
		t.Fatalf("status %d, location %q, error %v", w.Code, w.Header().Get("Location"), err)
	}
	return location.Query().Get("id")
}

// A post that another machine has accepted is answered as the same machine would answer it.
func TestRepeatsOnAnotherMachine(t *testing.T) {
	for name, test := range map[string]struct {
		block         string
		first, second url.Values
		outcomes      [2]string
		kept          int
	}{
		"the same lead":       {"", meera, meera, [2]string{"created", "repeat"}, 1},
		"delivered later":     {"deliver later", meera, meera, [2]string{"waiting", "repeat"}, 1},
		"another lead":        {"", meera, with(meera, "message", "Please call"), [2]string{"created", "waiting"}, 2},
		"trapped":             {"", with(meera, "_gotcha", "x"), with(meera, "_gotcha", "x"), [2]string{"aside", "repeat"}, 1},
		"trapped only once":   {"", with(meera, "_gotcha", "x"), meera, [2]string{"aside", "created"}, 2},
		"not recognized":      {"dedupe off", meera, meera, [2]string{"created", "waiting"}, 2},
		"asked on both":       {"", advertised, advertised, [2]string{"asked", "asked"}, 1},
		"asked, then changed": {"", advertised, with(advertised, "message", "Please call"), [2]string{"asked", "created"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := machines(t, newCRM(t), guardedBlock+"on_duplicate ignore\n"+test.block)
			one, other := a.mustServe(t, postForm(test.first)), b.mustServe(t, postForm(test.second))
			if got := [2]string{a.outcomes()[0], b.outcomes()[0]}; got != test.outcomes {
				t.Errorf("outcomes %v, want %v", got, test.outcomes)
			}
			entries := kept(t, a.opened(t))
			if len(entries) != test.kept {
				t.Errorf("%d leads are kept, want %d", len(entries), test.kept)
			}
			if test.outcomes[1] != "repeat" {
				return
			}
			if id := idOf(t, one); idOf(t, other) != id || b.submission(t)["repeats"] != id || entries[0].ID != id {
				t.Errorf("the first answer has the id %s, the second %s; logged %v", id, idOf(t, other), b.submission(t))
			}
			if b.mustServe(t, postForm(test.second)); b.submission(t)["outcome"] != "repeat" {
				t.Errorf("the third post has the outcome %v", b.submission(t)["outcome"])
			}
		})
	}
}

// A lead that TeleCRM refused, or that an operator erased, can be sent again to another machine.
func TestNoRepeatOnAnotherMachine(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		crm := newCRM(t)
		a, b := machines(t, crm, guardedBlock)
		crm.Inject(sandbox.Faults()[sandbox.FaultInvalidLead])
		if w := a.mustServe(t, postForm(meera)); w.Code != http.StatusUnprocessableEntity {
			t.Fatalf("status %d", w.Code)
		}
		if w := b.mustServe(t, postForm(meera)); w.Code != http.StatusSeeOther || b.outcomes()[0] == "repeat" {
			t.Errorf("status %d, outcomes %v", w.Code, b.outcomes())
		}
		eventually(t, "the delivery", func() bool { return len(crm.Leads()) == 1 })
	})
	t.Run("erased", func(t *testing.T) {
		a, b := machines(t, newCRM(t), guardedBlock+"on_duplicate ignore\n")
		id := idOf(t, a.mustServe(t, postForm(meera)))
		eventually(t, "erasing", func() bool { return a.opened(t).Store.Erase(t.Context(), id) == nil })
		if again := idOf(t, b.mustServe(t, postForm(meera))); again == id || b.outcomes()[0] == "repeat" {
			t.Errorf("the lead with the id %s is %v", again, b.outcomes())
		}
	})
	t.Run("not kept", func(t *testing.T) {
		a, b := machines(t, newCRM(t), guardedBlock+"on_duplicate ignore\n")
		guest := a.guest.(*commonOutbox)
		guest.full.Store(true)
		a.mustServe(t, postForm(meera))
		guest.full.Store(false)
		b.mustServe(t, postForm(meera))
		if got := slices.Concat(a.outcomes(), b.outcomes()); !slices.Equal(got, []string{"created", "waiting"}) {
			t.Errorf("outcomes %v", got)
		}
	})
}

// A visitor who is asked on one machine may confirm on another. The post that was parked is removed,
// and confirming again is a repeat.
func TestConfirmationOnAnotherMachine(t *testing.T) {
	a, b := machines(t, newCRM(t), guardedBlock)
	asked := a.mustServe(t, postForm(advertised))
	confirmed := with(advertised, confirmInput, confirmation(t, asked))
	id := idOf(t, b.mustServe(t, postForm(confirmed)))
	if entries := kept(t, a.opened(t)); len(entries) != 1 || entries[0].ID != id {
		t.Errorf("kept %+v", entries)
	}
	if again := idOf(t, a.mustServe(t, postForm(confirmed))); again != id || a.submission(t)["outcome"] != "repeat" {
		t.Errorf("confirmed again: id %s, want %s; outcome %v", again, id, a.submission(t)["outcome"])
	}
	if entries := kept(t, a.opened(t)); len(entries) != 1 {
		t.Errorf("kept %+v", entries)
	}
}

// A repeat of another machine's lead is remembered, but no longer than the lead itself.
func TestRepeatOfAnotherMachineEnds(t *testing.T) {
	a, b := machines(t, newCRM(t), guardedBlock+"dedupe 10m\non_duplicate ignore")
	id := idOf(t, a.mustServe(t, postForm(meera)))
	b.clock.turn(9 * time.Minute)
	store := a.opened(t).Store.(*commonStore)
	for range 2 {
		if again := idOf(t, b.mustServe(t, postForm(meera))); again != id {
			t.Errorf("a repeat has the id %s, want %s", again, id)
		}
		store.endMarks() // the machine remembers by itself
	}
	b.clock.turn(2 * time.Minute)
	if again := idOf(t, b.mustServe(t, postForm(meera))); again == id {
		t.Error("a lead is a repeat after 11 minutes")
	}
}

// Two machines that get the same post at once keep one lead.
func TestRepeatsOnOtherMachinesAtOnce(t *testing.T) {
	a, b := machines(t, newCRM(t), guardedBlock)
	for n := range 10 {
		values := with(meera, "phone", "0812345678"+string(rune('0'+n)))
		var posts sync.WaitGroup
		var ids [2]string
		for i, h := range []testHandler{a, b} {
			posts.Go(func() {
				r := postForm(values)
				r.Header.Set("Accept", "application/json")
				w, _, err := h.serve(r)
				var body struct {
					ID string `json:"id"`
				}
				if err = errors.Join(err, json.Unmarshal(w.Body.Bytes(), &body)); err != nil {
					t.Error(err)
				}
				ids[i] = body.ID
			})
		}
		posts.Wait()
		if ids[0] == "" || ids[0] != ids[1] {
			t.Errorf("the answers have the ids %v", ids)
		}
	}
	if entries := kept(t, a.opened(t)); len(entries) != 10 {
		t.Errorf("%d leads are kept, want 10", len(entries))
	}
}
