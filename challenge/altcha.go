package challenge

import (
	"context"
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

// AltchaInput is the name of the input in which ALTCHA's widget posts its answer.
const AltchaInput = "altcha"

const (
	altchaAlgorithm = "SHA-256"
	altchaMaxNumber = 10_000_000

	// maxAltchaAnswer bounds the bytes of an answer. The widget's answers have about 420, depending
	// on the digits of a number.
	maxAltchaAnswer = 1 << 10
)

// AltchaConfig configures an [Altcha].
type AltchaConfig struct {
	// Keys sign the challenges. Servers that share one of the keys accept each other's challenges.
	Keys signing.Keys

	// MaxNumber is the highest number that a browser may have to try, at most 10,000,000. On
	// average it tries half of them.
	MaxNumber int

	// Lifetime is how long a challenge can be answered, in whole seconds.
	Lifetime time.Duration

	// Spent remembers answered challenges.
	Spent *Spent

	// Spend records that the challenge with the id was answered for a lead, where other servers with
	// the same keys see it, for the given time at least. It returns false if the challenge was
	// answered for another lead there. Default: only Spent counts
	Spend func(ctx context.Context, id string, lasts time.Duration, lead string) bool

	// Now is the clock; default [time.Now].
	Now func() time.Time
}

// Altcha issues ALTCHA's proof-of-work challenges and verifies the answers. A challenge is the hash
// of a salt and a secret number, which the browser finds by trial. The challenge carries its own
// state, signed (https://altcha.org/docs/server-integration/), so nothing is stored for challenges
// that are never answered.
//
// It speaks the first version of the protocol, which every version of the widget understands, 3.2
// included. It accepts only one spelling of the signed text, and the salt ends in a character that
// is not part of a number, so that digits cannot move from one to the other
// (https://altcha.org/security-advisory/).
//
// An Altcha is safe for concurrent use.
type Altcha struct {
	keys      signing.Keys
	maxNumber uint64
	lifetime  time.Duration
	spent     *Spent
	spend     func(ctx context.Context, id string, lasts time.Duration, lead string) bool
	now       func() time.Time
}

// clockSkew is how far the clocks of servers with the same keys may be apart.
const clockSkew = 10 * time.Minute

// NewAltcha returns an issuer of challenges, or an error if c is invalid.
func NewAltcha(c AltchaConfig) (*Altcha, error) {
	switch {
	case c.Keys == nil:
		return nil, errors.New("keys are missing; challenges need a signing key")
	case c.MaxNumber < 1 || c.MaxNumber > altchaMaxNumber:
		return nil, fmt.Errorf("max number must be between 1 and %d, got %d", altchaMaxNumber, c.MaxNumber)
	case c.Lifetime < time.Second:
		return nil, fmt.Errorf("lifetime must be at least a second, got %v", c.Lifetime)
	case c.Spent == nil:
		return nil, errors.New("memory of answers is missing; set Spent")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Spend == nil {
		c.Spend = func(context.Context, string, time.Duration, string) bool { return true }
	}
	return &Altcha{
		keys: c.Keys, maxNumber: uint64(c.MaxNumber), lifetime: c.Lifetime, spent: c.Spent, spend: c.Spend, now: c.Now,
	}, nil
}

// AltchaChallenge is the JSON of a challenge, as the widget fetches it.
type AltchaChallenge struct {
	Algorithm string `json:"algorithm"`
	Challenge string `json:"challenge"`
	MaxNumber uint64 `json:"maxnumber"`
	Salt      string `json:"salt"`
	Signature string `json:"signature"`
}

// Issue returns a new challenge.
func (a *Altcha) Issue() AltchaChallenge {
	var random [len(altchaID{}) + 8]byte
	_, _ = rand.Read(random[:]) // it never fails
	id := altchaID(random[:len(altchaID{})])
	number := binary.BigEndian.Uint64(random[len(id):]) % (a.maxNumber + 1)

	salt := altchaSalt(id, a.now().Add(a.lifetime).Unix())
	challenge := altchaHash(salt, number)
	return AltchaChallenge{altchaAlgorithm, challenge, a.maxNumber, salt, a.keys.Sign(challenge, sha256.Size)}
}

// Verify returns nil if answer, as posted by the widget, solves a challenge that was issued under
// one of the keys, has not expired and was not answered before. Otherwise it returns an error
// wrapping [ErrUnanswered] or [ErrFailed]. It costs one hash and one signature, however hard the
// challenge was.
//
// The lead is what the visitor posts. If another server has accepted the answer for the same lead,
// the visitor has sent the form twice, and the answer is accepted here too.
func (a *Altcha) Verify(ctx context.Context, answer, lead string) error {
	if answer == "" {
		return ErrUnanswered
	}
	solved, err := readAltcha(answer)
	if err != nil {
		return failure("answer is malformed")
	}
	expires := time.Unix(solved.expires, 0)
	now := a.now()
	if !now.Before(expires) {
		return failure("answer came too late")
	}
	isSolution := equal(altchaHash(solved.salt, solved.number), solved.challenge)
	isOurs := a.keys.Verify(solved.challenge, solved.signature, sha256.Size)
	if !isSolution || !isOurs {
		return failure("answer is wrong")
	}
	if err := a.spent.spend(solved.id, expires, now); err != nil {
		return err
	}
	if !a.spend(ctx, string(solved.id[:]), expires.Sub(now)+clockSkew, lead) {
		return errUsed
	}
	return nil
}

func equal(x, y string) bool { return subtle.ConstantTimeCompare([]byte(x), []byte(y)) == 1 }

// altchaID identifies a challenge.
type altchaID [16]byte

// altchaSalt encodes a challenge's id and the second from which it is expired.
func altchaSalt(id altchaID, expires int64) string {
	return hex.EncodeToString(id[:]) + "?expires=" + strconv.FormatInt(expires, 10) + "&"
}

func altchaHash(salt string, number uint64) string {
	sum := sha256.Sum256(strconv.AppendUint([]byte(salt), number, 10))
	return hex.EncodeToString(sum[:])
}

// altchaAnswer is a parsed answer.
type altchaAnswer struct {
	id        altchaID
	expires   int64
	number    uint64
	salt      string
	challenge string
	signature string
}

var errAltcha = errors.New("not an answer to a challenge")

// readAltcha parses an answer: the Base64 of a JSON object. It accepts only the spelling of
// [Altcha.Issue].
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
		Number    uint64 `json:"number"` // a number only: a string with digits is refused
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
