package dispatch

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
)

// An outbox that a config has opened since its leads were counted is not reported.
func TestUsedOutboxIsNotLeft(t *testing.T) {
	guest := newHungOutbox(t)
	d := open(t, guest)
	ReportLeft(adminapi.Left{Resource: guest.file, Since: time.Now(), Waiting: 3}, zap.NewNop())
	if left := LeftOutboxes(); len(left) != 0 {
		t.Errorf("left %+v, but it is in use", left)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
