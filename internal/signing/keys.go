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

// Keys returns the secret keys in force, the most lasting first. What is
// signed gets a signature of each, and one genuine signature is enough: a text
// stays valid when one of the keys changes.
type Keys func() [][]byte

// Key returns Keys with that key alone.
func Key(key []byte) Keys { return func() [][]byte { return [][]byte{key} } }

// maxSignatures bounds how many signatures of a text are compared.
const maxSignatures = 4

// Sign returns the text's signatures, each cut to a number of bytes.
func (k Keys) Sign(text string, size int) string {
	keys := k()
	signatures := make([]string, 0, len(keys))
	for _, key := range keys {
		signatures = append(signatures, signature(key, text, size))
	}
	return strings.Join(signatures, ".")
}

// Verify reports whether any of the signatures is genuine.
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

// Derived returns the keys for one purpose.
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
