package sandbox_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

func TestDuplicates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, identifier, first, second string
		status                          int
	}{
		{"same phone", "phone", "918123456789", "918123456789", 409},
		{"plus", "phone", "+918123456789", "918123456789", 409},
		{"national", "phone", "918123456789", "8123456789", 409},
		{"trunk zero", "phone", "918123456789", "08123456789", 409},
		{"double zero", "phone", "918123456789", "00918123456789", 409},
		{"foreign with plus", "phone", "+12015550123", "12015550123", 409},
		{"other country", "phone", "447400123456", "917400123456", 201},
		{"plus keeps a short number foreign", "phone", "+8123456789", "8123456789", 201},
		{"email case", "email", "Ravi@Example.org", "ravi@example.ORG", 409},
		{"email space", "email", " ravi@example.org", "ravi@example.org", 409},
		{"other email", "email", "ravi@example.org", "ravi@example.com", 201},
		{"text case", "company", "Sunrise Solar", "SUNRISE SOLAR", 409},
		{"text space", "company", "Sunrise Solar", "Sunrise Solar ", 201},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t, func(c *sandbox.Config) {
				c.Schema = sandbox.DefaultSchema()
				c.Schema.Identifier = tt.identifier
			})
			mustCreate(t, s, fmt.Sprintf(`{"fields":{%q:%q}}`, tt.identifier, tt.first))
			w := create(t, s, fmt.Sprintf(`{"fields":{%q:%q}}`, tt.identifier, tt.second))
			if w.Code != tt.status {
				t.Fatalf("status %d, want %d", w.Code, tt.status)
			}
			if tt.status != http.StatusConflict {
				return
			}
			if code := errorCode(t, w); code != "LEAD_ALREADY_EXISTS" {
				t.Errorf("code %q", code)
			}
			message := fmt.Sprintf("Lead with %s %s already exists.", tt.identifier, tt.second)
			if !strings.Contains(w.Body.String(), message) {
				t.Errorf("%s does not say %q", w.Body, message)
			}
			if len(s.Leads()) != 1 {
				t.Error("a duplicate was stored")
			}
		})
	}
}
