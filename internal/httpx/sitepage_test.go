package httpx

import (
	"errors"
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/page"
)

// A handler gives up once the page is larger than it may be, and has its own way to say so. The
// reason stays the size.
func TestRecorderSaysThatAPageIsTooLarge(t *testing.T) {
	write := func(w http.ResponseWriter) error {
		_, err := w.Write(make([]byte, page.MaxSource+1))
		return err
	}
	for name, handler := range map[string]caddyhttp.HandlerFunc{
		"ignores the error": func(w http.ResponseWriter, _ *http.Request) error { _ = write(w); return nil },
		"returns the error": func(w http.ResponseWriter, _ *http.Request) error { return write(w) },
		"breaks off":        func(w http.ResponseWriter, _ *http.Request) error { _ = write(w); panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := NewRecorder().record(handler, nil); !errors.Is(err, page.ErrTooLarge) {
				t.Errorf("error %v, want that the page is too large", err)
			}
		})
	}
}
