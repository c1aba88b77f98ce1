package guard

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// Confirmations are what lets a post pass that a visitor was asked to send
// again: they name the submission, and nobody else can make them.
type Confirmations struct {
	keys Keys
	form string
}

// confirmFor is how long a visitor may take to send a page again.
const confirmFor = 24 * time.Hour

// confirmSize is how many bytes a signature has.
const confirmSize = 18

// NewConfirmations returns the Confirmations of a form.
func NewConfirmations(keys Keys, form string) *Confirmations {
	return &Confirmations{keys: keys, form: form}
}

// For returns the confirmation of a submission, a UUID of version 7.
func (c *Confirmations) For(id string) string {
	return id + "." + c.keys.sign(c.text(id), confirmSize)
}

// Read returns the submission that a confirmation is of; false if it is none,
// or an old one.
func (c *Confirmations) Read(confirmation string, now time.Time) (id string, ok bool) {
	id, signatures, _ := strings.Cut(confirmation, ".")
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.Version() != 7 || parsed.String() != id || !c.keys.verify(c.text(id), signatures, confirmSize) {
		return "", false
	}
	sec, nsec := parsed.Time().UnixTime()
	if age := now.Sub(time.Unix(sec, nsec)); age > confirmFor || age < -confirmFor {
		return "", false
	}
	return id, true
}

func (c *Confirmations) text(id string) string { return "confirm\x00" + c.form + "\x00" + id }
