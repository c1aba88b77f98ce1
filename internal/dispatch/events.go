package dispatch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
)

// Outlet emits events to the handlers of one config. Handlers may subscribe until Caddy reports
// that all apps have started. Nothing may be emitted before that.
type Outlet struct {
	ctx    caddy.Context
	events *caddyevents.App
	onOpen func()
	start  sync.Once
	open   chan struct{} // closed once all apps of the config have started
}

// NewOutlet returns the outlet of ctx's config. The outlet calls onOpen when all apps have started.
func NewOutlet(ctx caddy.Context, onOpen func()) (*Outlet, error) {
	app, err := ctx.App("events")
	if err != nil {
		return nil, fmt.Errorf("loading events app: %w", err)
	}
	o := &Outlet{ctx: ctx, events: app.(*caddyevents.App), onOpen: onOpen, open: make(chan struct{})}
	if err := o.events.On("started", o); err != nil {
		return nil, fmt.Errorf("subscribing to the started event: %w", err)
	}
	return o, nil
}

// Handle opens the outlet when Caddy has started.
func (o *Outlet) Handle(context.Context, caddy.Event) error {
	o.start.Do(func() { close(o.open) })
	o.onOpen()
	return nil
}

func (o *Outlet) isOpen() bool {
	select {
	case <-o.open:
		return true
	default:
		return false
	}
}

// hasHandler reports whether the event may have a handler.
func (o *Outlet) hasHandler(name string) bool { return !o.isOpen() || o.events.ShouldEmit(name) }

// Announce queues an event. The outlet of the config in force emits it once the events before it
// have been handled. Announce does not wait. It drops an event that has no handler in the outlet
// from, without making its data.
func (d *Dispatcher) Announce(from *Outlet, name string, data func() map[string]any) {
	if from != nil && from.hasHandler(name) {
		d.events.add(event{name, data()})
	}
}

// WakeEvents makes waiting events look for an outlet again.
func (d *Dispatcher) WakeEvents() { d.events.wake() }

type event struct {
	name string
	data map[string]any
}

// maxEvents is how many events may wait for the handlers of earlier events.
const maxEvents = 1000

// eventQueue passes events to the handlers of the config in force, one at a time. Handlers may be
// slow, for example when they send an email; neither deliveries nor visitors wait for them. When
// the queue is full, events are dropped, counted and logged. A reload does not drop any, because
// the queue belongs to the outbox.
type eventQueue struct {
	outlet func() *Outlet // of the config in force; nil while it starts
	logger *zap.Logger

	queue   chan event
	changed chan struct{} // holds one signal that there may be an outlet
	ending  chan struct{} // closed when no more events come
	givenUp chan struct{} // closed when the rest must be dropped
	ended   chan struct{}
	endOnce sync.Once

	dropped atomic.Int64 // since it was last logged
}

// newEventQueue returns a queue that runs until [eventQueue.end] is called.
func newEventQueue(outlet func() *Outlet, logger *zap.Logger) *eventQueue {
	q := &eventQueue{
		outlet:  outlet,
		logger:  logger,
		queue:   make(chan event, maxEvents),
		changed: make(chan struct{}, 1),
		ending:  make(chan struct{}),
		givenUp: make(chan struct{}),
		ended:   make(chan struct{}),
	}
	go q.run()
	return q
}

// add appends an event, or drops it if the queue is full. It does not wait.
func (q *eventQueue) add(e event) {
	select {
	case <-q.ending:
		q.drop()
		return
	default:
	}
	select {
	case q.queue <- e:
	default:
		q.drop()
	}
}

func (q *eventQueue) drop() {
	if q.dropped.Add(1) == 1 {
		q.logger.Warn("dropping events because earlier ones have not been handled yet; the log contains everything that they report")
	}
}

// wake makes the queue look for an outlet again.
func (q *eventQueue) wake() {
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

func (q *eventQueue) run() {
	defer close(q.ended)
	defer q.logDropped()
	for {
		select {
		case e := <-q.queue:
			q.emit(e)
		case <-q.ending:
			q.emitRest()
			return
		}
		if len(q.queue) == 0 {
			q.logDropped()
		}
	}
}

func (q *eventQueue) emitRest() {
	for {
		select {
		case e := <-q.queue:
			q.emit(e)
		default:
			return
		}
	}
}

// emit waits for an outlet, and then for the event's handlers.
func (q *eventQueue) emit(e event) {
	for {
		select {
		case <-q.givenUp:
			q.drop()
			return
		default:
		}
		if outlet := q.outlet(); outlet != nil {
			outlet.events.Emit(outlet.ctx, e.name, e.data)
			return
		}
		select {
		case <-q.changed:
		case <-q.ending:
			q.drop()
			return
		}
	}
}

func (q *eventQueue) logDropped() {
	if dropped := q.dropped.Swap(0); dropped > 0 {
		q.logger.Warn("events were dropped", zap.Int64("events", dropped))
	}
}

// end waits until the queued events have been handled or ctx ends, and then drops the rest. Later
// calls only report whether the queue has ended.
func (q *eventQueue) end(ctx context.Context) error {
	q.endOnce.Do(func() {
		close(q.ending)
		select {
		case <-q.ended:
		case <-ctx.Done():
		}
		close(q.givenUp)
	})
	select {
	case <-q.ended:
		return nil
	default:
		return errors.New("event handler: still running; the events after it are dropped")
	}
}
