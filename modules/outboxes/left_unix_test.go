//go:build unix

package outboxes_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/modules/outboxes"
)

// A disk that hangs holds one search, and not one more after each reload.
func TestLeftOutboxHangs(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	file := filepath.Join(t.TempDir(), "outbox.db")
	use(t, file, 0)
	pipe := filepath.Join(os.Getenv("XDG_DATA_HOME"), "caddy", "telecrm", "outboxes", "hangs")
	must(t, syscall.Mkfifo(pipe, 0o600))
	search := func() (end func() <-chan struct{}) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			outboxes.FindLeft(ctx, "", zap.NewNop())
		}()
		return func() <-chan struct{} { cancel(); return ended }
	}
	first := search()
	for deadline := time.Now().Add(time.Minute); notes(t) > 1; time.Sleep(time.Millisecond) { // until it has read the other note
		if time.Now().After(deadline) {
			t.Fatal("the search does not begin")
		}
	}
	second := search()
	select {
	case <-second():
	case <-time.After(30 * time.Second):
		t.Error("the search of the next config hangs too")
	}
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0) // the disk answers again
	must(t, err)
	must(t, writer.Close())
	<-first()
}
