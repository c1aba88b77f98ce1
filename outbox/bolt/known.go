package bolt

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"github.com/leadwire/caddy-telecrm/outbox"
)

const (
	secretSize   = 32
	hashSize     = 16
	agedKeySize  = 8 + hashSize
	knownMinSize = 8 // the time before a lead id
)

// createSecret makes the key of the hashes, unless there is one.
func createSecret(meta *bbolt.Bucket) error {
	if meta.Get(keySecret) != nil {
		return nil
	}
	secret := make([]byte, secretSize)
	_, _ = rand.Read(secret) // it never fails
	return meta.Put(keySecret, secret)
}

// hash is what an identifier is remembered under. Without the secret, which
// never leaves the file, nobody can find out whose it is by trying.
func (t *tables) hash(account, identifier string) ([]byte, error) {
	secret := t.meta.Get(keySecret)
	if len(secret) != secretSize {
		return nil, damaged("the key of its hashes is missing")
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(binary.AppendUvarint(nil, uint64(len(account))))
	mac.Write([]byte(account))
	mac.Write([]byte(identifier))
	return mac.Sum(nil)[:hashSize], nil
}

// remember keeps the id of the lead that a record was delivered to.
func (c *changes) remember(r *record) error {
	e := &r.entry
	if e.State != outbox.Delivered || e.LeadID == "" || e.Identifier == "" {
		return nil
	}
	hash, err := c.forget(e.Account, e.Identifier)
	if err != nil {
		return err
	}
	at := binary.BigEndian.AppendUint64(nil, keyTime(e.SettledAt))
	return errors.Join(
		c.known.Put(hash, append(bytes.Clone(at), e.LeadID...)),
		c.aged.Put(append(at, hash...), []byte{}))
}

// forget forgets what is remembered for the identifier, and returns its hash.
func (c *changes) forget(account, identifier string) ([]byte, error) {
	hash, err := c.hash(account, identifier)
	if err != nil {
		return nil, err
	}
	v := c.known.Get(hash)
	if v == nil {
		return hash, nil
	}
	if len(v) < knownMinSize {
		return nil, damaged("a remembered id has no time")
	}
	aged := append(bytes.Clone(v[:8]), hash...)
	c.changed = true
	return hash, errors.Join(c.known.Delete(hash), c.aged.Delete(aged))
}

// forgetBefore forgets the ids that were remembered before that time.
func (c *changes) forgetBefore(before time.Time, limit int) (int, error) {
	var old [][]byte
	cursor := c.aged.Cursor()
	for k, _ := cursor.First(); k != nil && len(old) < limit; k, _ = cursor.Next() {
		if len(k) != agedKeySize {
			return 0, damaged("a key of what is remembered is none")
		}
		if binary.BigEndian.Uint64(k) >= keyTime(before) {
			break
		}
		old = append(old, bytes.Clone(k))
	}
	for _, k := range old {
		c.changed = true
		if err := errors.Join(c.known.Delete(k[8:]), c.aged.Delete(k)); err != nil {
			return 0, err
		}
	}
	return len(old), nil
}

// Recall implements [outbox.Store].
func (s *Store) Recall(ctx context.Context, account, identifier string) (leadID string, known bool, err error) {
	leadID, err = read(ctx, s, func(t *tables) (string, error) { return t.recall(account, identifier) })
	if err != nil {
		return "", false, fmt.Errorf("recalling a lead's id: %w", err)
	}
	return leadID, leadID != "", nil
}

// recall returns the id that is remembered for the identifier, if any.
func (t *tables) recall(account, identifier string) (string, error) {
	hash, err := t.hash(account, identifier)
	if err != nil {
		return "", err
	}
	v := t.known.Get(hash)
	switch {
	case v == nil:
		return "", nil
	case len(v) <= knownMinSize:
		return "", damaged("a remembered id is empty")
	}
	return string(v[knownMinSize:]), nil
}

// Forget implements [outbox.Store].
func (s *Store) Forget(ctx context.Context, account, identifier string) error {
	return s.do(ctx, "forgetting a lead's id", uuid.Nil, &operation{
		run: func(_ *handle, c *changes) error {
			_, err := c.forget(account, identifier)
			return err
		},
	})
}

// ForgetBefore implements [outbox.Store].
func (s *Store) ForgetBefore(ctx context.Context, before time.Time, limit int) (forgotten int, err error) {
	err = s.do(ctx, "forgetting old lead ids", uuid.Nil, &operation{
		steadfast: true,
		run: func(_ *handle, c *changes) (err error) {
			forgotten, err = c.forgetBefore(before, limit)
			return err
		},
	})
	if err != nil {
		return 0, err
	}
	return forgotten, nil
}
