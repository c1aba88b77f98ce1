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

// actionTimeout bounds one step in the browser.
const actionTimeout = time.Minute

// tab is a browser tab with a witness that records what its pages do.
type tab struct {
	t       *testing.T
	ctx     context.Context
	witness *witness
}

// openTab starts a browser with a new profile, which is closed when the test ends. The test fails
// if a page sends a request to another host, or if the console has errors.
func openTab(t *testing.T) *tab {
	t.Helper()
	options := slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(caddyproc.Need(t, "chromium", "chromium-browser", "google-chrome")),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		// The browser's own requests do not reach any host.
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
	// The first action starts the browser, so its context must not have a deadline.
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

// open opens the page and expects status 200.
func (b *tab) open(url string) {
	b.t.Helper()
	if status := b.load(chromedp.Navigate(url)); status != 200 {
		b.t.Fatalf("%s answered with status %d", url, status)
	}
}

// press clicks a control that opens another page, and returns the HTTP status of that page.
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
		b.t.Fatalf("waiting for the page to load: %v; the answer was %+v", err, response)
	}
	if response == nil {
		b.t.Fatal("no page loaded")
	}
	return response.Status
}

// fill clears the control and types text into it.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	b.do(chromedp.Clear(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), text))
}

// set sets the control's value, like its picker.
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
		b.t.Fatalf("%s: set to %q, got %q", selector, value, got)
	}
}

// choose selects exactly the options with the given values.
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
		b.t.Fatalf("%s: %q selected, want %q", selector, chosen, values)
	}
}

// withoutScripts disables the scripts of pages that are loaded from now on. The test's own scripts
// still run.
func (b *tab) withoutScripts() {
	b.t.Helper()
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

// paint selects the color scheme, light or dark. It also turns off animations, so that elements do
// not move while they are clicked.
func (b *tab) paint(scheme string) {
	b.t.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme},
		{Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// path returns the path of the current page.
func (b *tab) path() string {
	b.t.Helper()
	return see[string](b, "location.pathname")
}

// sends lists what the page's only form would send now, as sorted "name=value". It leaves out empty
// values, and names with a leading underscore, which the plugin adds.
func (b *tab) sends() []string {
	b.t.Helper()
	return evaluate[[]string](b, `Array.from(new FormData(document.querySelector("form")))
		.filter(([name, value]) => value !== "" && !name.startsWith("_")).map(([name, value]) => name + "=" + value).sort()`)
}

// call sends a DevTools command to the browser.
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

// evaluate runs JavaScript in the page and returns its result.
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

// see is like evaluate for expressions that change nothing: if the page is replaced by another one
// meanwhile, it looks at that one.
func see[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, actionTimeout)
	defer cancel()
	for {
		result, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
		if err == nil {
			return result
		}
		if ctx.Err() != nil || !isReplaced(err) {
			b.t.Fatalf("evaluating %s: %v", expression, err)
		}
	}
}

// isReplaced reports whether the browser could not evaluate an expression because its page was
// replaced by another one.
func isReplaced(err error) bool {
	for _, text := range []string{"Inspected target navigated or closed", "Execution context was destroyed", "Cannot find context"} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// quote returns value as a JavaScript literal.
func quote(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // value is a string or a list of strings
	}
	return string(text)
}

// witness records the requests and console messages of pages.
type witness struct {
	mu       sync.Mutex
	failures []failure
	expected []failure
	tolerant bool
}

// failure is an unexpected request or message.
type failure struct{ what, text string }

// expect allows the given status for url, which the browser logs in its console.
func (w *witness) expect(url string, status int) {
	w.permit(url, fmt.Sprintf("Failed to load resource: the server responded with a status of %d", status))
}

// permit allows console messages about the page at url that begin with text.
func (w *witness) permit(url, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expected = append(w.expected, failure{url, text})
}

// tolerate allows everything, for pages of third parties, which request fonts and scripts from
// other hosts in vain.
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
