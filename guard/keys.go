package guard

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
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

// sign returns the text's signatures, each cut to a number of bytes.
func (k Keys) sign(text string, size int) string {
	keys := k()
	signatures := make([]string, 0, len(keys))
	for _, key := range keys {
		signatures = append(signatures, signature(key, text, size))
	}
	return strings.Join(signatures, ".")
}

// verify reports whether any of the signatures is genuine.
func (k Keys) verify(text, signatures string, size int) bool {
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

// derived returns the keys for one purpose.
func (k Keys) derived(purpose string) Keys {
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
