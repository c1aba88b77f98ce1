package secret

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/guard"
)

// fakeStorage is an in-memory storage that can fail or hang.
type fakeStorage struct {
	mu     sync.Mutex
	lock   chan struct{}
	values map[string][]byte
	broken error
	hangs  bool
	stores int
}

func newFakeStorage() *fakeStorage {
	return &fakeStorage{values: make(map[string][]byte), lock: make(chan struct{}, 1)}
}

func (f *fakeStorage) Load(ctx context.Context, key string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hangs {
		f.mu.Unlock()
		<-ctx.Done()
		f.mu.Lock()
		return nil, ctx.Err()
	}
	if f.broken != nil {
		return nil, f.broken
	}
	value, ok := f.values[key]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return value, nil
}

func (f *fakeStorage) Store(_ context.Context, key string, value []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stores++
	f.values[key] = value
	return nil
}

func (f *fakeStorage) Lock(ctx context.Context, _ string) error {
	select {
	case f.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *fakeStorage) Unlock(context.Context, string) error {
	<-f.lock
	return nil
}

// Machines that share a storage create one secret, even if they start at the same time.
func TestSecretIsCreatedOnce(t *testing.T) {
	shared := newFakeStorage()
	var (
		machines sync.WaitGroup
		mu       sync.Mutex
		keys     = make(map[string]int)
	)
	for range 16 {
		machines.Go(func() {
			s := newSecret(shared, zap.NewNop())
			defer func() { _ = s.Destruct() }()
			key := string(s.get(secretPatience))
			mu.Lock()
			defer mu.Unlock()
			keys[key]++
		})
	}
	machines.Wait()
	if len(keys) != 1 || keys[""] > 0 || shared.stores != 1 {
		t.Errorf("got %d keys, stored %d times; want one key, stored once", len(keys), shared.stores)
	}
}

// A storage that hangs or fails delays requests only briefly. It is tried again after a pause.
func TestSecretWithFailingStorage(t *testing.T) {
	for name, breakdown := range map[string]func(*fakeStorage){
		"hangs": func(f *fakeStorage) { f.hangs = true },
		"fails": func(f *fakeStorage) { f.broken = errors.New("storage is down") },
		"holds an invalid secret": func(f *fakeStorage) {
			f.values[secretFile] = []byte("an old text")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				from := newFakeStorage()
				breakdown(from)
				s := newSecret(from, zap.NewNop())
				defer func() { _ = s.Destruct() }()
				began := time.Now()
				for range 5 {
					if s.get(secretPatience) != nil {
						t.Fatal("got a key from a broken storage")
					}
				}
				if took := time.Since(began); took > secretPatience {
					t.Errorf("five requests waited %s, want at most %s", took, secretPatience)
				}
				time.Sleep(secretTime + secretPause) // virtual
				from.mu.Lock()
				from.hangs, from.broken = false, nil
				delete(from.values, secretFile)
				from.mu.Unlock()
				if s.get(secretPatience) == nil {
					t.Error("got no key after the storage recovered")
				}
			})
		})
	}
}

// Signatures stay valid when the token changes but not the storage, and when the storage changes
// but not the token.
func TestSignaturesOutliveTokens(t *testing.T) {
	open := func(storage *fakeStorage, token string) *guard.Stamps {
		s := newSecret(storage, zap.NewNop())
		t.Cleanup(func() { _ = s.Destruct() })
		return guard.NewStamps(s.Keys("stamps", []byte(token)), "form")
	}
	shared := newFakeStorage()
	before, now := open(shared, "token-one"), time.Now()
	stamp := before.Stamp(now, guard.Traps()[0])
	for name, other := range map[string]*guard.Stamps{"another token": open(shared, "token-two"), "another machine": open(newFakeStorage(), "token-one")} {
		if _, ok := other.Read(stamp, now); !ok {
			t.Errorf("%s: the stamp is not valid", name)
		}
	}
	if _, ok := open(newFakeStorage(), "token-two").Read(stamp, now); ok {
		t.Error("another token on another machine: the stamp is valid")
	}
}

// Configs with the same storage share its secret until the last one releases it.
func TestSecretIsShared(t *testing.T) {
	shared := newFakeStorage()
	first, err := Open(shared, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	second, err := Open(shared, zap.NewNop())
	if err != nil || second != first {
		t.Fatalf("got secrets %p and %p, error %v; want the same one", first, second, err)
	}
	for _, s := range []*Secret{first, second} {
		if s.ctx.Err() != nil {
			t.Error("the secret has ended while in use")
		}
		if err := s.Release(); err != nil {
			t.Error(err)
		}
	}
	if first.ctx.Err() == nil {
		t.Error("the secret has not ended after its last release")
	}
}

// Without a secret there are no keys of its own, and nobody waits for them longer than they want to.
func TestOwnKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newFakeStorage()
		shared.hangs = true
		s := newSecret(shared, zap.NewNop())
		defer func() { _ = s.Destruct() }()
		const patience = 100 * time.Millisecond
		keys, began := s.OwnKeys("cookies", patience), time.Now()
		for range 3 {
			if got := keys(); len(got) != 0 {
				t.Errorf("got %d keys from a storage that hangs", len(got))
			}
		}
		if took := time.Since(began); took > patience {
			t.Errorf("three requests waited %s", took)
		}
		time.Sleep(secretTime + secretPause) // virtual
		shared.mu.Lock()
		shared.hangs = false
		shared.mu.Unlock()
		signed := keys.Sign("a text", 16)
		other := newSecret(shared, zap.NewNop())
		defer func() { _ = other.Destruct() }()
		if !other.OwnKeys("cookies", time.Second).Verify("a text", signed, 16) {
			t.Error("another machine with the same storage does not know the signature")
		}
		if other.OwnKeys("stamps", time.Second).Verify("a text", signed, 16) {
			t.Error("the signature is valid for another purpose")
		}
	})
}
