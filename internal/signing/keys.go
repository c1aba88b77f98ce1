// Package signing signs short texts, so that they stay genuine when one of several keys changes.
package signing

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// Keys returns the current secret keys, the most stable first. A text gets one signature for each
// key, and one valid signature is enough, so texts stay valid when one of the keys changes.
type Keys func() [][]byte

// Key returns Keys with a single key.
func Key(key []byte) Keys { return func() [][]byte { return [][]byte{key} } }

// maxSignatures bounds the number of signatures to compare.
const maxSignatures = 4

// Sign returns the text's signatures, each cut to size bytes.
func (k Keys) Sign(text string, size int) string {
	keys := k()
	signatures := make([]string, 0, len(keys))
	for _, key := range keys {
		signatures = append(signatures, signature(key, text, size))
	}
	return strings.Join(signatures, ".")
}

// Verify reports whether any of the signatures is valid.
func (k Keys) Verify(text, signatures string, size int) bool {
	claimed := strings.SplitN(signatures, ".", maxSignatures+1)
	if len(claimed) > maxSignatures {
		return false
	}
	for _, key := range k() {
		genuine := []byte(signature(key, text, size))
		for _, s := range claimed {
			if hmac.Equal(genuine, []byte(s)) {
				return true
			}
		}
	}
	return false
}

// Derived returns keys for one purpose.
func (k Keys) Derived(purpose string) Keys {
	return func() [][]byte {
		keys := k()
		derived := make([][]byte, 0, len(keys))
		for _, key := range keys {
			derived = append(derived, mac(key, purpose))
		}
		return derived
	}
}

func signature(key []byte, text string, size int) string {
	return base64.RawURLEncoding.EncodeToString(mac(key, text)[:size])
}

func mac(key []byte, text string) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(text))
	return hash.Sum(nil)
}

// Derive returns a key of 32 bytes for one purpose, made of a secret.
func Derive(secret []byte, purpose string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "caddy-telecrm "+purpose, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("deriving a key: %w", err)
	}
	return key, nil
}
