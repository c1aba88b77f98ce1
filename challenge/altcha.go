package challenge

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/signing"
)

// AltchaInput is the name of the input in which ALTCHA's widget posts its
// answer.
const AltchaInput = "altcha"

const (
	altchaAlgorithm = "SHA-256"
	altchaMaxNumber = 10_000_000

	// maxAltchaAnswer is how many bytes of an answer are looked at. The
	// widget's have about 420, of which the digits of a number can vary.
	maxAltchaAnswer = 1 << 10
)

// AltchaConfig says what challenges an [Altcha] issues.
type AltchaConfig struct {
	// Keys sign the challenges. All that share one of them verify each
	// other's.
	Keys signing.Keys

	// MaxNumber is the highest number that a browser may have to try; on
	// average it tries half of them. At most 10,000,000.
	MaxNumber int

	// Lifetime is how long a challenge can be answered, to the second.
	Lifetime time.Duration

	// Spent remembers what was answered.
	Spent *Spent

	// Now is the clock; default [time.Now].
	Now func() time.Time
}

// Altcha issues ALTCHA's proof-of-work challenges and verifies the answers. A
// challenge is the hash of a salt and a secret number, and the browser finds
// the number by trying. All that has to be known of it travels with it, signed
// (https://altcha.org/docs/server-integration/), so nothing is kept of those
// that nobody answers.
//
// The challenges are those of the protocol's first version, which every
// version of the widget understands, 3.2 included. Of all that is signed there
// is one spelling alone, and the salt ends in a mark that no number holds, so
// that no part of one can pass as part of the other
// (https://altcha.org/security-advisory/).
//
// It is safe for concurrent use.
type Altcha struct {
	keys      signing.Keys
	maxNumber uint64
	lifetime  time.Duration
	spent     *Spent
	now       func() time.Time
}

// NewAltcha returns an issuer of challenges, or an error when c cannot work.
func NewAltcha(c AltchaConfig) (*Altcha, error) {
	switch {
	case c.Keys == nil:
		return nil, errors.New("there are no keys to sign challenges with")
	case c.MaxNumber < 1 || c.MaxNumber > altchaMaxNumber:
		return nil, fmt.Errorf("the highest number to try is not between 1 and %d", altchaMaxNumber)
	case c.Lifetime < time.Second:
		return nil, errors.New("challenges must be good for at least a second")
	case c.Spent == nil:
		return nil, errors.New("there is nothing to remember answers in")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Altcha{keys: c.Keys, maxNumber: uint64(c.MaxNumber), lifetime: c.Lifetime, spent: c.Spent, now: c.Now}, nil
}

// AltchaChallenge is a challenge in the JSON that the widget fetches.
type AltchaChallenge struct {
	Algorithm string `json:"algorithm"`
	Challenge string `json:"challenge"`
	MaxNumber uint64 `json:"maxnumber"`
	Salt      string `json:"salt"`
	Signature string `json:"signature"`
}

// Issue makes a challenge.
func (a *Altcha) Issue() AltchaChallenge {
	var random [len(altchaID{}) + 8]byte
	_, _ = rand.Read(random[:]) // it never fails
	id := altchaID(random[:len(altchaID{})])
	number := binary.BigEndian.Uint64(random[len(id):]) % (a.maxNumber + 1)

	salt := altchaSalt(id, a.now().Add(a.lifetime).Unix())
	challenge := altchaHash(salt, number)
	return AltchaChallenge{altchaAlgorithm, challenge, a.maxNumber, salt, a.keys.Sign(challenge, sha256.Size)}
}

// Verify returns nil if answer, as the widget posts it, solves a challenge
// issued under the same key that has not expired and was not answered before.
// Otherwise it returns an error wrapping [ErrUnanswered] or [ErrFailed]. It
// costs a hash and a signature, however hard the challenge was.
func (a *Altcha) Verify(answer string) error {
	if answer == "" {
		return ErrUnanswered
	}
	solved, err := readAltcha(answer)
	if err != nil {
		return failure("its answer cannot be read")
	}
	expires := time.Unix(solved.expires, 0)
	now := a.now()
	if !now.Before(expires) {
		return failure("its answer came too late")
	}
	isSolution := equal(altchaHash(solved.salt, solved.number), solved.challenge)
	isOurs := a.keys.Verify(solved.challenge, solved.signature, sha256.Size)
	if !isSolution || !isOurs {
		return failure("its answer is wrong")
	}
	return a.spent.spend(solved.id, expires, now)
}

func equal(x, y string) bool { return subtle.ConstantTimeCompare([]byte(x), []byte(y)) == 1 }

// altchaID tells a challenge from all others.
type altchaID [16]byte

// altchaSalt writes down what is to be known of a challenge: which it is, and
// the second from which it is too old.
func altchaSalt(id altchaID, expires int64) string {
	return hex.EncodeToString(id[:]) + "?expires=" + strconv.FormatInt(expires, 10) + "&"
}

func altchaHash(salt string, number uint64) string {
	sum := sha256.Sum256(strconv.AppendUint([]byte(salt), number, 10))
	return hex.EncodeToString(sum[:])
}

// altchaAnswer is what the widget posts, read.
type altchaAnswer struct {
	id        altchaID
	expires   int64
	number    uint64
	salt      string
	challenge string
	signature string
}

var errAltcha = errors.New("this is no answer to a challenge")

// readAltcha reads an answer: the Base64 of a JSON object. What it returns was
// spelled in the one way that [Altcha.Issue] spells it.
func readAltcha(text string) (altchaAnswer, error) {
	if len(text) > maxAltchaAnswer {
		return altchaAnswer{}, errAltcha
	}
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return altchaAnswer{}, errAltcha
	}
	var posted struct {
		Algorithm string `json:"algorithm"`
		Challenge string `json:"challenge"`
		Number    uint64 `json:"number"` // a string of digits and more is none
		Salt      string `json:"salt"`
		Signature string `json:"signature"`
	}
	if err := json.Unmarshal(decoded, &posted); err != nil || posted.Algorithm != altchaAlgorithm {
		return altchaAnswer{}, errAltcha
	}
	idText, rest, _ := strings.Cut(posted.Salt, "?expires=")
	id, err := hex.DecodeString(idText)
	if err != nil || len(id) != len(altchaID{}) {
		return altchaAnswer{}, errAltcha
	}
	expires, err := strconv.ParseInt(strings.TrimSuffix(rest, "&"), 10, 64)
	if err != nil || altchaSalt(altchaID(id), expires) != posted.Salt {
		return altchaAnswer{}, errAltcha
	}
	return altchaAnswer{altchaID(id), expires, posted.Number, posted.Salt, posted.Challenge, posted.Signature}, nil
}
