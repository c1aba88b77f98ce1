package dispatch

import (
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// Events that do not fit into the queue are dropped, counted and logged. Events without an outlet
// do not block the end.
func TestEventsWithoutHandlers(t *testing.T) {
	core, log := observer.New(zapcore.WarnLevel)
	queue := newEventQueue(func() *Outlet { return nil }, zap.New(core))
	const many = maxEvents + 50
	for range many {
		queue.add(event{"telecrm_lead_parked", nil})
	}
	if err := queue.end(t.Context()); err != nil {
		t.Error(err)
	}
	queue.add(event{"telecrm_lead_parked", nil})
	entries := log.FilterMessage("events were dropped").All()
	var dropped int64
	for _, entry := range entries {
		dropped += entry.ContextMap()["events"].(int64)
	}
	if dropped != many {
		t.Errorf("%d events were logged as dropped, want %d", dropped, many)
	}
	if err := queue.end(t.Context()); err != nil {
		t.Error(err)
	}
}
