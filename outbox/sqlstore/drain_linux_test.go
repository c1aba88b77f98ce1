package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

func init() { roles["overfill"] = overfill }

const payloadVariable = "OUTBOX_TEST_PAYLOAD"

// overfill appends until the disk is full. It then delivers and appends until it is killed.
func overfill(path string) error {
	size, err := strconv.Atoi(os.Getenv(payloadVariable))
	if err != nil {
		return err
	}
	store, err := open(path, sqlstore.Options{})
	if err != nil {
		return err
	}
	var full sync.WaitGroup
	var accepted atomic.Int64
	for range 20 {
		full.Go(func() { accepted.Add(fillWith(store, size)) })
	}
	full.Wait()
	fmt.Println(accepted.Load())
	for {
		_, _ = deliverSome(store, 50)
		fillWith(store, size)
	}
}

// fillWith appends entries until one is refused. It returns the number of accepted entries.
func fillWith(store *sqlstore.Store, size int) (accepted int64) {
	for ; ; accepted++ {
		e := newEntry()
		e.Identifier, e.Payload = e.ID, make([]byte, size)
		if err := store.Append(context.Background(), e); err != nil {
			return accepted
		}
	}
}

// deliverSome takes entries and delivers them, half of them lazily. If the store is full, it
// removes delivered entries first. It returns the number of entries that it delivered.
func deliverSome(store *sqlstore.Store, limit int) (n int, err error) {
	ctx, now := context.Background(), time.Now()
	if errors.Is(store.Health(), outbox.ErrFull) {
		_, err = store.Expire(ctx, outbox.Delivered, now, 1000)
	}
	entries, taking := store.Take(ctx, "default", now, now, limit, nil)
	if err = errors.Join(err, taking); err != nil {
		return 0, err
	}
	for i, e := range entries {
		err := store.Advance(ctx, e.ID, outbox.Progress{Step: "append", At: now, LeadID: newEntry().ID})
		if err == nil {
			err = store.Settle(ctx, e.ID, outbox.Settlement{State: outbox.Delivered, At: now, LeadID: newEntry().ID, Lazy: i%2 == 0})
		}
		if err != nil {
			return i, err
		}
	}
	return len(entries), nil
}

// An outbox that fills its disk is killed several times, before or after the disk is full. The last
// process delivers and removes all entries without an error. The outbox then accepts entries again.
func TestDrainsAfterKills(t *testing.T) {
	t.Parallel()
	type disk struct {
		size    string
		payload int
	}
	disks, lives := []disk{{"3m", 5000}, {"6m", 30_000}, {"6m", 100_000}, {"3m", 350}, {"6m", 1500}, {"16m", 350}, {"48m", 5000}}, 6
	if raced {
		disks, lives = disks[:3], 2
	}
	for _, disk := range disks {
		t.Run(fmt.Sprintf("%s of %d bytes", disk.size, disk.payload), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(mountDisk(t, disk.size), "outbox.db")
			for life := range lives {
				c := startChild(t, "overfill", path, payloadVariable+"="+strconv.Itoa(disk.payload))
				if !c.lines.Scan() {
					t.Fatal("the process ended before the disk was full")
				}
				if n, err := strconv.Atoi(c.lines.Text()); life == 0 && (err != nil || n < 20) {
					t.Errorf("only %q entries filled the disk", c.lines.Text())
				}
				time.Sleep(rand.N(200 * time.Millisecond)) // kill it at a random moment
				must(t, c.Process.Kill())
				_ = c.Wait()
			}
			drainFull(t, path)
		})
	}
}

func drainFull(t *testing.T, path string) {
	t.Helper()
	store := openAt(t, path)
	for {
		n, err := deliverSome(store, 200)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	for _, e := range listAll(t, store) {
		if e.State != outbox.Delivered {
			t.Errorf("entry %s is %s", e.ID, e.State)
		}
	}
	_, err := store.Expire(t.Context(), outbox.Delivered, time.Now().Add(time.Hour), 100_000)
	must(t, err)
	for deadline := time.Now().Add(time.Minute); store.Append(t.Context(), newEntry()) != nil; {
		if time.Now().After(deadline) {
			t.Fatal("all entries were delivered and removed, but the store accepts no entry")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// mountDisk mounts a small file system for the duration of the test.
func mountDisk(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("mounting a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// While a full outbox is delivered, it is replaced several times by a copy of the files that a
// crash would leave. The copy is on a disk of the same size, and other files fill the rest of that
// disk.
func TestDrainsCopies(t *testing.T) {
	t.Parallel()
	size, copies := 1500, 12
	if raced {
		size, copies = 10_000, 6
	}
	for _, batch := range []int{10, 40, 160} {
		t.Run(fmt.Sprintf("%d at a time", batch), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(mountDisk(t, "6m"), "outbox.db")
			store := openAt(t, path)
			if n := fillWith(store, size); n < 200 {
				t.Fatalf("only %d entries filled the disk", n)
			}
			for range copies {
				next := filepath.Join(mountDisk(t, "6m"), "outbox.db")
				must(t, copyDatabase(path, next))
				reserved, err := os.ReadFile(path + ".reserve")
				must(t, err)
				must(t, os.WriteFile(next+".reserve", reserved, 0o600))
				takeRest(t, filepath.Dir(next))
				must(t, store.Close())
				store, path = openAt(t, next), next
				_, err = deliverSome(store, batch)
				must(t, err)
			}
			must(t, store.Close())
			drainFull(t, path)
		})
	}
}

// Other programs take more than half of the reserve and the rest of the disk. Once the outbox has
// drained, the room is in the free pages of its file, and it accepts entries again.
func TestDrainsWithoutReserve(t *testing.T) {
	t.Parallel()
	path := filepath.Join(mountDisk(t, "6m"), "outbox.db")
	store := openAt(t, path)
	if n := fillWith(store, 5000); n < 400 {
		t.Fatalf("only %d entries filled the disk", n)
	}
	must(t, store.Close())
	must(t, os.Truncate(path+".reserve", sizeOf(t, path+".reserve")*7/16))
	takeRest(t, filepath.Dir(path))
	drainFull(t, path)
}

// takeRest fills the rest of a disk with another file.
func takeRest(t *testing.T, dir string) {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, "others"))
	must(t, err)
	for page := make([]byte, 4096); err == nil; {
		_, err = file.Write(page)
	}
	if must(t, file.Close()); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}
