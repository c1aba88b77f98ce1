package caddytelecrm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// The events. Their data are ids, names from the config, counts, and reasons
// in the words of the log; nothing of what a visitor typed.
const (
	eventDelivered = "telecrm_lead_delivered"
	eventParked    = "telecrm_lead_parked"
	eventHeld      = "telecrm_account_held"
	eventResumed   = "telecrm_account_resumed"
)

// eventOutlet is a config's way to the handlers of its events.
type eventOutlet struct {
	app    *App
	ctx    caddy.Context
	events *caddyevents.App
	start  sync.Once
	open   chan struct{} // closed once all apps of the config have started
}

// provisionEvents finds the events app. Its handlers are being subscribed
// until Caddy says that all apps have started; before that, nothing may be
// emitted.
func (a *App) provisionEvents(ctx caddy.Context) error {
	app, err := ctx.App("events")
	if err != nil {
		return fmt.Errorf("loading events app: %w", err)
	}
	a.outlet = &eventOutlet{app: a, ctx: ctx, events: app.(*caddyevents.App), open: make(chan struct{})}
	if err := a.outlet.events.On("started", a.outlet); err != nil {
		return fmt.Errorf("subscribing to the start: %w", err)
	}
	return nil
}

// Handle opens the outlet when Caddy has started.
func (o *eventOutlet) Handle(context.Context, caddy.Event) error {
	o.start.Do(func() { close(o.open) })
	if o.app.pooled != nil {
		o.app.pooled.herald.wake()
	}
	return nil
}

func (o *eventOutlet) isOpen() bool {
	select {
	case <-o.open:
		return true
	default:
		return false
	}
}

// announceSettled announces a lead that was delivered or parked.
func (a *App) announceSettled(entry outbox.Entry, s outbox.Settlement) {
	switch s.State {
	case outbox.Delivered:
		a.announce(eventDelivered, map[string]any{
			"id": entry.ID, "account": entry.Account, "form": entry.Form,
			"lead_id": s.LeadID, "reason": s.Reason, "attempts": entry.Attempts,
		})
	case outbox.Parked:
		a.announce(eventParked, map[string]any{
			"id": entry.ID, "account": entry.Account, "form": entry.Form,
			"reason": s.Reason, "attempts": entry.Attempts,
		})
	case outbox.Waiting:
	}
}

// announce has an event handled as soon as those before it have been.
func (a *App) announce(name string, data map[string]any) {
	if a.outlet == nil || a.outlet.isOpen() && !a.outlet.events.ShouldEmit(name) {
		return // nobody would handle it
	}
	a.pooled.herald.announce(event{name, data})
}

// event is something that happened.
type event struct {
	name string
	data map[string]any
}

// manyEvents is how many events may wait for the handlers of those before.
const manyEvents = 1000

// herald hands events to the handlers of the config in force, one after the
// other. Handlers may take their time, to send a mail for instance, so neither
// a lane nor a visitor waits for them: what happens while too much waits
// already is dropped, counted and logged. A reload drops nothing, because the
// herald stays with the outbox.
type herald struct {
	outlet func() *eventOutlet // of the config in force; nil while that starts
	logger *zap.Logger

	queue   chan event
	changed chan struct{} // holds one signal that there may be an outlet
	ending  chan struct{} // closed when nothing more comes
	givenUp chan struct{} // closed when nobody waits for the rest any more
	ended   chan struct{}
	endOnce sync.Once

	dropped atomic.Int64 // since it was last logged
}

// newHerald returns a herald that works until [herald.end].
func newHerald(outlet func() *eventOutlet, logger *zap.Logger) *herald {
	h := &herald{
		outlet:  outlet,
		logger:  logger,
		queue:   make(chan event, manyEvents),
		changed: make(chan struct{}, 1),
		ending:  make(chan struct{}),
		givenUp: make(chan struct{}),
		ended:   make(chan struct{}),
	}
	go h.run()
	return h
}

// announce never waits.
func (h *herald) announce(e event) {
	select {
	case <-h.ending:
		h.drop()
		return
	default:
	}
	select {
	case h.queue <- e:
	default:
		h.drop()
	}
}

func (h *herald) drop() {
	if h.dropped.Add(1) == 1 {
		h.logger.Warn("events are dropped: those before them have not been handled yet; what they were about is in this log all the same")
	}
}

// wake has the herald look again for an outlet.
func (h *herald) wake() {
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

func (h *herald) run() {
	defer close(h.ended)
	defer h.logDropped()
	for {
		select {
		case e := <-h.queue:
			h.emit(e)
		case <-h.ending:
			h.emitRest()
			return
		}
		if len(h.queue) == 0 {
			h.logDropped()
		}
	}
}

// emitRest emits what waits when nothing more comes.
func (h *herald) emitRest() {
	for {
		select {
		case e := <-h.queue:
			h.emit(e)
		default:
			return
		}
	}
}

// emit waits for an outlet, and then for the event's handlers.
func (h *herald) emit(e event) {
	for {
		select {
		case <-h.givenUp:
			h.drop()
			return
		default:
		}
		if outlet := h.outlet(); outlet != nil {
			outlet.events.Emit(outlet.ctx, e.name, e.data)
			return
		}
		select {
		case <-h.changed:
		case <-h.ending:
			h.drop()
			return
		}
	}
}

func (h *herald) logDropped() {
	if dropped := h.dropped.Swap(0); dropped > 0 {
		h.logger.Warn("events were dropped", zap.Int64("events", dropped))
	}
}

// end waits until the events that wait have been handled, or ctx has ended.
// What waits then is dropped. Ending it again does nothing.
func (h *herald) end(ctx context.Context) error {
	h.endOnce.Do(func() {
		close(h.ending)
		select {
		case <-h.ended:
		case <-ctx.Done():
		}
		close(h.givenUp)
	})
	select {
	case <-h.ended:
		return nil
	default:
		return errors.New("a handler of an event has not ended; the events after it are dropped")
	}
}
