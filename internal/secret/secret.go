// Package secret manages the key that signs stamps, confirmations, challenges and cookies.
package secret

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/internal/signing"
)

// secretFile is the name of the guards' secret in Caddy's storage.
const secretFile = "telecrm/guards.key" //nolint:gosec // a name

const (
	// secretPatience is how long a request waits for the storage. Until the secret is there, keys
	// derived from the tokens are used.
	secretPatience = 2 * time.Second
	// secretTime is how long reading or creating the secret may take.
	secretTime = 10 * time.Second
	// secretPause is the time between attempts to read from a failed storage.
	secretPause = time.Minute
)

// Storage is the part of Caddy's storage that a secret needs.
type Storage interface {
	Load(ctx context.Context, key string) ([]byte, error)
	Store(ctx context.Context, key string, value []byte) error
	Lock(ctx context.Context, name string) error
	Unlock(ctx context.Context, name string) error
}

// Secret is a random key in Caddy's storage, created when it is first needed. Machines that share
// the storage share the key, and the key survives token changes.
//
// It is read when a request needs it, not when a config is provisioned or validated.
type Secret struct {
	name    string // in the pool
	storage Storage
	logger  *zap.Logger
	ctx     context.Context
	cancel  context.CancelFunc

	mu      sync.Mutex
	key     []byte
	reading chan struct{} // closed when the latest read has ended; nil before the first
	begun   time.Time
}

func newSecret(from Storage, logger *zap.Logger) *Secret {
	s := &Secret{storage: from, logger: logger}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Destruct cancels a read that is still waiting for the storage.
func (s *Secret) Destruct() error {
	s.cancel()
	return nil
}

// pool holds the secrets of all configs, by their storage.
var pool = caddy.NewUsagePool()

// Open returns the secret in the storage. Configs with the same storage share it until all of them
// have called [Secret.Release].
func Open(in Storage, logger *zap.Logger) (*Secret, error) {
	name := fmt.Sprintf("%T", in)
	if described, ok := in.(fmt.Stringer); ok {
		name += "\x00" + described.String()
	}
	pooled, _, err := pool.LoadOrNew(name, func() (caddy.Destructor, error) {
		s := newSecret(in, logger)
		s.name = name
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	return pooled.(*Secret), nil
}

// Release ends one config's use of the secret.
func (s *Secret) Release() error {
	_, err := pool.Delete(s.name)
	return err
}

// get returns the secret, or nil if the storage does not answer within the patience. It starts a
// read if necessary.
func (s *Secret) get(patience time.Duration) []byte {
	s.mu.Lock()
	if s.key != nil || !s.isReading() && time.Since(s.begun) < secretPause {
		defer s.mu.Unlock()
		return s.key
	}
	if !s.isReading() {
		s.reading, s.begun = make(chan struct{}), time.Now()
		go s.read(s.reading)
	}
	reading, left := s.reading, patience-time.Since(s.begun)
	s.mu.Unlock()
	late := time.NewTimer(left)
	defer late.Stop()
	select {
	case <-reading:
	case <-late.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.key
}

func (s *Secret) isReading() bool {
	if s.reading == nil {
		return false
	}
	select {
	case <-s.reading:
		return false
	default:
		return true
	}
}

func (s *Secret) read(ended chan struct{}) {
	defer close(ended)
	ctx, cancel := context.WithTimeout(s.ctx, secretTime)
	defer cancel()
	key, err := loadOrCreate(ctx, s.storage)
	if err != nil {
		s.logger.Warn("the guards' secret cannot be read from Caddy's storage; until it can, pages served before a token change count as forged",
			zap.String("file", secretFile), zap.Error(err))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = key
}

// loadOrCreate reads the secret, and creates it if it does not exist.
func loadOrCreate(ctx context.Context, from Storage) (key []byte, err error) {
	if key, err = loadSecret(ctx, from); !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := from.Lock(ctx, secretFile); err != nil {
		return nil, fmt.Errorf("locking: %w", err)
	}
	defer func() { err = errors.Join(err, from.Unlock(context.WithoutCancel(ctx), secretFile)) }()
	if key, err = loadSecret(ctx, from); !errors.Is(err, fs.ErrNotExist) { // another machine created it
		return key, err
	}
	key = make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	if err := from.Store(ctx, secretFile, []byte(hex.EncodeToString(key)+"\n")); err != nil {
		return nil, fmt.Errorf("storing: %w", err)
	}
	return key, nil
}

func loadSecret(ctx context.Context, from Storage) ([]byte, error) {
	text, err := from.Load(ctx, secretFile)
	if err != nil {
		return nil, fmt.Errorf("loading: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != sha256.Size {
		return nil, fmt.Errorf("secret: must be %d hexadecimal digits; delete it, and Caddy creates a new one", 2*sha256.Size)
	}
	return key, nil
}

// Keys returns the signing keys for one purpose: one derived from the secret, which survives token
// changes, and ofToken, which machines share even without a common storage.
func (s *Secret) Keys(purpose string, ofToken []byte) signing.Keys {
	return func() [][]byte {
		secret := s.get(secretPatience)
		if secret == nil {
			return [][]byte{ofToken}
		}
		ofSecret, err := signing.Derive(secret, purpose)
		if err != nil {
			return [][]byte{ofToken}
		}
		return [][]byte{ofSecret, ofToken}
	}
}

// OwnKeys returns the signing keys for one purpose that only the secret gives. There is none while
// the secret is not known, for which a caller waits no longer than the patience.
func (s *Secret) OwnKeys(purpose string, patience time.Duration) signing.Keys {
	return func() [][]byte {
		secret := s.get(patience)
		if secret == nil {
			return nil
		}
		key, err := signing.Derive(secret, purpose)
		if err != nil {
			return nil
		}
		return [][]byte{key}
	}
}

// Interface guard
var _ caddy.Destructor = (*Secret)(nil)
