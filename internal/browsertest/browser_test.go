package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
)

// actionTimeout is how long one step in the browser may take.
const actionTimeout = 20 * time.Second

// tab is a browser's tab with a witness of what its pages do.
type tab struct {
	t       *testing.T
	ctx     context.Context
	witness *witness
}

// openTab starts a browser, with a profile of its own, that ends with the test. The test fails if a page asks another
// host for anything or the console has complaints.
func openTab(t *testing.T) *tab {
	t.Helper()
	options := slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(caddyproc.Need(t, "chromium", "chromium-browser", "google-chrome")),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		// Should the browser itself want to talk to somebody, it finds nobody.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost"),
		chromedp.Flag("lang", "en-US"),
	})
	allocator, endAllocator := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	b := &tab{t: t, witness: new(witness)}
	ctx, _ := chromedp.NewContext(allocator, chromedp.WithListener(b.witness.see))
	b.ctx = ctx
	t.Cleanup(func() {
		b.close()
		endAllocator()
		b.witness.check(t)
	})
	// The first action starts the browser, which would end with a context that has a deadline.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting the browser: %v", err)
	}
	b.paint("light")
	return b
}

func (b *tab) close() {
	ctx, cancel := context.WithTimeout(b.ctx, stopTimeout)
	defer cancel()
	if err := chromedp.Cancel(ctx); err != nil {
		b.t.Errorf("closing the browser: %v", err)
	}
}

// do runs the actions in order.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, actionTimeout)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("in the browser: %v", err)
	}
}

// open goes to the page and expects it to be there.
func (b *tab) open(url string) {
	b.t.Helper()
	if status := b.load(chromedp.Navigate(url)); status != 200 {
		b.t.Fatalf("%s answered with status %d", url, status)
	}
}

// press clicks what leads to another page and returns the HTTP status of that one.
func (b *tab) press(selector string) (status int64) {
	b.t.Helper()
	return b.load(chromedp.Click(chromedp.CSS(selector)))
}

func (b *tab) load(actions ...chromedp.Action[chromedp.Void]) (status int64) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, actionTimeout)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, actions...)
	if err != nil {
		b.t.Fatalf("waiting for the page to load: %v", err)
	}
	if response == nil {
		b.t.Fatal("no page was loaded")
	}
	return response.Status
}

// fill types text into the control after emptying it.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	b.do(chromedp.Clear(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), text))
}

// set gives the control a value as its picker would.
func (b *tab) set(selector, value string) {
	b.t.Helper()
	got := evaluate[string](b, fmt.Sprintf(`(() => {
		const control = document.querySelector(%s);
		control.value = %s;
		control.dispatchEvent(new Event("input", {bubbles: true}));
		control.dispatchEvent(new Event("change", {bubbles: true}));
		return control.value;
	})()`, quote(selector), quote(value)))
	if got != value {
		b.t.Fatalf("%s took %q as %q", selector, value, got)
	}
}

// choose selects exactly the options with these values.
func (b *tab) choose(selector string, values ...string) {
	b.t.Helper()
	chosen := evaluate[[]string](b, fmt.Sprintf(`(() => {
		const select = document.querySelector(%s), values = %s;
		for (const option of select.options) option.selected = values.includes(option.value);
		select.dispatchEvent(new Event("input", {bubbles: true}));
		select.dispatchEvent(new Event("change", {bubbles: true}));
		return Array.from(select.selectedOptions, option => option.value);
	})()`, quote(selector), quote(values)))
	if !slices.Equal(chosen, values) {
		b.t.Fatalf("%s let %q be chosen, not %q", selector, chosen, values)
	}
}

// withoutScripts stops the scripts of the pages loaded from now on. The test's own still run.
func (b *tab) withoutScripts() {
	b.t.Helper()
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

// paint has pages shown in the color scheme, light or dark. They stand still, so that what is clicked stays where it is.
func (b *tab) paint(scheme string) {
	b.t.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme},
		{Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// path is the path of the page shown.
func (b *tab) path() string {
	b.t.Helper()
	return evaluate[string](b, "location.pathname")
}

// sends lists what the page's only form would send now, as "name=value", sorted, without what was left empty and what
// is no visitor's: names with a leading underscore are between the form and the plugin.
func (b *tab) sends() []string {
	b.t.Helper()
	return evaluate[[]string](b, `Array.from(new FormData(document.querySelector("form")))
		.filter(([name, value]) => value !== "" && !name.startsWith("_")).map(([name, value]) => name + "=" + value).sort()`)
}

// call sends the browser a command of the DevTools protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, actionTimeout)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		b.t.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

// evaluate runs the test's own JavaScript in the page.
func evaluate[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, actionTimeout)
	defer cancel()
	result, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("evaluating %s: %v", expression, err)
	}
	return result
}

// quote writes value as JavaScript.
func quote(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // only strings and lists of them get here
	}
	return string(text)
}

// witness sees what pages ask for and complain about.
type witness struct {
	mu       sync.Mutex
	failures []failure
	expected []failure
	tolerant bool
}

// failure is something that must not happen unexpectedly.
type failure struct{ what, text string }

// expect permits the page at url to be answered with status, which the browser notes in its console.
func (w *witness) expect(url string, status int) {
	w.permit(url, fmt.Sprintf("Failed to load resource: the server responded with a status of %d", status))
}

// permit lets the console say of the page at url what begins with text.
func (w *witness) permit(url, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expected = append(w.expected, failure{url, text})
}

// tolerate permits everything: the pages are somebody else's, and ask other hosts for fonts and scripts, in vain.
func (w *witness) tolerate() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tolerant = true
}

func (w *witness) see(event any) {
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if !isLocal(e.Request.URL) {
			w.note(failure{"request", e.Request.URL})
		}
	case *network.EventWebSocketCreated:
		w.note(failure{"web socket", e.URL})
	case *runtime.EventExceptionThrown:
		w.note(failure{"exception", e.ExceptionDetails.Text})
	case *runtime.EventConsoleAPICalled:
		w.note(failure{"console", fmt.Sprint(e.Type)})
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			w.note(failure{e.Entry.URL, e.Entry.Text})
		}
	}
}

func (w *witness) note(f failure) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failures = append(w.failures, f)
}

func (w *witness) check(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.failures {
		known := slices.ContainsFunc(w.expected, func(e failure) bool {
			return e.what == f.what && strings.HasPrefix(f.text, e.text)
		})
		if !known && !w.tolerant {
			t.Errorf("the browser saw: %s: %s", f.what, f.text)
		}
	}
}

func isLocal(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "http", "https":
		return u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1"
	}
	return u.Scheme == "about" || u.Scheme == "data" || u.Scheme == "blob"
}
