package browsertest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/leadwire/caddy-telecrm/challenge"
	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/internal/signing"
)

// widgetPolicy is the content security policy that docs/challenges.md gives for the widget, plus
// what the page itself needs: a form and an empty icon.
const widgetPolicy = "default-src 'none'; form-action 'self'; img-src data:; " +
	"script-src 'self'; connect-src 'self'; worker-src blob:; style-src 'unsafe-inline'"

// widgetPage is a page with ALTCHA's widget (https://altcha.org). The attribute auto says when it
// starts.
func widgetPage(action, challenge, auto string) string {
	return fmt.Sprintf(`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Callback</title><link rel="icon" href="data:,">
<script type="module" src="/altcha.min.js"></script></head>
<body><main><h1>Callback</h1><form method="post" action=%q>
<label>Name <input name="name" autocomplete="name"></label>
<label>Phone <input name="phone" type="tel" autocomplete="tel"></label>
<altcha-widget challenge=%q auto=%q></altcha-widget>
<button>Send</button>
</form></main></body></html>`, action, challenge, auto)
}

// widgetScript is the widget as npm installs it.
func widgetScript(t *testing.T) []byte {
	t.Helper()
	caddyproc.InstallPackages(t)
	script, err := os.ReadFile(filepath.Join("node_modules", "altcha", "dist", "main", "altcha.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return script
}

// The widget on a page of the demo solves the challenges of the real binary, whose form requires
// them. It solves another one on the error page.
func TestAltchaFormMakesALead(t *testing.T) {
	root := t.TempDir()
	for name, content := range map[string]string{
		"altcha.min.js":  string(widgetScript(t)),
		"callback.html":  widgetPage("/callback", "/callback?altcha", "onsubmit"),
		"thank-you.html": `<!doctype html><html lang="en"><title>Thank you</title><link rel="icon" href="data:,"><h1>Thank you</h1></html>`,
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, b := startSite(t,
		"root * example/site", fmt.Sprintf("root * %s\nheader Content-Security-Policy %q", root, widgetPolicy),
		"form callback", "form callback\nchallenge altcha {\ncomplexity 20000\nfail closed\n}",
	), openTab(t)
	s.keepOut("Ravi")
	b.open(s.pages + "/callback")
	fillCallback(b, "Ravi", "12345")
	b.witness.expect(s.pages+"/callback", http.StatusUnprocessableEntity)
	if status := b.press("button"); status != http.StatusUnprocessableEntity {
		t.Fatalf("invalid form: status %d", status)
	}
	b.fill(byName("phone"), "08123456789")
	if status := b.press("button"); status != http.StatusOK || b.path() != "/thank-you" {
		t.Fatalf("after the form: path %s, status %d", b.path(), status)
	}
	checkCallbackLead(t, s)
}

// The guard accepts the widget's answer exactly once. The page with the widget does not violate an
// accessibility rule.
func TestAltchaAnswerIsVerifiedOnce(t *testing.T) {
	altcha, err := challenge.NewAltcha(challenge.AltchaConfig{
		Keys: signing.Key([]byte("0123456789abcdef")), MaxNumber: 50_000, Lifetime: time.Minute, Spent: challenge.NewSpent(),
	})
	if err != nil {
		t.Fatal(err)
	}
	script := widgetScript(t)
	answers := make(chan string, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /altcha.min.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write(script)
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", widgetPolicy)
		_, _ = io.WriteString(w, widgetPage("/", "/challenge", strings.TrimPrefix(r.URL.Path, "/")))
	})
	mux.HandleFunc("GET /challenge", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(altcha.Issue())
	})
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		answers <- r.PostFormValue(challenge.AltchaInput)
		_, _ = io.WriteString(w, "<!doctype html><title>Thank you</title><h1>Thank you</h1>")
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	pages := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)

	b := openTab(t)
	for _, auto := range []string{"onload", "onsubmit", "off"} {
		b.open(pages + "/" + auto)
		switch auto {
		case "onload":
			b.awaitAnswer()
			checkViolations(t, nil, b.violations())
		case "off":
			b.do(chromedp.Click(chromedp.CSS(`altcha-widget input[type="checkbox"]`)))
			b.awaitAnswer()
			// Scripts that send the form themselves have to do this.
			evaluate[any](b, `document.querySelector("altcha-widget").reset()`)
			eventually(t, actionTimeout, "the answer to go", func() bool { return !b.isAnswered() })
			b.do(chromedp.Click(chromedp.CSS(`altcha-widget input[type="checkbox"]`)))
			b.awaitAnswer()
		}
		b.press("button")
		var answer string
		select {
		case answer = <-answers:
		default:
			t.Fatalf("%s: nothing was posted", auto)
		}
		if err := altcha.Verify(t.Context(), answer, ""); err != nil {
			t.Errorf("%s: %v in %q", auto, err, answer)
		}
		if err := altcha.Verify(t.Context(), answer, ""); err == nil {
			t.Errorf("%s: the answer was accepted twice", auto)
		}
	}
}

// awaitAnswer waits until the widget has put its answer into the form.
func (b *tab) awaitAnswer() {
	b.t.Helper()
	eventually(b.t, actionTimeout, "the widget's answer", b.isAnswered)
}

func (b *tab) isAnswered() bool {
	b.t.Helper()
	return evaluate[bool](b, `!!new FormData(document.querySelector("form")).get("altcha")`)
}
