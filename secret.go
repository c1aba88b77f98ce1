package caddytelecrm

import (
	"context"
	"crypto/hkdf"
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

	"github.com/leadwire/caddy-telecrm/guard"
)

// secretFile is what the guards' secret is called in Caddy's storage.
const secretFile = "telecrm/guards.key" //nolint:gosec // a name

const (
	// secretPatience is how long a request waits for the storage; the tokens'
	// keys do until the secret is there.
	secretPatience = 2 * time.Second
	// secretTime is how long reading or creating the secret may take.
	secretTime = 10 * time.Second
	// secretPause is how long a storage that failed is left alone.
	secretPause = time.Minute
)

// storage is what of Caddy's storage the secret needs.
type storage interface {
	Load(ctx context.Context, key string) ([]byte, error)
	Store(ctx context.Context, key string, value []byte) error
	Lock(ctx context.Context, name string) error
	Unlock(ctx context.Context, name string) error
}

// secret is a random key in Caddy's storage, made when it is first needed. All
// machines that share the storage share it, and it outlives tokens.
//
// It is read when a request needs it, never to provision or validate a config.
type secret struct {
	storage storage
	logger  *zap.Logger
	ctx     context.Context
	cancel  context.CancelFunc

	mu      sync.Mutex
	key     []byte
	reading chan struct{} // closed when the read that began last has ended; nil before the first
	begun   time.Time
}

func newSecret(from storage, logger *zap.Logger) *secret {
	s := &secret{storage: from, logger: logger}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Destruct ends a read that is still waiting for the storage.
func (s *secret) Destruct() error {
	s.cancel()
	return nil
}

// pooledSecret returns the secret of that storage, the same for all configs,
// and what it is called in the pool.
func pooledSecret(from storage, logger *zap.Logger) (*secret, string, error) {
	name := "secret\x00" + fmt.Sprintf("%T", from)
	if described, ok := from.(fmt.Stringer); ok {
		name += "\x00" + described.String()
	}
	pooled, _, err := pool.LoadOrNew(name, func() (caddy.Destructor, error) {
		return newSecret(from, logger), nil
	})
	if err != nil {
		return nil, "", err
	}
	return pooled.(*secret), name, nil
}

// get returns the secret, or nil if the storage does not give it in time. It
// begins to read it if need be.
func (s *secret) get() []byte {
	s.mu.Lock()
	if s.key != nil || !s.isReading() && time.Since(s.begun) < secretPause {
		defer s.mu.Unlock()
		return s.key
	}
	if !s.isReading() {
		s.reading, s.begun = make(chan struct{}), time.Now()
		go s.read(s.reading)
	}
	reading, left := s.reading, secretPatience-time.Since(s.begun)
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

func (s *secret) isReading() bool {
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

func (s *secret) read(ended chan struct{}) {
	defer close(ended)
	ctx, cancel := context.WithTimeout(s.ctx, secretTime)
	defer cancel()
	key, err := loadOrCreate(ctx, s.storage)
	if err != nil {
		s.logger.Warn("the guards' secret is not to be had from Caddy's storage; until it is, pages that were served before a token changed are taken for forged after it",
			zap.String("file", secretFile), zap.Error(err))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = key
}

// loadOrCreate reads the secret, and makes it if there is none.
func loadOrCreate(ctx context.Context, from storage) (key []byte, err error) {
	if key, err = loadSecret(ctx, from); !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := from.Lock(ctx, secretFile); err != nil {
		return nil, fmt.Errorf("locking: %w", err)
	}
	defer func() { err = errors.Join(err, from.Unlock(context.WithoutCancel(ctx), secretFile)) }()
	if key, err = loadSecret(ctx, from); !errors.Is(err, fs.ErrNotExist) { // another machine was faster
		return key, err
	}
	key = make([]byte, sha256.Size)
	_, _ = rand.Read(key) // it never fails
	if err := from.Store(ctx, secretFile, []byte(hex.EncodeToString(key)+"\n")); err != nil {
		return nil, fmt.Errorf("storing: %w", err)
	}
	return key, nil
}

func loadSecret(ctx context.Context, from storage) ([]byte, error) {
	text, err := from.Load(ctx, secretFile)
	if err != nil {
		return nil, fmt.Errorf("loading: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != sha256.Size {
		return nil, fmt.Errorf("secret: must be %d hexadecimal digits; delete it, and a new one is made", 2*sha256.Size)
	}
	return key, nil
}

// keys returns the keys for one purpose: one of the secret, which outlives the
// account's token, and one of the token, which machines share that do not
// share a storage.
func (h *Handler) keys(purpose string) (guard.Keys, error) {
	ofToken, err := h.account.deriveKey(purpose)
	if err != nil {
		return nil, err
	}
	return func() [][]byte {
		held := h.app.secret.get()
		if held == nil {
			return [][]byte{ofToken}
		}
		ofSecret, err := deriveKey(held, purpose)
		if err != nil {
			return [][]byte{ofToken}
		}
		return [][]byte{ofSecret, ofToken}
	}, nil
}

// deriveKey makes a key of 32 bytes for one purpose out of a secret.
func deriveKey(secret []byte, purpose string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "caddy-telecrm "+purpose, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("deriving a key: %w", err)
	}
	return key, nil
}

// Interface guard
var _ caddy.Destructor = (*secret)(nil)
