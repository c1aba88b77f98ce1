package sqlstore

import (
	"errors"
	"sync"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// health records why the store cannot be written. It logs each problem once.
type health struct {
	log  *zap.Logger
	file string

	mu      sync.Mutex
	trouble error // nil if the store is healthy
}

func (h *health) get() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.trouble
}

// worsen records a failed write.
func (h *health) worsen(cause error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.trouble
	h.trouble = cause
	switch {
	case errors.Is(cause, outbox.ErrFull) && !errors.Is(known, outbox.ErrFull):
		h.log.Error("outbox's disk is full; it accepts no entries until there is room, but its entries can still be delivered; make room on the disk",
			zap.String("file", h.file))
	case known == nil:
		h.log.Error("outbox cannot be written; it accepts no entries until it can be written again; check its disk and the owner of its files",
			zap.String("file", h.file), zap.Error(cause))
	}
}

// mend records a successful write.
func (h *health) mend() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.trouble != nil {
		h.trouble = nil
		h.log.Info("outbox can be written again", zap.String("file", h.file))
	}
}
