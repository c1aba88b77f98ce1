// Package spool keeps leads while their outbox cannot be used.
//
// A [Store] is an outbox over another one, the primary, and over spools. A spool is a small outbox
// in a file of its own. There is one only while it is needed:
//
//   - While the primary cannot be opened, for example because another process has its file open,
//     everything goes to a spool, and is delivered from there.
//   - While the open primary does not accept entries, they go to a spool on another disk.
//   - While a primary that several processes share is away, everything goes to a spool of this
//     process. So does an entry that the primary does not store in time.
//
// A spool belongs to the process that holds its lock. Each process takes over the spools that
// another one left behind when it died. When the primary can be used, the entries of the spools
// move to it, and empty spools are removed. Until the primary can be used, all spools move to one.
//
// # Exactly once
//
// An entry is in one place: it is copied, the copy is committed, and the original is erased. No
// other operation runs in between. A crash may leave two copies, and adopting an entry again keeps
// the later version. So nothing is taken from the primary until its spools have been compared with
// it. An entry with an attempt in flight stays where it is until that has ended.
//
// A spool has its own key for the hashes of remembered lead ids. If an entry was removed from a
// spool before it moved, its lead's id is forgotten, and TeleCRM is searched for the lead.
package spool

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// Defaults of [Options].
const (
	defaultPatience = 2 * time.Second
	defaultRetry    = 250 * time.Millisecond
	defaultMaxRetry = 5 * time.Second
)

// Spool is an outbox that can be removed.
type Spool interface {
	outbox.Store
	// Remove closes the store and removes its files.
	Remove() error
}

// Options are the settings of a store. Only Open and OpenSpool are required.
type Options struct {
	// Name names the primary in logs and errors.
	Name string
	// Open opens the primary. It is called until it succeeds or ctx ends.
	Open func(ctx context.Context) (outbox.Store, error)
	// OpenSpool opens a spool, and creates it if there is none. If another process has it open, it
	// returns an error wrapping [outbox.ErrInUse] without waiting.
	OpenSpool func(ctx context.Context, file string) (Spool, error)
	// Prefixes returns the beginnings of the paths of spools, the best place first. All processes with
	// the same primary use the same ones.
	Prefixes func() []string
	// Folder is the folder of the primary; empty if it is not in a file. While the primary accepts no
	// entries, a spool on the same disk would not help.
	Folder string

	// AppendPatience is how long the primary may take to store an entry. Then the entry goes to a
	// spool. Zero means no limit.
	AppendPatience time.Duration

	// Logger logs events that operators must know about. Nil disables logging.
	Logger *zap.Logger
	// Now returns the current time. Nil means time.Now.
	Now func() time.Time
	// Patience is how long Open waits for the primary, and how long a spool may take to open.
	// Default: 2s
	Patience time.Duration
	// Retry is the time until the primary is tried again, and doubles up to MaxRetry, which is also
	// the time between two looks for spools of dead processes. Defaults: 250ms and 5s
	Retry, MaxRetry time.Duration
}

// Store is an outbox over a primary and its spools.
type Store struct {
	opts Options

	// gate is held by operations, each with weight 1, and with all its weight to move entries.
	gate *semaphore.Weighted
	// opening is held while spools are opened.
	opening *semaphore.Weighted

	stop     context.CancelFunc
	stopping <-chan struct{} // closed by stop
	work     sync.WaitGroup
	late     sync.WaitGroup // appends that the primary did not answer in time
	wake     chan struct{}  // holds one signal that there may be something to move

	mu       sync.Mutex
	primary  *member // nil until it is open
	spools   []*member
	refused  bool             // the primary does not accept entries
	hidden   bool             // nothing may be taken from the primary
	doubtful map[string]bool  // entries of spools that may be in the primary too; false until they are in a spool
	trouble  error            // why the primary is not used; nil if it is
	since    time.Time        // of the trouble
	places   []string         // as opts.Prefixes returned them
	failed   map[string]error // the last error of each place for spools, and of each spool
	failedAt map[string]time.Time
	changed  func()
	pins     int             // entries do not move while there are any
	alone    time.Duration   // how long enterAlone may wait
	settings outbox.Settings // as published; nil before
	closed   bool
}

