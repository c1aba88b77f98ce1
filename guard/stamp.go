package guard

import (
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/signing"
)

// StampInput is the name of the hidden input with the stamp.
const StampInput = "_stamp"

// Traps lists possible names of the trap's input. They look fillable to bots, but not familiar to a
// browser's autofill or a password manager. A page gets the first name that it does not use itself.
func Traps() []string { return []string{"subject_2", "topic_2", "reason_2"} }

// Bucket is the precision of a stamp's time. A page that is served twice within a bucket is the
// same, byte for byte.
//
// It is also less time than any person needs to fill in a form. A post is too young if it comes in
// the bucket in which the page was served. This catches a bot that posts at once, unless a bucket
// happens to end in between, and never a person who took two seconds.
const Bucket = 2 * time.Second

// maxSkew is how far ahead another machine's clock may be.
const maxSkew = time.Minute

// Stamps issues and reads the stamps of one form. A stamp is a signed text with the time at which
// its page was served. Stamps need no storage, and any machine with one of the same keys reads
// them.
//
// A stamp only proves that the page is at least that old. It can be used any number of times and
// never expires: pages stay open for days, and in shared caches.
type Stamps struct{ keys signing.Keys }

// NewStamps returns the stamps of the named form.
func NewStamps(keys signing.Keys, form string) *Stamps {
	return &Stamps{keys.Derived("stamps of the form " + form)}
}

// stampVersion begins a stamp. maxStamp exceeds the length of any stamp.
const (
	stampVersion = "1"
	stampSize    = sha256.Size / 2 // bytes of a signature
	maxStamp     = 128
)

// Stamp returns the stamp for a page that is served now, with the trap, which is one of [Traps].
func (s *Stamps) Stamp(now time.Time, trap string) string {
	text := stampVersion + "." + strconv.FormatInt(bucketOf(now), 36) + "." + strconv.Itoa(slices.Index(Traps(), trap))
	return text + "." + s.keys.Sign(text, stampSize)
}

func bucketOf(t time.Time) int64 { return t.Unix() / int64(Bucket/time.Second) }

// Stamp is the content of a valid stamp.
type Stamp struct {
	Trap string // the name of the page's trap input
	// Least and Most bound the age of the page. They may be negative if two machines' clocks
	// differ.
	Least, Most time.Duration
}

// Read reads a stamp. It reports false if the signature is wrong, or the page's time is more than a
// minute ahead.
func (s *Stamps) Read(value string, now time.Time) (Stamp, bool) {
	parts := strings.SplitN(value, ".", 4)
	if len(parts) != 4 || len(value) > maxStamp || parts[0] != stampVersion {
		return Stamp{}, false
	}
	if !s.keys.Verify(strings.Join(parts[:3], "."), parts[3], stampSize) {
		return Stamp{}, false
	}
	bucket, err := strconv.ParseInt(parts[1], 36, 64)
	trap, err2 := strconv.Atoi(parts[2])
	if err != nil || err2 != nil || trap < 0 || trap >= len(Traps()) {
		return Stamp{}, false
	}
	most := now.Sub(time.Unix(bucket*int64(Bucket/time.Second), 0))
	if most < -maxSkew {
		return Stamp{}, false
	}
	return Stamp{Trap: Traps()[trap], Least: most - Bucket, Most: most}, true
}

// Seal is what a post contains of its page's stamp and trap.
type Seal struct {
	Stamps     []string // the posted stamps, of which one must be valid
	TrapSent   bool     // the form had a trap
	TrapFilled bool     // the trap was not empty
	// ByScript means that a script made the post. Scripts choose what to send, so a missing stamp
	// or trap means nothing.
	ByScript bool
	// Sender describes the client.
	Sender Sender
}

// Weights of stamps and traps. One signal alone does not make a post suspected spam, except a
// filled trap, and a missing stamp and trap together from a client that is not a browser: it never
// read the page. None of them happens by accident, so one more signal, such as a link, is enough.
//
// A browser that sends neither has a page that was stored before the page had them, in its own
// cache or a shared one. There may be many such pages on the day that `protect` is switched on. So
// that weighs little, and more only if the browser does not name a page of ours either. A page has
// both or neither, so a bot made a post with only one of them.
const (
	weightTooYoung   = 4
	weightForged     = 4
	weightNoStamp    = 4
	weightNoTrap     = 4
	weightStored     = 2
	weightFromNoPage = 4
	weightNeverRead  = 6
	weightTrapFills  = Junk
)

// Signals returns the spam signals of a post's seal. It returns none if s is nil, which means that
// pages do not get stamps.
func (s *Stamps) Signals(seal Seal, now time.Time) Opinion {
	if s == nil {
		return nil
	}
	if !seal.TrapSent && len(seal.Stamps) == 0 {
		return seal.missingBoth()
	}
	var opinion Opinion
	if seal.TrapFilled {
		opinion = append(opinion, Signal{"the trap is filled in", weightTrapFills})
	}
	if !seal.TrapSent && !seal.ByScript {
		opinion = append(opinion, Signal{"the page's trap is missing", weightNoTrap})
	}
	if stamp, genuine := s.best(seal.Stamps, now); genuine {
		if stamp.Most >= 0 && stamp.Most < Bucket {
			opinion = append(opinion, Signal{"sent within 2 seconds of the page", weightTooYoung})
		}
		return opinion
	}
	switch {
	case len(seal.Stamps) > 0:
		opinion = append(opinion, Signal{"the page's stamp is forged", weightForged})
	case !seal.ByScript:
		opinion = append(opinion, Signal{"the page's stamp is missing", weightNoStamp})
	}
	return opinion
}

// missingBoth returns the signals of a post with neither trap nor stamp.
func (s Seal) missingBoth() Opinion {
	weight := weightNeverRead
	switch {
	case s.ByScript:
		return nil
	case s.Sender.IsLikeBrowser() && s.Sender.NamesPage:
		weight = weightStored
	case s.Sender.IsLikeBrowser():
		weight = weightFromNoPage
	}
	return Opinion{{"the page's stamp and trap are missing", weight}}
}

// best returns the oldest of the valid stamps.
func (s *Stamps) best(values []string, now time.Time) (best Stamp, genuine bool) {
	for _, value := range values {
		if stamp, ok := s.Read(value, now); ok && (!genuine || stamp.Most > best.Most) {
			best, genuine = stamp, true
		}
	}
	return best, genuine
}

// TrapsOf returns the possible names of the trap in a post with these stamps: the one that a valid
// stamp names, or else all [Traps].
func (s *Stamps) TrapsOf(stamps []string, now time.Time) []string {
	if stamp, ok := s.best(stamps, now); ok {
		return []string{stamp.Trap}
	}
	return Traps()
}
