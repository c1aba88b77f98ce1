package guard_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/signing"
)

var served = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC) // beginning of a bucket

func newStamps() *guard.Stamps { return guard.NewStamps(signing.Key([]byte("a key")), "enquiry") }

// A stamp tells when its page was served, on any machine with the key, and never a later time.
func TestStampSaysWhenThePageWasServed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := served.Add(time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "at")))
		age := time.Duration(rapid.Int64Range(0, int64(9000*time.Hour)).Draw(t, "age"))
		trap := rapid.SampledFrom(guard.Traps()).Draw(t, "trap")
		got, ok := newStamps().Read(newStamps().Stamp(at, trap), at.Add(age))
		if !ok || got.Trap != trap || got.Most < age || got.Least > age || got.Most-got.Least != guard.Bucket {
			t.Fatalf("read %+v, %v", got, ok)
		}
	})
}

func TestStampIsTheSameWithinABucket(t *testing.T) {
	s := newStamps()
	first := s.Stamp(served, "subject_2")
	if s.Stamp(served.Add(guard.Bucket-1), "subject_2") != first || s.Stamp(served.Add(guard.Bucket), "subject_2") == first {
		t.Error("the stamp does not change with the bucket")
	}
	if strings.Trim(first, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
		t.Errorf("%q has characters that a form or a URL would change", first)
	}
}

// Nothing else is accepted as a stamp.
func TestStampIsNotForged(t *testing.T) {
	s := newStamps()
	genuine := s.Stamp(served, "subject_2")
	forged := []string{
		"", ".", "1", "1..", "1...", strings.Repeat("1", 1000), strings.Repeat(".", 1000), genuine + " ", genuine[1:], genuine[:len(genuine)-1], strings.ToUpper(genuine),
		guard.NewStamps(signing.Key([]byte("a key")), "callback").Stamp(served, "subject_2"), guard.NewStamps(signing.Key([]byte("another key")), "enquiry").Stamp(served, "subject_2"),
		s.Stamp(served.Add(2*time.Minute), "subject_2"), s.Stamp(served, "no trap"),
	}
	for i := range len(genuine) {
		forged = append(forged, genuine[:i]+"z"+genuine[i+1:])
	}
	for _, text := range forged {
		if text == genuine {
			continue
		}
		if got, ok := s.Read(text, served); ok {
			t.Errorf("%q is accepted as %+v", text, got)
		}
	}
}

// A stamp may have other keys' signatures beside the valid one, and nothing else.
func FuzzStamp(f *testing.F) {
	f.Add(newStamps().Stamp(served, "subject_2"))
	f.Add("1.abc.0.")
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := newStamps().Read(text, served)
		if !ok {
			return
		}
		genuine := strings.SplitN(newStamps().Stamp(served.Add(-got.Most), got.Trap), ".", 4)
		parts := strings.SplitN(text, ".", 4)
		if !slices.Equal(parts[:3], genuine[:3]) || !slices.Contains(strings.Split(parts[3], "."), genuine[3]) {
			t.Fatalf("%q is accepted as %+v", text, got)
		}
	})
}

func TestSignals(t *testing.T) {
	s := newStamps()
	genuine := s.Stamp(served, "subject_2")
	browser, hidden := guard.Sender{NamesPage: true}, guard.Sender{}
	const (
		none                           = "the page's stamp and trap are missing"
		young, forged, noStamp, noTrap = "sent within 2 seconds of the page", "the page's stamp is forged", "the page's stamp is missing", "the page's trap is missing"
		filled                         = "the trap is filled in"
	)
	for _, test := range []struct {
		name    string
		seal    guard.Seal
		after   time.Duration // time since the page was served
		want    []string
		verdict guard.Verdict
	}{
		{"a person's", guard.Seal{Stamps: []string{genuine}, TrapSent: true}, 20 * time.Second, nil, guard.Welcome},
		{"a page that is open for months", guard.Seal{Stamps: []string{genuine}, TrapSent: true}, 9000 * time.Hour, nil, guard.Welcome},
		{"at once", guard.Seal{Stamps: []string{genuine}, TrapSent: true}, guard.Bucket - 1, []string{young}, guard.Welcome},
		{"two seconds later", guard.Seal{Stamps: []string{genuine}, TrapSent: true}, guard.Bucket, nil, guard.Welcome},
		{"on a machine that is behind", guard.Seal{Stamps: []string{genuine}, TrapSent: true}, -30 * time.Second, nil, guard.Welcome},
		{"on a machine that is far behind", guard.Seal{Stamps: []string{genuine}, TrapSent: true}, -2 * time.Minute, []string{forged}, guard.Welcome},
		{"two forms' stamps", guard.Seal{Stamps: []string{"x", genuine}, TrapSent: true}, time.Minute, nil, guard.Welcome},
		{"forged", guard.Seal{Stamps: []string{"1.x.0.y"}, TrapSent: true}, 0, []string{forged}, guard.Welcome},
		{"without a stamp", guard.Seal{TrapSent: true}, 0, []string{noStamp}, guard.Welcome},
		{"without a trap", guard.Seal{Stamps: []string{genuine}}, time.Minute, []string{noTrap}, guard.Welcome},
		{"a page from before there were any", guard.Seal{Sender: browser}, 0, []string{none}, guard.Welcome},
		{"the same, in a browser that hides where it is", guard.Seal{Sender: hidden}, 0, []string{none}, guard.Welcome},
		{"not a browser", guard.Seal{Sender: guard.Sender{Program: true}}, 0, []string{none}, guard.Doubtful},
		{"not a browser, with the page's name", guard.Seal{Sender: guard.Sender{Program: true, NamesPage: true}}, 0, []string{none}, guard.Doubtful},
		{"pretends to be a browser", guard.Seal{Sender: guard.Sender{Flaws: 1, NamesPage: true}}, 0, []string{none}, guard.Doubtful},
		{"forged, without a trap", guard.Seal{Stamps: []string{""}}, 0, []string{noTrap, forged}, guard.Doubtful},
		{"by a script", guard.Seal{ByScript: true}, 0, nil, guard.Welcome},
		{"by a script, forged", guard.Seal{ByScript: true, Stamps: []string{""}}, 0, []string{forged}, guard.Welcome},
		{"filled in", guard.Seal{Stamps: []string{genuine}, TrapSent: true, TrapFilled: true}, time.Minute, []string{filled}, guard.Unwanted},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.Signals(test.seal, served.Add(test.after))
			var reasons []string
			for _, signal := range got {
				reasons = append(reasons, signal.Reason)
			}
			if diff := cmp.Diff(test.want, reasons); diff != "" || got.Verdict() != test.verdict {
				t.Errorf("verdict %v, want %v; reasons (-want +got):\n%s", got.Verdict(), test.verdict, diff)
			}
			if got := (*guard.Stamps)(nil).Signals(test.seal, served); got != nil {
				t.Errorf("signals without stamps: %v", got)
			}
		})
	}
}

func TestTrapsOf(t *testing.T) {
	s := newStamps()
	if got := s.TrapsOf([]string{"forged", s.Stamp(served, "topic_2")}, served); !slices.Equal(got, []string{"topic_2"}) {
		t.Errorf("trap of the stamp is %q", got)
	}
	if got := s.TrapsOf([]string{"forged"}, served); !slices.Equal(got, guard.Traps()) {
		t.Errorf("without a valid stamp, traps are %q", got)
	}
}