var (
	_ outbox.Shared            = (*Store)(nil)
	_ outbox.SettingsPublisher = (*Store)(nil)
	_ outbox.Holding           = (*Store)(nil)
	_ outbox.Eraser            = (*Store)(nil)
)

// errSlow is the trouble of a primary that is still being opened.
var errSlow = errors.New("the outbox is still being opened; a damaged one is carried over to a new file, which takes a while, or else check its disk")

// Open opens the store. It waits a moment for the primary, and never fails: without a primary and
// without a place for a spool, the store accepts no entries until there is either.
func Open(ctx context.Context, opts Options) *Store {
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	for value, fallback := range map[*time.Duration]time.Duration{
		&opts.Patience: defaultPatience, &opts.Retry: defaultRetry, &opts.MaxRetry: defaultMaxRetry,
	} {
		if *value <= 0 {
			*value = fallback
		}
	}
	s := &Store{
		opts:     opts,
		gate:     semaphore.NewWeighted(everything),
		opening:  semaphore.NewWeighted(1),
		wake:     make(chan struct{}, 1),
		doubtful: make(map[string]bool),
		failed:   make(map[string]error),
		failedAt: make(map[string]time.Time),
		changed:  func() {},
		alone:    minAlone,
	}
	var running context.Context
	running, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.stopping = running.Done()
	tried := make(chan struct{})
	s.work.Go(func() { s.openPrimary(running, tried) })
	s.awaitPrimary(running, tried)
	s.work.Go(func() { s.adoptSpools(running) })
	return s
}

// awaitPrimary waits until the first try to open the primary has ended. If that takes too long,
// entries go to a spool meanwhile. It does not wait for a spool on a disk that hangs either.
func (s *Store) awaitPrimary(ctx context.Context, tried <-chan struct{}) {
	if closesWithin(tried, s.opts.Patience) {
		return
	}
	ready := make(chan struct{})
	s.work.Go(func() {
		defer close(ready)
		s.standIn(ctx, errSlow)
	})
	closesWithin(ready, s.opts.Patience)
}

// closesWithin waits until done is closed, but no longer than patience, and reports whether it was
// closed.
func closesWithin(done <-chan struct{}, patience time.Duration) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// standIn lets entries go to a spool because the primary cannot be used.
func (s *Store) standIn(ctx context.Context, because error) {
	s.claim(ctx)
	s.mu.Lock()
	none := len(s.spools) == 0
	s.mu.Unlock()
	if none {
		_, _ = s.newSpool(ctx, nil) // setTrouble reports the error
	}
	s.setTrouble(because)
}

// openPrimary opens the primary as soon as that is possible. It closes tried after the first try.
func (s *Store) openPrimary(ctx context.Context, tried chan<- struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	done := sync.OnceFunc(func() { close(tried) })
	defer done()
	for delay := s.opts.Retry; ; delay = min(2*delay, s.opts.MaxRetry) {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		primary, err := s.opts.Open(ctx)
		if err == nil {
			s.usePrimary(ctx, primary)
			return
		}
		if ctx.Err() != nil {
			return
		}
		s.standIn(ctx, err)
		done()
		timer.Reset(delay)
	}
}

// usePrimary uses the primary from now on. What an earlier process left in spools is compared with
// the primary before anything is taken from it.
func (s *Store) usePrimary(ctx context.Context, primary outbox.Store) {
	s.claim(ctx)
	s.mu.Lock()
	s.primary = newMember("", primary)
	s.hidden = len(s.spools) > 0
	was := s.trouble
	s.trouble, s.since = nil, time.Time{}
	s.passSettings()
	s.mu.Unlock()
	if was != nil {
		s.opts.Logger.Info("outbox is open; the leads in spools move to it", zap.String("outbox", s.opts.Name))
	}
	s.hasChanged()
	s.signal()
}

