package record

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
)

func TestStates(t *testing.T) {
	t.Parallel()
	for _, s := range outbox.States() {
		if got := PublicState(StateOf(s)); got != s {
			t.Errorf("%s becomes %s", s, got)
		}
	}
	if PublicState(Taken) != outbox.Waiting || PublicState(Damaged) != outbox.Parked || StateOf("lost") != 0 {
		t.Error("a state that is not public becomes another one")
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, time.March, 1, 12, 0, 0, 123_456_789, time.UTC)
	if got := FromMillis(Millis(at)); !got.Equal(at.Truncate(time.Millisecond)) {
		t.Errorf("%v becomes %v", at, got)
	}
	if !FromMillis(Millis(time.Time{})).IsZero() {
		t.Error("the zero time becomes another one")
	}
	if got := FromMillis(Millis(Ceil(at))); !got.Equal(at.Truncate(time.Millisecond).Add(time.Millisecond)) {
		t.Errorf("the first stored time from %v is %v", at, got)
	}
	// An id of version 7 is between those of its millisecond and of the next one.
	id := uuid.Must(uuid.NewV7())
	sec, nsec := id.Time().UnixTime()
	made := time.Unix(sec, nsec)
	if bytes.Compare(FirstID(made), id[:]) > 0 || bytes.Compare(id[:], FirstID(made.Add(time.Millisecond))) >= 0 {
		t.Errorf("%s was made at %v", id, made)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	valid := outbox.Entry{ID: "01920000-0000-7000-8000-000000000001", State: outbox.Waiting}
	for name, change := range map[string]func(*outbox.Entry){
		"no id":         func(e *outbox.Entry) { e.ID = "" },
		"a zero id":     func(e *outbox.Entry) { e.ID = uuid.Nil.String() },
		"an URN":        func(e *outbox.Entry) { e.ID = "urn:uuid:" + e.ID },
		"another state": func(e *outbox.Entry) { e.State = "lost" },
		"a long text":   func(e *outbox.Entry) { e.Reason = strings.Repeat("x", maxTextSize+1) },
		"a payload":     func(e *outbox.Entry) { e.Payload = make([]byte, MaxPayloadSize+1) },
	} {
		e := valid
		change(&e)
		if _, err := New(e); err == nil {
			t.Errorf("New accepts an entry with %s", name)
		}
		if _, err := Adopted(e); err == nil {
			t.Errorf("Adopted accepts an entry with %s", name)
		}
	}
	if _, _, err := CheckFilter(outbox.Filter{After: "x"}); err == nil {
		t.Error("CheckFilter accepts a page after no id")
	}
	if f, _, err := CheckFilter(outbox.Filter{Limit: 1e6}); err != nil || f.Limit != MaxPage {
		t.Errorf("the limit is %d, error %v", f.Limit, err)
	}
	if err := CheckExpire(outbox.Waiting); !errors.Is(err, outbox.ErrState) {
		t.Errorf("expiring waiting entries: error %v", err)
	}
}

// Different accounts, identifiers and secrets have different hashes.
func TestHash(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, args := range [][3]string{{"a", "bc", "1"}, {"ab", "c", "1"}, {"a", "bc", "2"}, {"", "abc", "1"}} {
		hash := Hash([]byte(args[2]), args[0], args[1])
		if len(hash) != hashSize || seen[string(hash)] {
			t.Errorf("the hash of %q is %x", args, hash)
		}
		seen[string(hash)] = true
	}
}
