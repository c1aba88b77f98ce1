package guard

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/internal/signing"
)

// Confirmations issues and reads confirmations: signed texts that let a visitor send a suspected
// post once more. A confirmation names the submission.
type Confirmations struct {
	keys signing.Keys
	form string
}

// Enquiry is what a confirmation is valid for. A visitor may change the message before sending it
// again, but not the host, the network or the lead's identifier.
type Enquiry struct {
	Host       string
	Network    netip.Prefix // from NetworkOf
	Identifier string       // the lead's
}

func (e Enquiry) text() string {
	return strings.Join([]string{e.Host, e.Network.String(), e.Identifier}, "\x00")
}

const (
	// confirmFor is how long a confirmation is valid.
	confirmFor = 24 * time.Hour
	// confirmSize is the size of a signature in bytes.
	confirmSize = 18
)

// NewConfirmations returns the confirmations of a form.
func NewConfirmations(keys signing.Keys, form string) *Confirmations {
	return &Confirmations{keys: keys, form: form}
}

// For returns the confirmation of a submission. The id is a UUID of version 7.
func (c *Confirmations) For(id string, of Enquiry) string {
	return id + "." + c.keys.Sign(c.text(id, of), confirmSize)
}

// Read returns the submission that the confirmation names. It reports false if the confirmation is
// forged, expired or for another enquiry.
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
	return strings.Join([]string{"confirm", c.form, id, of.text()}, "\x00")
}

// mostRedeemed bounds how many confirmations are remembered.
const mostRedeemed = 1 << 15

// Redeemed remembers used confirmations, so that each counts once. It is safe for concurrent use.
type Redeemed struct {
	now func() time.Time

	mu   sync.Mutex
	used *recent[string, struct{}]
}

// NewRedeemed returns an empty Redeemed with the clock now.
func NewRedeemed(now func() time.Time) *Redeemed {
	return &Redeemed{now: now, used: newRecent[string, struct{}](confirmFor, mostRedeemed)}
}

// Redeem uses the confirmation of a submission. It reports false if it was used before.
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

// Return makes the confirmation of a submission usable again, because the post that it came with
// was not accepted.
func (r *Redeemed) Return(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used.forget(id)
}

const (
	// askedFor is how long a visitor who was asked to send a post again is remembered.
	askedFor = time.Hour
	// soonest is how long a person takes to send a post again.
	soonest = time.Second
	// mostAsked bounds how many posts are remembered, to about 10 MB.
	mostAsked = 1 << 15
)

// Asked remembers visitors who were asked to send a post again, so that nobody is asked twice about
// the same values. A page's hidden input and a cookie carry a confirmation too, but either may get
// lost.
//
// It keeps keyed hashes for an hour or two, and neither values nor addresses. It is safe for
// concurrent use.
type Asked struct {
	now func() time.Time
	key []byte // random, so that a hash says nothing without this process

	mu    sync.Mutex
	posts *recent[Fingerprint, askedPost]
}

// askedPost is a post that its visitor was asked to send again.
type askedPost struct {
	id string
	at time.Time
}

// NewAsked returns an empty Asked with the clock now.
func NewAsked(now func() time.Time) *Asked {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // it never fails
	return &Asked{now: now, key: key, posts: newRecent[Fingerprint, askedPost](askedFor, mostAsked)}
}

// Remember records that the visitor was asked to send the submission's values again. Of several
// submissions with the same values the first counts, unless isUsed says that its confirmation was
// used.
func (a *Asked) Remember(values Fingerprint, of Enquiry, id string, isUsed func(id string) bool) {
	key := a.keyOf(values, of)
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if earlier, ok := a.posts.get(key, now); ok && now.Sub(earlier.at) < askedFor && !isUsed(earlier.id) {
		return
	}
	a.posts.put(key, askedPost{id, now}, now)
}

// Again returns the submission whose visitor was asked to send these values again. It reports false
// if there is none, or if that was less than a second ago: a person takes longer.
func (a *Asked) Again(values Fingerprint, of Enquiry) (id string, ok bool) {
	if a.isEmpty() {
		return "", false
	}
	key := a.keyOf(values, of)
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	earlier, ok := a.posts.get(key, now)
	if age := now.Sub(earlier.at); !ok || age < soonest || age >= askedFor {
		return "", false
	}
	return earlier.id, true
}

// isEmpty reports whether no visitor is remembered, as at most times.
func (a *Asked) isEmpty() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.posts.younger)+len(a.posts.older) == 0
}

func (a *Asked) keyOf(values Fingerprint, of Enquiry) Fingerprint {
	hash := hmac.New(sha256.New, a.key)
	hash.Write(values[:])
	hash.Write([]byte(of.text()))
	return Fingerprint(hash.Sum(nil))
}
