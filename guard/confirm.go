package guard

import (
	"crypto/hmac"
	"encoding/base64"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Confirmations are what lets a post pass that a visitor was asked to send
// again: they name the submission, and nobody else can make them.
type Confirmations struct {
	key  []byte
	form string
}

// confirmFor is how long a visitor may take to send a page again.
const confirmFor = 24 * time.Hour

// NewConfirmations returns the Confirmations of a form, made with a secret
// key.
func NewConfirmations(key []byte, form string) *Confirmations {
	return &Confirmations{key: key, form: form}
}

// For returns the confirmation of a submission, a UUID of version 7.
func (c *Confirmations) For(id string) string { return id + "." + c.seal(id) }

// Read returns the submission that a confirmation is of; false if it is none,
// or an old one.
func (c *Confirmations) Read(confirmation string, now time.Time) (id string, ok bool) {
	id, seal, _ := strings.Cut(confirmation, ".")
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.Version() != 7 || parsed.String() != id || !hmac.Equal([]byte(seal), []byte(c.seal(id))) {
		return "", false
	}
	sec, nsec := parsed.Time().UnixTime()
	if age := now.Sub(time.Unix(sec, nsec)); age > confirmFor || age < -confirmFor {
		return "", false
	}
	return id, true
}

func (c *Confirmations) seal(id string) string {
	return base64.RawURLEncoding.EncodeToString(sign(c.key, "confirm\x00"+c.form+"\x00"+id)[:18])
}
