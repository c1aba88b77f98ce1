package sqlstore

import (
	"errors"
	"sync"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// health is what keeps a store from working, and logs it once.
type health struct {
	log  *zap.Logger
	file string

	mu      sync.Mutex
	trouble error // nil: all is well
}

func (h *health) get() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.trouble
}

// worsen notes that something could not be written.
func (h *health) worsen(cause error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.trouble
	h.trouble = cause
	switch {
	case errors.Is(cause, outbox.ErrFull) && !errors.Is(known, outbox.ErrFull):
		h.log.Error("outbox's disk is full; no entry is accepted until there is room, and those in it are delivered from a reserve; make room on the disk",
			zap.String("file", h.file))
	case known == nil:
		h.log.Error("outbox could not be written; no entry is accepted until it can be; check its disk and the owner of its files",
			zap.String("file", h.file), zap.Error(cause))
	}
}

// mend notes that something could be written.
func (h *health) mend() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.trouble != nil {
		h.trouble = nil
		h.log.Info("outbox can be written again", zap.String("file", h.file))
	}
}
