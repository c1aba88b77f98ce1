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

// flips is the number of bits to flip in the outbox file.
const flips = 20

// With a damaged or missing outbox file, visitors are still served, and only unreadable leads are
// lost.
func TestOutboxDamaged(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		// damage returns the number of leads that may be corrupt although a search finds their message.
		damage func(t *testing.T, file string) (hidden int)
		// kept means that a running process loses nothing, because it has the file open.
		kept bool
	}{
		{"truncated", truncate, false},
		{"bits flipped", flip, false},
		{"removed", remove, true},
		{"replaced", replace, true},
		{"overwritten", overwrite, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, running := range []bool{true, false} {
				name := map[bool]string{true: "while running", false: "while stopped"}[running]
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					r := newRig(t, settings{deliver: "later"})
					r.crm.close()
					r.during(t, 100, func() { pass(t, sized(2*time.Second, time.Minute)) })
					if !running {
						r.Stop(t)
					}
					lost := tc.damage(t, r.outbox)
					if !running || !tc.kept {
						lost += unreadable(t, r.outbox, r.all())
					}
					if !running {
						r.start(t)
					}
					damaged := time.Now()
					r.during(t, 50, func() {
						pass(t, time.Second)
						r.crm.listen(t)
						pass(t, time.Second)
					})
					l := r.drainBut(t, sized(40*time.Second, 5*time.Minute), func() int {
						if logged, reported := r.reportedLost(); reported {
							return min(logged, lost)
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

// reportedLost returns the number of lost leads according to the log.
func (r *rig) reportedLost() (lost int, known bool) {
	reports := r.logged("error", "set aside")
	known = len(reports) > 0
	for _, line := range reports {
		lost += line.Lost
		known = known && line.LostKnown
	}
	return lost, known
}

// verifyLoss checks that only leads from before the damage are missing, and that the log reports
// the damage if it can be detected.
func (r *rig) verifyLoss(t *testing.T, l ledger, damaged time.Time, tells bool) {
	t.Helper()
	missing := l.missing()
	for _, p := range missing {
		if p.begun.After(damaged) {
			t.Errorf("LOST: %q, posted after the damage", p.name)
		}
	}
	reports := slices.Concat(r.logged("error", "set aside"), r.logged("error", "removed or replaced"))
	for _, line := range reports {
		t.Log(line.text)
	}
	named := len(r.logged("error", "is damaged on disk")) // leads in a file that is not damaged otherwise
	if tells && len(reports) == 0 && named < len(missing) {
		t.Errorf("UNREPORTED: %d leads were lost, and the log names %d", len(missing), named)
	}
	if len(reports) > 1 {
		t.Errorf("the damage was reported %d times", len(reports))
	}
}

// unreadable counts the thanked visitors whose messages are not in the file any more.
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

func truncate(t *testing.T, file string) int {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, info.Size()/2); err != nil {
		t.Fatal(err)
	}
	return 1
}

// flip flips bits. Each can hide a lead, and one in the number of a page's rows those of the page.
func flip(t *testing.T, file string) (hidden int) {
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
		const pageSize, mostRows = 4096, 12
		if hidden++; at%pageSize == 3 || at%pageSize == 4 {
			hidden += mostRows
		}
	}
	return hidden
}

func remove(t *testing.T, file string) int {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	return 0
}

// replace replaces the outbox file with another file, like a restored backup.
func replace(t *testing.T, file string) int {
	t.Helper()
	write(t, file+".other", "This is not an outbox. ")
	if err := os.Rename(file+".other", file); err != nil {
		t.Fatal(err)
	}
	return 0
}

// overwrite overwrites the whole file.
func overwrite(t *testing.T, file string) int {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, string(bytes.Repeat([]byte("?"), int(info.Size()))))
	return 0
}
