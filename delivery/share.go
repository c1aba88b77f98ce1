package delivery

import (
	"context"
	"encoding/json"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// Lanes of several processes that share an outbox also share the account's pause and hold. A lane
// publishes its own changes in the outbox and adopts those of the others, so that one probe serves
// all of them, and no process sends while another one was asked to wait.

// standing is what a lane shares of its state.
type standing struct {
	key         string
	pausedUntil time.Time
	trial       bool // TeleCRM does not answer
	holdReason  string
	heldSince   time.Time
	probeAt     time.Time
}

func (s standing) samePause(other standing) bool {
	return s.pausedUntil.Equal(other.pausedUntil) && s.trial == other.trial
}

func (s standing) sameHold(other standing) bool {
	return s.holdReason == other.holdReason && s.heldSince.Equal(other.heldSince) && s.probeAt.Equal(other.probeAt)
}

// sharing is what a lane knows of the state that all processes share.
type sharing struct {
	turn chan struct{}       // held while the outbox is asked
	seen outbox.AccountState // the last state
	at   time.Time           // when it was seen
	own  standing            // the lane's, as it was published or adopted
	// trial says that TeleCRM does not answer to any of the processes, since trialSince.
	trial      bool
	trialSince time.Time
}

// sharedNote has the parts of a state that the outbox does not interpret.
type sharedNote struct {
	PauseReason string        `json:"pause_reason,omitempty"`
	Asked       bool          `json:"asked,omitempty"`
	LastPause   time.Duration `json:"last_pause,omitempty"` // the next one is longer
	HoldReason  string        `json:"hold_reason,omitempty"`
	Refusal     string        `json:"refusal,omitempty"`
	First       time.Duration `json:"first,omitempty"`
	Interval    time.Duration `json:"interval,omitempty"`
	Fresh       time.Duration `json:"fresh,omitempty"`
}

func (l *lane) standing() standing {
	s := standing{
		pausedUntil: l.pause.until, trial: l.pause.failures >= failuresBeforePause,
		holdReason: l.hold.reason, heldSince: l.hold.since, probeAt: l.hold.probeAt,
	}
	if l.account != nil {
		s.key = l.account.Key
	}
	return s
}

// sharePatience limits a request to a shared outbox. Only attempts wait for it, not visitors.
const sharePatience = 2 * time.Second

// shareChanges publishes the lane's state if it has changed.
func (l *lane) shareChanges() {
	shared := l.engine.shared()
	if shared == nil {
		return
	}
	l.mu.Lock()
	unchanged := l.isPublished()
	l.mu.Unlock()
	if unchanged {
		return
	}
	ctx, cancel := context.WithTimeout(l.engine.running, sharePatience)
	defer cancel()
	if !l.takeTurn(ctx) {
		return
	}
	defer l.endTurn()
	if err := l.publish(ctx, shared); err != nil && l.engine.running.Err() == nil {
		l.engine.settings().Logger.Debug("publishing the account's state", zap.String("account", l.name), zap.Error(err))
	}
}

// published returns the lane's state as it was published or adopted.
func (l *lane) published() standing {
	if l.account == nil || l.sharing.own.key != l.account.Key {
		return standing{}
	}
	return l.sharing.own
}

func (l *lane) isPublished() bool {
	now, was := l.standing(), l.published()
	return now.samePause(was) && now.sameHold(was)
}

// takeTurn waits until no other goroutine asks the outbox for the lane. It returns false if ctx ends
// first. Otherwise the caller must call endTurn.
func (l *lane) takeTurn(ctx context.Context) bool {
	select {
	case l.sharing.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *lane) endTurn() { <-l.sharing.turn }

// maxPublishTries limits how often publishing a change is tried, because of other changes.
const maxPublishTries = 4

// publish publishes the lane's state, and tries again if another process has changed it meanwhile.
func (l *lane) publish(ctx context.Context, shared outbox.Shared) error {
	for range maxPublishTries {
		l.mu.Lock()
		if l.account == nil || l.isPublished() {
			l.mu.Unlock()
			return nil
		}
		own, state := l.standing(), l.merged(l.engine.now())
		l.mu.Unlock()
		published, err := shared.Publish(ctx, l.name, state)
		if err != nil {
			return err
		}
		l.mu.Lock()
		if published {
			state.Version++
			l.sharing.seen, l.sharing.own, l.sharing.at = state, own, l.engine.now()
			l.sharing.try(state.Trial, l.sharing.at)
		}
		l.mu.Unlock()
		if published {
			continue // the lane may have changed meanwhile
		}
		asked := l.engine.now()
		want := l.pace.request(asked, 0)
		want.Account, want.Key = l.name, own.key
		loan, err := shared.Lend(ctx, want)
		if err != nil {
			return err
		}
		l.pace.borrowed(asked, want, loan)
		l.mu.Lock()
		l.sharing.seen, l.sharing.at = loan.State, l.engine.now()
		l.mu.Unlock()
	}
	return nil
}

// merged returns the state that was seen last with the lane's changes.
func (l *lane) merged(now time.Time) outbox.AccountState {
	own, was := l.standing(), l.published()
	s, note := outbox.AccountState{Version: l.sharing.seen.Version, Key: own.key}, sharedNote{}
	if l.sharing.seen.Key == own.key {
		s = stateAfter(l.sharing.seen, now.Sub(l.sharing.at))
		note = noteOf(s)
	} else {
		was = standing{}
	}
	if !own.samePause(was) {
		s.Trial = own.trial
		s.PausedFor, s.PausedAgo = max(own.pausedUntil.Sub(now), 0), 0
		if s.PausedFor > 0 {
			s.PausedAgo = now.Sub(l.pause.since)
		}
		note.PauseReason, note.Asked, note.LastPause = l.pause.reason, l.pause.asked, l.pause.last
	}
	if !own.sameHold(was) {
		l.mergeHold(&s, &note, was, now)
	}
	encoded, _ := json.Marshal(note) // it cannot fail
	s.Note = string(encoded)
	return s
}

// stateAfter returns the state as it is a while later.
func stateAfter(s outbox.AccountState, elapsed time.Duration) outbox.AccountState {
	s.PausedFor, s.ProbeIn, s.FreshIn = max(s.PausedFor-elapsed, 0), max(s.ProbeIn-elapsed, 0), max(s.FreshIn-elapsed, 0)
	s.PausedAgo, s.HeldAgo = s.PausedAgo+elapsed, s.HeldAgo+elapsed
	return s
}

// mergeHold replaces the hold in a state, unless the lane has ended an earlier one.
func (l *lane) mergeHold(s *outbox.AccountState, note *sharedNote, was standing, now time.Time) {
	const sameHold = time.Second // by different clocks
	if !l.hold.on() {
		if s.Held && s.HeldAgo < now.Sub(was.heldSince)-sameHold {
			return
		}
		s.Held = false
		return
	}
	s.HeldAgo = max(now.Sub(l.hold.since), s.HeldAgo)
	s.Held = true
	s.ProbeIn = max(l.hold.probeAt.Sub(now), 0)
	s.FreshIn = s.ProbeIn
	if l.hold.mayBePoison() {
		s.FreshIn = max(min(s.ProbeIn, l.hold.probedAt.Add(l.hold.freshEntries).Sub(now)), 0)
	}
	note.HoldReason, note.Refusal = l.hold.reason, l.hold.refusal
	note.First, note.Interval, note.Fresh = l.hold.first, l.hold.interval, l.hold.freshEntries
}

func noteOf(s outbox.AccountState) (note sharedNote) {
	_ = json.Unmarshal([]byte(s.Note), &note) // it is empty if no process has published a state
	return note
}

// adopt adopts the state that all processes share, unless the lane has changes of its own to publish.
func (l *lane) adopt(s outbox.AccountState) {
	l.mu.Lock()
	now := l.engine.now()
	l.sharing.at = now
	if l.account == nil || s.Key != l.account.Key {
		l.sharing.seen = s
		l.mu.Unlock()
		return
	}
	if s.Version < l.sharing.seen.Version || !l.isPublished() {
		l.mu.Unlock()
		return
	}
	l.sharing.seen = s
	note := noteOf(s)
	l.adoptPause(s, note, now)
	began, ended := l.adoptHold(s, note, now)
	l.sharing.own = l.standing()
	l.releaseWaiters()
	l.mu.Unlock()
	switch {
	case began:
		l.notifyHeld(note.HoldReason)
	case ended:
		l.notifyResumed()
	}
}

func (l *lane) adoptPause(s outbox.AccountState, note sharedNote, now time.Time) {
	if s.PausedFor > 0 {
		l.pause.until, l.pause.since = now.Add(s.PausedFor), now.Add(-s.PausedAgo)
		l.pause.reason, l.pause.asked, l.pause.last = note.PauseReason, note.Asked, note.LastPause
	} else if now.Before(l.pause.until) {
		l.pause.until = now
	}
	switch {
	case s.Trial:
		l.pause.failures = max(l.pause.failures, failuresBeforePause)
		l.pause.reason = note.PauseReason
	case l.sharing.trial:
		l.pause.failures, l.pause.last = 0, 0
		l.health.answered(0, now)
	}
	l.sharing.try(s.Trial, now)
}

// try records whether TeleCRM is asked one request at a time.
func (s *sharing) try(trial bool, now time.Time) {
	if trial && !s.trial {
		s.trialSince = now
	}
	s.trial = trial
}

// adoptHold reports whether the lane's hold has begun or ended with that.
func (l *lane) adoptHold(s outbox.AccountState, note sharedNote, now time.Time) (began, ended bool) {
	if !s.Held {
		if !l.hold.on() {
			return false, false
		}
		l.othersPass("", true)
		return false, l.endHold(now)
	}
	if began = !l.hold.on(); began {
		l.hold = hold{since: now.Add(-s.HeldAgo)}
		l.slots.close()
	}
	if l.hold.probe != "" {
		return began, false
	}
	l.hold.reason, l.hold.refusal = note.HoldReason, note.Refusal
	l.hold.first, l.hold.interval, l.hold.freshEntries = note.First, note.Interval, note.Fresh
	l.hold.probeAt = now.Add(s.ProbeIn)
	l.hold.probedAt = now.Add(s.FreshIn - note.Fresh)
	return began, false
}
