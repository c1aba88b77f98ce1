package sqlstore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

func BenchmarkAppend(b *testing.B) { benchmarkAppend(b, 1) }

func BenchmarkAppendParallel32(b *testing.B) { benchmarkAppend(b, 32) }

// benchmarkAppend appends from several goroutines. It reports the processor time per append, and
// how long the slowest appends took.
func benchmarkAppend(b *testing.B, goroutines int) {
	store := openAt(b, filepath.Join(b.TempDir(), "outbox.db"))
	mustAppend(b, store)
	took := make([]time.Duration, b.N)
	inParallel(b, goroutines, func(n int64) { took[n] = timeAppend(b, store) })
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs/p99")
	b.ReportMetric(float64(took[len(took)-1].Microseconds()), "µs/max")
}

// inParallel calls f with each number below b.N, from several goroutines. It reports the processor
// time per call.
func inParallel(b *testing.B, goroutines int, f func(n int64)) {
	var next atomic.Int64
	var work sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	before := processorTime(b)
	for range goroutines {
		work.Go(func() {
			for n := next.Add(1) - 1; n < int64(b.N); n = next.Add(1) - 1 {
				f(n)
			}
		})
	}
	work.Wait()
	b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// processorTime returns the processor time that the process has used, in steps of 10 ms.
func processorTime(b *testing.B) time.Duration {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		b.Fatal(err)
	}
	// After the command's name in parentheses, utime and stime are the 12th and 13th fields.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	ticks := 0
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// BenchmarkDeliver measures a lead that is delivered at the first attempt. It is appended as taken
// and then settled.
func BenchmarkDeliver(b *testing.B) { benchmarkDeliver(b, 1) }

func BenchmarkDeliverParallel32(b *testing.B) { benchmarkDeliver(b, 32) }

func benchmarkDeliver(b *testing.B, goroutines int) {
	store := openAt(b, filepath.Join(b.TempDir(), "outbox.db"))
	mustAppend(b, store)
	inParallel(b, goroutines, func(int64) {
		e := newEntry()
		e.BegunAt = e.CreatedAt
		err := store.Append(context.Background(), e)
		if err == nil {
			err = store.Settle(context.Background(), e.ID, outbox.Settlement{State: outbox.Delivered, At: e.CreatedAt, LeadID: "65f0c0ffee", Lazy: true})
		}
		if err != nil {
			b.Error(err)
		}
	})
}

func BenchmarkTakeSettle(b *testing.B) {
	store := openAt(b, filepath.Join(b.TempDir(), "outbox.db"))
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		mustAppend(b, store)
		b.StartTimer()
		takeAndSettle(b, store)
	}
}

func takeAndSettle(b *testing.B, store *sqlstore.Store) {
	now := time.Now()
	entries, err := store.Take(context.Background(), "default", now, now, 1, nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range entries {
		settlement := outbox.Settlement{State: outbox.Delivered, At: now, LeadID: "65f0c0ffee"}
		if err := store.Settle(context.Background(), e.ID, settlement); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBacklog measures the cost of a backlog of waiting entries: 20,000, or OUTBOX_ENTRIES.
//
//	OUTBOX_ENTRIES=1000000 go test -run '^$' -bench BenchmarkBacklog -benchtime 1x ./outbox/sqlstore
func BenchmarkBacklog(b *testing.B) {
	const appends = 5000
	entries := 20_000
	if asked := os.Getenv("OUTBOX_ENTRIES"); asked != "" {
		var err error
		if entries, err = strconv.Atoi(asked); err != nil {
			b.Fatal(err)
		}
	}
	path := filepath.Join(b.TempDir(), "outbox.db")
	empty := openAt(b, filepath.Join(b.TempDir(), "empty.db"))
	full := openAt(b, path)
	appendMany(b, full, entries)
	if err := full.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		debug.FreeOSMemory()
		begun := time.Now()
		full = openAt(b, path)
		opened := time.Since(begun)
		var onEmpty, onFull time.Duration
		for range appends { // alternate, because the speed of the disk varies
			onEmpty += timeAppend(b, empty)
			onFull += timeAppend(b, full)
		}
		resident := residentBytes(b)
		begun = time.Now()
		if err := full.Inspect(context.Background()); err != nil {
			b.Fatal(err)
		}
		inspected := time.Since(begun)
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(inspected.Seconds(), "s/inspect")
		b.ReportMetric(opened.Seconds(), "s/open")
		b.ReportMetric(float64(onEmpty.Nanoseconds())/appends, "ns/append-to-empty")
		b.ReportMetric(float64(onFull.Nanoseconds())/appends, "ns/append-to-full")
		b.ReportMetric(float64(onFull)/float64(onEmpty), "full/empty")
		b.ReportMetric(float64(info.Size())/(1<<20), "MiB/file")
		b.ReportMetric(float64(resident)/(1<<20), "MiB/resident")
	}
}

func timeAppend(b *testing.B, store *sqlstore.Store) time.Duration {
	e := newEntry()
	begun := time.Now()
	if err := store.Append(context.Background(), e); err != nil {
		b.Error(err)
	}
	return time.Since(begun)
}

func residentBytes(b *testing.B) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	fields := strings.Fields(rest)
	kib, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		b.Fatal(fmt.Errorf("reading VmRSS: %w", err))
	}
	return kib << 10
}
