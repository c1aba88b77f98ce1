package guard

import (
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/signing"
)

// StampInput is the name of the hidden input that holds the stamp.
const StampInput = "_stamp"

// Traps lists what the trap's input can be called: each looks to a machine
// like something to fill in, and to no browser's autofill or password manager
// like anything that it knows. A page gets the first that it does not use
// itself.
func Traps() []string { return []string{"subject_2", "topic_2", "reason_2"} }

// Bucket is how exact a stamp's time is. A page that is served twice within a
// bucket is the same, byte for byte.
//
// It is also the time that no person needs less than to read a form and fill
// it in. So a post is too young, for certain, if it comes in the very bucket
// that the page was served in: a machine that posts at once is caught but for
// those times when a bucket happens to end in between, and a person who took
// two seconds never is.
const Bucket = 2 * time.Second

// maxSkew is how far ahead another machine's clock may be.
const maxSkew = time.Minute

// Stamps makes and reads the stamps of one form: signed texts that say when
// a page was served. They need no storage, and any machine with one of the
// same keys reads them.
//
// A stamp proves no more than that the page was served no later than it was.
// It can be used any number of times, and none is ever too old: pages stay
// open for days, and in shared caches.
type Stamps struct{ keys signing.Keys }

// NewStamps makes the stamps of the form with that name.
func NewStamps(keys signing.Keys, form string) *Stamps {
	return &Stamps{keys.Derived("stamps of the form " + form)}
}

// stampVersion begins a stamp; maxStamp is more than the length of any.
const (
	stampVersion = "1"
	stampSize    = sha256.Size / 2 // bytes of a signature
	maxStamp     = 128
)

// Stamp is the stamp for a page that is served now, with that trap, which is
// one of [Traps].
func (s *Stamps) Stamp(now time.Time, trap string) string {
	text := stampVersion + "." + strconv.FormatInt(bucketOf(now), 36) + "." + strconv.Itoa(slices.Index(Traps(), trap))
	return text + "." + s.keys.Sign(text, stampSize)
}

func bucketOf(t time.Time) int64 { return t.Unix() / int64(Bucket/time.Second) }

// Stamp is what a genuine stamp says.
type Stamp struct {
	Trap string // what the page's trap is called
	// The page was served at least, and at most, this long ago. By the
	// clocks of two machines that may be less than zero.
	Least, Most time.Duration
}

// Read reads a stamp. It reports false if that was not made here, or says
// that the page will be served in more than a minute.
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

// Seal is what a post holds of the stamp and the trap of its page.
type Seal struct {
	Stamps     []string // those that were sent, of which one that is genuine will do
	TrapSent   bool     // whether there was a trap in the form
	TrapFilled bool     // whether there was something in it
	// ByScript tells that a script made the post, which chooses itself what
	// to send: that something is missing means nothing.
	ByScript bool
	// Sender is what made the post.
	Sender Sender
}

// What the signals weigh. No one of them is enough to doubt a post, but for a
// filled trap, and for the lack of both trap and stamp in what no browser has
// sent: that never read the page. None of them comes about by accident, so that
// one more thing does have a post doubted, such as a link.
//
// A browser that sends neither has a page that was stored before it had them,
// in its own memory or a cache, and those may be many on the day on which
// `protect` is switched on. So that weighs little, and more only if the
// browser does not say either that it comes from a page of ours. A page has
// both or none of them, so what lacks just one was put together by a machine.
const (
	weightTooYoung   = 4
	weightForged     = 4
	weightNoStamp    = 4
	weightNoTrap     = 4
	weightStored     = 2
	weightFromNoPage = 4
	weightBlind      = 6
	weightTrapFills  = Junk
)

// Signals says what the seal of a post that came now speaks for. Without
// stamps, which is when pages get none, that is nothing.
func (s *Stamps) Signals(seal Seal, now time.Time) Opinion {
	if s == nil {
		return nil
	}
	if !seal.TrapSent && len(seal.Stamps) == 0 {
		return seal.lacksAll()
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

// lacksAll judges a post that has neither trap nor stamp.
func (s Seal) lacksAll() Opinion {
	weight := weightBlind
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

// best is the oldest of the stamps that are genuine.
func (s *Stamps) best(values []string, now time.Time) (best Stamp, genuine bool) {
	for _, value := range values {
		if stamp, ok := s.Read(value, now); ok && (!genuine || stamp.Most > best.Most) {
			best, genuine = stamp, true
		}
	}
	return best, genuine
}

// TrapsOf lists what the traps are called of a post with these stamps: what
// a genuine one says or, for want of one, any of [Traps].
func (s *Stamps) TrapsOf(stamps []string, now time.Time) []string {
	if stamp, ok := s.best(stamps, now); ok {
		return []string{stamp.Trap}
	}
	return Traps()
}
