package handlertest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// The log contains neither what the visitor typed nor part of a token, even if TeleCRM's answer
// quotes them.
func TestLogWithAnswersThatQuoteTheVisitor(t *testing.T) {
	long := strings.Repeat("Please call me about the flat. ", 12)
	visitor := url.Values{"name": {"Zenobia  Quartermaine"}, "phone": {"08123456789"}, "note": {long}}
	quoted := `Zenobia  Quartermaine, 8123456789: ` + long + strings.Repeat("x ", 120) + testToken
	for name, body := range map[string]string{
		"remarks": `{"lead_id":"64c1f0aa12bb34cc56dd78ee","actions":[{"status":"` + quoted + `"}],"remarks":[{"field":"` + quoted + `","status":"` + quoted + `","remark":"` + quoted + `"},"` + quoted + `"]}`,
		"error":   `{"error":{"code":"ZENOBIA_QUARTERMAINE","message":"` + quoted + `"}}`,
		"no JSON": quoted,
	} {
		for _, status := range []int{http.StatusCreated, http.StatusBadRequest, http.StatusUnauthorized, http.StatusConflict, http.StatusServiceUnavailable} {
			crm := newCRM(t)
			h := newHandler(t, crm.url, simpleBlock+"\naction 1042 {\nfield note\n}")
			_, app, log := withOutbox(t, h)
			crm.Inject(sandbox.Fault{Status: status, Body: body})
			if _, _, err := h.serve(postForm(visitor)); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the line about the attempt", func() bool { return log.Len() > 0 })
			app.Stop(5 * time.Second)
			for _, entry := range append(log.All(), h.log.All()...) {
				for key, value := range entry.ContextMap() {
					text, _ := value.(string)
					for _, secret := range []string{"Zenobia", "ZENOBIA", "Quartermaine", "8123456789", "call me", "flat", testToken[:12]} {
						if strings.Contains(text, secret) {
							t.Errorf("%s, status %d: found %q in %s of %q: %s", name, status, secret, key, entry.Message, text)
						}
					}
				}
			}
		}
	}
}
