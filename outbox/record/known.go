package record

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// SecretSize is the size of the secret for hashes.
const SecretSize = 32

const hashSize = 16

// Hash returns the keyed hash under which a lead's id is remembered. The secret never leaves the
// database. Without it, guessing cannot reveal the identifier.
func Hash(secret []byte, account, identifier string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write(binary.AppendUvarint(nil, uint64(len(account))))
	mac.Write([]byte(account))
	mac.Write([]byte(identifier))
	return mac.Sum(nil)[:hashSize]
}
