package guard

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/internal/signing"
)

// Confirmations make and read what lets a post pass that a visitor was asked
// to send again. A confirmation names the submission and is signed.
type Confirmations struct {
	keys signing.Keys
	form string
}

// Enquiry is what a confirmation is good for: a visitor may change the words
// of a message before they send it again, but not who asks, where, and from
// which network.
type Enquiry struct {
	Host       string
	Network    netip.Prefix // see NetworkOf
	Identifier string       // of the lead
}

const (
	// confirmFor is how long a visitor may take to send a page again.
	confirmFor = 24 * time.Hour
	// confirmSize is how many bytes a signature has.
	confirmSize = 18
)

// NewConfirmations returns the Confirmations of a form.
func NewConfirmations(keys signing.Keys, form string) *Confirmations {
	return &Confirmations{keys: keys, form: form}
}

// For returns the confirmation of a submission, a UUID of version 7.
func (c *Confirmations) For(id string, of Enquiry) string {
	return id + "." + c.keys.Sign(c.text(id, of), confirmSize)
}

// Read returns the submission that a confirmation of the enquiry names. It
// reports false if the confirmation is forged, old or another enquiry's.
func (c *Confirmations) Read(confirmation string, of Enquiry, now time.Time) (id string, ok bool) {
	id, signatures, _ := strings.Cut(confirmation, ".")
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.Version() != 7 || parsed.String() != id || !c.keys.Verify(c.text(id, of), signatures, confirmSize) {
		return "", false
	}
	sec, nsec := parsed.Time().UnixTime()
	if age := now.Sub(time.Unix(sec, nsec)); age > confirmFor || age < -confirmFor {
		return "", false
	}
	return id, true
}

func (c *Confirmations) text(id string, of Enquiry) string {
	return strings.Join([]string{"confirm", c.form, id, of.Host, of.Network.String(), of.Identifier}, "\x00")
}

// mostRedeemed bounds how many confirmations are remembered.
const mostRedeemed = 1 << 15

// Redeemed remembers which confirmations were used, so that each counts once.
// It is safe for concurrent use.
type Redeemed struct {
	now func() time.Time

	mu   sync.Mutex
	used *recent[string, struct{}]
}

// NewRedeemed returns a Redeemed without any; now tells the time.
func NewRedeemed(now func() time.Time) *Redeemed {
	return &Redeemed{now: now, used: newRecent[string, struct{}](confirmFor, mostRedeemed)}
}

// Redeem uses the confirmation of a submission. It reports false if that was
// used before.
func (r *Redeemed) Redeem(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if _, used := r.used.get(id, now); used {
		return false
	}
	r.used.put(id, struct{}{}, now)
	return true
}

// Has reports whether the confirmation of a submission was used.
func (r *Redeemed) Has(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, used := r.used.get(id, r.now())
	return used
}

// Return lets the confirmation of a submission be used again, because what
// was sent with it could not be taken.
func (r *Redeemed) Return(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used.forget(id)
}
