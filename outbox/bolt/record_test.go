package bolt

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/outbox"
)

var sameRecord = cmp.Options{cmp.AllowUnexported(record{}), cmpopts.EquateEmpty()}

func drawRecord(t *rapid.T) *record {
	text := rapid.StringN(0, 40, 200)
	at := rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "zero") {
			return time.Time{}
		}
		return time.Unix(rapid.Int64().Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")).UTC()
	})
	id := uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
	id[0] |= 1
	return &record{
		id:       id,
		revision: rapid.Uint64().Draw(t, "revision"),
		taken:    rapid.Bool().Draw(t, "taken"),
		entry: outbox.Entry{
			ID:             id.String(),
			Account:        text.Draw(t, "account"),
			Form:           text.Draw(t, "form"),
			Identifier:     text.Draw(t, "identifier"),
			Payload:        rapid.SliceOf(rapid.Byte()).Draw(t, "payload"),
			CreatedAt:      at.Draw(t, "created"),
			State:          rapid.SampledFrom(outbox.States()).Draw(t, "state"),
			DueAt:          at.Draw(t, "due"),
			Attempts:       rapid.IntRange(0, 1000).Draw(t, "attempts"),
			BegunAt:        at.Draw(t, "begun"),
			AmbiguousSince: at.Draw(t, "ambiguous"),
			FailingSince:   at.Draw(t, "failing"),
			Reason:         text.Draw(t, "reason"),
			LeadID:         text.Draw(t, "lead"),
			SettledAt:      at.Draw(t, "settled"),
		},
	}
}

func TestRecordRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := drawRecord(t)
		got, err := decodeRecord(want.encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, sameRecord); diff != "" {
			t.Fatalf("decoded record (-want +got):\n%s", diff)
		}
	})
}

func TestRecordDetectsDamage(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		frame := drawRecord(t).encode()
		harmed := bytes.Clone(frame)
		switch n := rapid.IntRange(0, len(frame)-1).Draw(t, "where"); rapid.SampledFrom([]string{"flip", "cut", "grow"}).Draw(t, "damage") {
		case "flip":
			harmed[n] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		case "cut":
			harmed = harmed[:n]
		case "grow":
			harmed = append(harmed, 0)
		}
		if _, err := decodeRecord(harmed); err == nil {
			t.Fatal("damage was not noticed")
		}
	})
}

func TestRecordKeepsUnknownFields(t *testing.T) {
	t.Parallel()
	r := &record{id: uuid.Must(uuid.NewV7()), revision: 1, entry: outbox.Entry{Account: "default", State: outbox.Waiting}}
	later := appendField(appendText(r.encode(), 200, "of a later version"), 201, []byte{1})
	seal(later)
	read, err := decodeRecord(later)
	if err != nil {
		t.Fatal(err)
	}
	read.entry.Reason = "changed"
	again, err := decodeRecord(read.encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(read, again, sameRecord); diff != "" {
		t.Errorf("after a change (-want +got):\n%s", diff)
	}
	if !bytes.Contains(again.encode(), []byte("of a later version")) {
		t.Error("the unknown field is gone")
	}
}

// FuzzDecodeRecord: what can be decoded is encoded as something that means
// the same.
func FuzzDecodeRecord(f *testing.F) {
	r := &record{id: uuid.Must(uuid.NewV7()), revision: 7, taken: true, entry: outbox.Entry{
		Account: "default", Form: "/enquire", Identifier: "918123456789", Payload: []byte(`{}`),
		CreatedAt: time.Unix(1, 2), State: outbox.Waiting, Attempts: 3,
	}}
	f.Add(r.encode()[frameHeaderSize:])
	f.Add([]byte{tagID, 16})
	f.Add([]byte{tagCreatedAt, 12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, body []byte) {
		first, err := decodeRecord(seal(append(make([]byte, frameHeaderSize), body...)))
		if err != nil {
			return
		}
		second, err := decodeRecord(first.encode())
		if err != nil {
			t.Fatalf("what was decoded cannot be again: %v", err)
		}
		if diff := cmp.Diff(first, second, sameRecord); diff != "" {
			t.Fatalf("decoded twice (-first +second):\n%s", diff)
		}
	})
}

func BenchmarkEncodeRecord(b *testing.B) {
	r := benchmarkRecord()
	b.ReportAllocs()
	for b.Loop() {
		r.encode()
	}
}

func BenchmarkDecodeRecord(b *testing.B) {
	frame := benchmarkRecord().encode()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeRecord(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkRecord() *record {
	return &record{id: uuid.Must(uuid.NewV7()), revision: 1, entry: outbox.Entry{
		Account: "default", Form: "/enquire", Identifier: "918123456789", Payload: make([]byte, 350),
		CreatedAt: time.Now(), DueAt: time.Now(), State: outbox.Waiting,
	}}
}
