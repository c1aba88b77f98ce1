//go:build linux

package faulttest

import (
	"bytes"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"
)

// flips is how many bits of the outbox file are turned over.
const flips = 20

// An outbox file that is damaged or gone keeps nobody from being served, and
// loses no more than what cannot be read any more.
func TestOutboxDamaged(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		damage func(t *testing.T, file string)
		// spoilt is how many leads the damage may have spoilt that a search
		// for their names still finds.
		spoilt int
		// kept: the running process has the file open and loses nothing.
		kept bool
	}{
		{"truncated", truncate, 1, false},
		{"bits flipped", flip, flips, false},
		{"removed", remove, 0, true},
		{"replaced", replace, 0, true},
		{"overwritten", overwrite, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, running := range []bool{true, false} {
				name := map[bool]string{true: "while running", false: "while stopped"}[running]
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					r := newRig(t, settings{deliver: "later"})
					r.crm.fall()
					r.during(t, 100, func() { pass(t, sized(2*time.Second, time.Minute)) })
					if !running {
						r.Stop(t)
					}
					tc.damage(t, r.outbox)
					lost := 0
					if !running || !tc.kept {
						lost = unreadable(t, r.outbox, r.all()) + tc.spoilt
					}
					if !running {
						r.start(t)
					}
					damaged := time.Now()
					r.during(t, 50, func() {
						pass(t, time.Second)
						r.crm.rise(t)
						pass(t, time.Second)
					})
					l := r.drainBut(t, sized(40*time.Second, 5*time.Minute), func() int {
						if told, reported := r.told(); reported {
							return min(told, lost)
						}
						return lost
					})
					allThanked(t, r.since(damaged))
					r.verify(t, l, false)
					r.verifyLoss(t, l, damaged, running || !tc.kept)
					l.report(t, "outbox "+tc.name+" "+name)
				})
			}
		})
	}
}

// told returns how many leads the log says are lost, if it says so.
func (r *rig) told() (lost int, known bool) {
	reports := r.logged("error", "set aside")
	known = len(reports) > 0
	for _, line := range reports {
		lost += line.Lost
		known = known && line.LostKnown
	}
	return lost, known
}

// verifyLoss checks that only leads from before the damage are missing, and
// that, if anything could tell of the damage, the log does.
func (r *rig) verifyLoss(t *testing.T, l ledger, damaged time.Time, tells bool) {
	t.Helper()
	missing := l.missing()
	for _, p := range missing {
		if p.begun.After(damaged) {
			t.Errorf("LOST: %q, who came after the damage", p.name)
		}
	}
	reports := slices.Concat(r.logged("error", "set aside"), r.logged("error", "removed or replaced"))
	for _, line := range reports {
		t.Log(line.text)
	}
	if len(missing) > 0 && tells && len(reports) == 0 {
		t.Errorf("UNREPORTED: %d leads were lost without a word", len(missing))
	}
	if len(reports) > 1 {
		t.Errorf("one damage was reported %d times", len(reports))
	}
}

// unreadable counts the thanked whose names are no more in the file.
func unreadable(t *testing.T, file string, posts []post) int {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	n := 0
	for _, p := range posts {
		if p.thanked() && !bytes.Contains(content, []byte(p.message())) {
			n++
		}
	}
	return n
}

func truncate(t *testing.T, file string) {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, info.Size()/2); err != nil {
		t.Fatal(err)
	}
}

func flip(t *testing.T, file string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for range flips {
		at, b := rand.N(info.Size()), make([]byte, 1)
		if _, err := f.ReadAt(b, at); err != nil {
			t.Fatal(err)
		}
		b[0] ^= 1 << rand.N(8)
		if _, err := f.WriteAt(b, at); err != nil {
			t.Fatal(err)
		}
		t.Logf("bit flipped in byte %d of %d, now %#x", at, info.Size(), b[0])
	}
}

func remove(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}

// replace puts another file in the place of the outbox, as a restored backup
// would be.
func replace(t *testing.T, file string) {
	t.Helper()
	write(t, file+".other", "This is no outbox. ")
	if err := os.Rename(file+".other", file); err != nil {
		t.Fatal(err)
	}
}

// overwrite loses all that is in the file.
func overwrite(t *testing.T, file string) {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, string(bytes.Repeat([]byte("?"), int(info.Size()))))
}