// setTrouble records why the primary is not used, and logs it unless that is known.
func (s *Store) setTrouble(err error) {
	s.mu.Lock()
	was := s.trouble
	if s.primary != nil && !s.refused {
		s.mu.Unlock()
		return // it has been opened meanwhile
	}
	if err == errSlow && was != nil { //nolint:errorlint // it is not wrapped
		s.mu.Unlock()
		return // the reason is known
	}
	s.trouble = err
	if was == nil {
		s.since = s.opts.Now()
	}
	files := s.spoolFiles()
	s.mu.Unlock()
	if was != nil && was.Error() == err.Error() {
		return
	}
	fields := []zap.Field{zap.String("outbox", s.opts.Name), zap.Error(err)}
	if len(files) == 0 {
		fields = append(fields, zap.NamedError("spool_error", s.spoolError()))
		s.opts.Logger.Error("neither the outbox nor a spool can be used; until one of them can be, leads are not kept, and are only sent while their visitors wait",
			fields...)
		return
	}
	s.opts.Logger.Error("outbox cannot be used; leads are kept in a spool and delivered from there, and move to the outbox when it can be used",
		append(fields, zap.Strings("spools", files))...)
}

// OnChange sets the function to call when entries may have become due, or belong to other accounts
// than before, because the primary was opened or a spool taken over.
func (s *Store) OnChange(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = f
}

func (s *Store) hasChanged() {
	s.mu.Lock()
	f := s.changed
	s.mu.Unlock()
	f()
}

// signal makes the background goroutine look at the spools.
func (s *Store) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Status describes the state of a store.
type Status struct {
	// Trouble says why the primary is not used, and Since since when. Trouble is nil if it is used.
	Trouble error
	Since   time.Time
	// Spools lists the files of the spools that contain entries or accept them.
	Spools []string
}

// Status returns the state. It does not wait for any disk.
func (s *Store) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Status{Trouble: s.trouble, Since: s.since, Spools: s.spoolFiles()}
}

// spoolFiles lists the files of the spools. The caller holds mu.
func (s *Store) spoolFiles() []string {
	files := make([]string, 0, len(s.spools))
	for _, m := range s.spools {
		files = append(files, m.file)
	}
	return files
}

// Member is a store that contains a part of the entries.
type Member struct {
	// File is the file of a spool. It is empty for the primary.
	File  string
	Store outbox.Store
}

// Members calls f with the primary, if it is open, and with the spools. No entry moves until f
// returns.
func (s *Store) Members(ctx context.Context, f func([]Member) error) error {
	v, leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	s.pin(1)
	leave()
	defer s.pin(-1)
	members := make([]Member, 0, len(v.spools)+1)
	if v.primary != nil {
		members = append(members, Member{Store: v.primary.Store})
	}
	for _, m := range v.spools {
		members = append(members, Member{m.file, m.Store})
	}
	return f(members)
}

func (s *Store) pin(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pins += n
}

// Health implements [outbox.Store].
func (s *Store) Health() error {
	s.mu.Lock()
	primary, spools, trouble := s.primary, slices.Clone(s.spools), s.trouble
	s.mu.Unlock()
	if primary != nil {
		return primary.Health()
	}
	err := outbox.Away(trouble)
	for _, m := range spools {
		if err = m.Health(); err == nil {
			return nil
		}
	}
	return err
}

// Close implements [outbox.Store]. Spools with entries stay, for the next process.
func (s *Store) Close() error {
	s.mu.Lock()
	was := s.closed
	s.closed = true
	s.mu.Unlock()
	if was {
		return nil
	}
	s.stop()
	s.work.Wait()
	// Wait for operations in flight.
	if err := s.gate.Acquire(context.Background(), everything); err != nil {
		return err
	}
	s.gate.Release(everything) // none begins any more
	s.late.Wait()
	s.mu.Lock()
	open := slices.Clone(s.spools)
	if s.primary != nil {
		open = append(open, s.primary) // last, because its next owner looks for spools
	}
	s.mu.Unlock()
	var errs []error
	for _, m := range open {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}
